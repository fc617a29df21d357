//@ for: rollbar_report
//@ fail: expected one of.*warning
#[instrument_me(level = "fatal")] //~ ERR
fn f(x: u32) -> u32 { x }
fn main() { f(1); }
