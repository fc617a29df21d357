//@ for: rollbar_report
//@ fail: (?i)cannot move out of|moved
#[instrument_me(when = |error| error == &x)]
fn f(x: String) -> Result<u32, String> { Err(x) } //~ ERR
fn main() { f(String::new()).unwrap_err(); }
