//! xray-daemon
