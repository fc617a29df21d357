//! Tells the crate which compiler built it: `service.runtime_version` of each segment.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok();
    // `rustc 1.95.0 (59807616e 2026-04-14)`
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    let number = version.as_deref().and_then(|text| text.split_whitespace().nth(1)).unwrap_or("unknown");
    println!("cargo::rustc-env=XRAY_RUSTC_VERSION={number}");
    println!("cargo::rerun-if-changed=build.rs");
}
