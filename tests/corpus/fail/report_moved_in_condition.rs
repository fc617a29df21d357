//@ for: rollbar_report
//@ fail: cannot move out of `x` because it is borrowed
#[instrument_me(when = |error| error == &x)] //~ ERR
fn f(x: String) -> Result<u32, String> { Err(x) }
fn main() { f(String::new()).unwrap_err(); }
