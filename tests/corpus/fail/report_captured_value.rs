//@ for: rollbar_report
//@ fail: (?i)debug
struct Opaque;
#[instrument_me(capture(x))] //~ ERR
fn f(x: &Opaque) -> Result<u32, String> { let _ = x; Ok(1) }
fn main() { f(&Opaque).unwrap(); }
