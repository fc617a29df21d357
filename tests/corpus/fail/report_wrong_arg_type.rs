//@ for: rollbar_report
//@ fail: (?i)(string|expected.*liter)
#[instrument_me(name = 5)] //~ ERR
fn f(x: u32) -> u32 { x }
fn main() { f(1); }
