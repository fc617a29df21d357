//@ for: rollbar_report
//@ fail: (?i)empty
#[instrument_me(name = "")] //~ ERR
fn f(x: u32) -> u32 { x }
fn main() { f(1); }
