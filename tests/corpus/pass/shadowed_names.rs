//@ abs: 1
#[allow(dead_code)]
mod shadow {
    pub struct Result;
    pub struct Option;
    pub struct Box;
    pub struct Some;
    pub struct Ok;
    pub struct Err;
    pub mod std {}
    pub mod core {}
    pub mod xray_runtime {}
    pub trait FnOnce {}
    pub trait Future {}
    pub fn probe() {}
    pub fn drop() {}
}
#[allow(unused_imports, clippy::wildcard_imports)]
mod inner {
    use super::shadow::*;
    #[instrument_me]
    pub fn sync() -> ::std::result::Result<u8, ::std::string::String> { ::std::result::Result::Ok(1) }
    #[instrument_me]
    pub async fn asynchronous() -> ::std::option::Option<u8> { ::std::option::Option::Some(2) }
}
#[instrument_me]
fn locals(_guard: u8, entity: u8) -> u8 { let guard = _guard; let _guard = guard + 1; _guard + entity }
#[instrument_me]
async fn async_locals(name: &str, future: u8, pick: u8) -> Result<u8, String> { let call = future; let probe = pick; let begin = name.len() as u8; Ok(call + probe + begin) }
#[instrument_me]
fn same_name(same_name: u8) -> Result<u8, String> { let call = |n: u8| n; Ok(call(same_name)) }
#[tokio::main(flavor = "current_thread")]
async fn main() { assert_eq!(inner::sync(), Ok(1)); assert_eq!(inner::asynchronous().await, Some(2)); assert_eq!(locals(1, 2), 4); assert_eq!(async_locals("a", 1, 2).await, Ok(4)); assert_eq!(same_name(3), Ok(3)); }
