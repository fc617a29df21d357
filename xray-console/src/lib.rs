//! xray-console
