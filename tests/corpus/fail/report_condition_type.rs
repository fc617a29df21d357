//@ for: rollbar_report
//@ fail: mismatched types
#[instrument_me(when = |error| error.len())] //~ ERR
fn f() -> Result<u32, String> { Ok(1) }
fn main() { f().unwrap(); }
