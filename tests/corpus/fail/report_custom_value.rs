//@ for: rollbar_report
//@ fail: (?i)serialize
struct Opaque;
#[instrument_me(custom(x))] //~ ERR
fn f(x: &Opaque) -> Result<u32, String> { let _ = x; Ok(1) }
fn main() { f(&Opaque).unwrap(); }
