use std::{future::Future, pin::Pin};
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
struct S(u32);
impl S {
    #[instrument_me]
    fn plain(&self, add: u32) -> impl Future<Output = u32> + Send + '_ { let sum = self.0 + add; async move { sum } }
    #[instrument_me]
    fn fallible(&self) -> impl Future<Output = Result<u32, String>> + '_ { async move { if self.0 == 0 { return Err("zero".to_owned()); } Ok(self.0) } }
    #[instrument_me]
    fn early(n: u32) -> impl Future<Output = u32> + Unpin { if n == 0 { return std::future::ready(7); } std::future::ready(n) }
    #[instrument_me]
    fn boxed<'a>(&'a self, text: &'a str) -> Boxed<'a, Result<usize, String>> { if text.is_empty() { return Box::pin(async { Err("empty".to_owned()) }); } Box::pin(async move { Ok(text.len() + self.0 as usize) }) }
    #[instrument_me]
    fn local(&self) -> Pin<Box<dyn Future<Output = u32> + '_>> { let n = std::rc::Rc::new(self.0); Box::pin(async move { *n }) }
    #[instrument_me]
    fn spawned(n: u32) -> Pin<Box<dyn Future<Output = Result<u32, std::io::Error>> + Send>> { let n = n + 1; Box::pin(async move { Ok(n) }) }
    #[instrument_me]
    fn unit() -> impl Future + Send { async {} }
}
#[tokio::main]
async fn main() {
    let s = S(3);
    assert_eq!(s.plain(1).await, 4);
    assert_eq!(s.fallible().await, Ok(3));
    assert!(S(0).fallible().await.is_err());
    assert_eq!((S::early(0).await, S::early(1).await), (7, 1));
    assert_eq!(s.boxed("abc").await, Ok(6));
    assert_eq!(s.boxed("").await, Err("empty".to_owned()));
    assert_eq!(s.local().await, 3);
    assert_eq!(tokio::spawn(S::spawned(1)).await.unwrap().unwrap(), 2);
    let _: () = { S::unit().await; };
    fn send<T: Send>(value: T) -> T { value }
    drop((send(s.plain(1)), send(s.boxed("")), send(S::unit())));
}
