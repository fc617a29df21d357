//! xray-runtime
