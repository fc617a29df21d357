//! xray-macros
