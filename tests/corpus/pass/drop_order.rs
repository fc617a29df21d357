use std::cell::RefCell;
thread_local! { static LOG: RefCell<String> = const { RefCell::new(String::new()) }; }
struct D(char);
impl Drop for D { fn drop(&mut self) { LOG.with_borrow_mut(|log| log.push(self.0)); } }
impl D { fn get(&self) -> Result<u8, String> { Ok(self.0 as u8) } }
fn order() -> String { LOG.take() }
fn end<T>(_: T) {}
mod plain {
    use super::*;
    pub fn unit(a: D, b: D) { let _l = D('l'); let _ = (&a, &b); }
    pub fn sync(a: D, b: D, c: D) -> Result<u8, String> { let _l = D('l'); let _ = &b; if a.0 == 'x' { return Err("x".into()); } Ok(c.0 as u8) }
    pub fn tail(a: D) -> Result<u8, String> { let l = D('l'); D(l.0.to_ascii_uppercase()).get().map(|n| n + a.0 as u8) }
    pub fn moved(a: D, b: D) -> Result<D, String> { drop(a); Ok(b) }
    pub fn guard_tail(a: D) -> usize { let l = D('l'); [D('t').0, l.0, a.0].iter().count() }
    pub async fn asynchronous(a: D, _b: D, c: D) -> Result<u8, String> { let _l = D('l'); tokio::task::yield_now().await; let _ = &c; Ok(a.0 as u8) }
    pub async fn async_tail(a: D) -> Result<u8, String> { let l = D('l'); D(l.0.to_ascii_uppercase()).get().map(|n| n + a.0 as u8) }
    pub async fn patterns((a, b): (D, D), c: D) { let _ = (&a, &b, &c); }
}
mod captured {
    use super::*;
    #[instrument_me]
    pub fn unit(a: D, b: D) { let _l = D('l'); let _ = (&a, &b); }
    #[instrument_me]
    pub fn sync(a: D, b: D, c: D) -> Result<u8, String> { let _l = D('l'); let _ = &b; if a.0 == 'x' { return Err("x".into()); } Ok(c.0 as u8) }
    #[instrument_me]
    pub fn tail(a: D) -> Result<u8, String> { let l = D('l'); D(l.0.to_ascii_uppercase()).get().map(|n| n + a.0 as u8) }
    #[instrument_me]
    pub fn moved(a: D, b: D) -> Result<D, String> { drop(a); Ok(b) }
    #[instrument_me]
    pub fn guard_tail(a: D) -> usize { let l = D('l'); [D('t').0, l.0, a.0].iter().count() }
    #[instrument_me]
    pub async fn asynchronous(a: D, _b: D, c: D) -> Result<u8, String> { let _l = D('l'); tokio::task::yield_now().await; let _ = &c; Ok(a.0 as u8) }
    #[instrument_me]
    pub async fn async_tail(a: D) -> Result<u8, String> { let l = D('l'); D(l.0.to_ascii_uppercase()).get().map(|n| n + a.0 as u8) }
    #[instrument_me]
    pub async fn patterns((a, b): (D, D), c: D) { let _ = (&a, &b, &c); }
}
macro_rules! same {
    ($name:ident($($arg:literal),*) $($wait:tt)*) => {{
        end(plain::$name($(D($arg)),*) $($wait)*);
        let wanted = order();
        end(captured::$name($(D($arg)),*) $($wait)*);
        assert_eq!(order(), wanted, stringify!($name));
        assert!(!wanted.is_empty());
    }};
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    same!(unit('a', 'b'));
    same!(sync('a', 'b', 'c'));
    same!(sync('x', 'b', 'c'));
    same!(tail('a'));
    same!(moved('a', 'b'));
    same!(guard_tail('a'));
    same!(asynchronous('a', 'b', 'c').await);
    same!(asynchronous('a', 'b', 'c'));
    same!(async_tail('a').await);
    plain::patterns((D('a'), D('b')), D('c')).await;
    let wanted = order();
    captured::patterns((D('a'), D('b')), D('c')).await;
    assert_eq!(order(), wanted);
}
