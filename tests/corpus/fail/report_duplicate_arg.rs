//@ for: rollbar_report
//@ fail: (?i)(duplicate|only.*(once|single)|already)
#[instrument_me(name = "a", name = "b")] //~ ERR
fn f(x: u32) -> u32 { x }
fn main() { f(1); }
