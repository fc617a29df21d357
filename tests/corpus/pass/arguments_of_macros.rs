//@ for: xray_capture
macro_rules! captured {
    ($name:ident, $literal:literal, $value:expr, $key:ident, $namespace:literal) => { #[instrument_me($literal, namespace = $namespace, annotations($key = $value))] fn $name() -> u8 { 1 } };
    ($name:ident = $text:expr, $namespace:expr, $error:expr) => { #[instrument_me(name = $text, namespace = $namespace, error = $error)] fn $name() -> Result<u8, ()> { Ok(2) } };
    ($name:ident in $path:path) => { #[instrument_me(crate = $path)] async fn $name() -> Result<u8, ()> { Ok(3) } };
}
captured!(literal, "a", 1 + 1, key, "aws");
captured!(expression = "b", "remote", "ignore");
captured!(path in xray_runtime);
#[tokio::main(flavor = "current_thread")]
async fn main() { assert_eq!((literal(), expression(), path().await), (1, Ok(2), Ok(3))); }
