use std::pin::Pin;
#[derive(Debug)] struct Node { v: u32, next: Option<Box<Node>> }
#[instrument_me]
fn last(mut cur: &mut Node) -> Result<&mut Node, String> { while cur.next.is_some() { cur = cur.next.as_mut().unwrap(); } Ok(cur) }
#[instrument_me]
fn nth<'a>(mut cur: &'a mut Node, n: u32) -> Result<&'a mut u32, String> { for _ in 0..n { cur = cur.next.as_deref_mut().ok_or("short")?; } Ok(&mut cur.v) }
#[instrument_me]
fn skip<'a>(mut p: &'a mut [u8]) -> Result<&'a mut [u8], ()> { if p.is_empty() { return Err(()); } p = &mut p[1..]; Ok(p) }
#[instrument_me]
fn skip_ref<'a>(mut p: &'a [u8]) -> Result<&'a [u8], ()> { if p.is_empty() { return Err(()); } p = &p[1..]; Ok(p) }
#[instrument_me]
fn take<'a>(buf: &mut &'a mut [u8]) -> Result<&'a mut [u8], ()> { let (a, b) = std::mem::take(buf).split_at_mut(1); *buf = b; Ok(a) }
#[instrument_me]
fn rd<'a>(buf: &mut &'a [u8]) -> Result<&'a [u8], ()> { let (a, b) = buf.split_at(1); *buf = b; Ok(a) }
struct Cur<'a> { inner: &'a mut Vec<u8>, pos: usize }
impl<'a> Cur<'a> {
    #[instrument_me]
    fn adv(&mut self) -> Result<&mut Self, ()> { self.pos += 1; self.inner.push(1); Ok(self) }
    #[instrument_me]
    fn get(mut self) -> Result<&'a mut u8, ()> { self.adv()?; let at = self.pos; self.inner.get_mut(at).ok_or(()) }
    #[instrument_me]
    fn into_inner(mut self) -> Result<&'a mut Vec<u8>, ()> { self.adv()?; Ok(self.inner) }
    #[instrument_me]
    fn peek(&mut self) -> Result<&mut u8, ()> { let at = self.pos; self.inner.get_mut(at).ok_or(()) }
}
#[instrument_me]
fn via<'a>(mut c: Cur<'a>) -> Result<&'a mut u8, ()> { c.adv()?; Ok(&mut c.inner[0]) }
#[instrument_me]
fn fut<'a>(mut p: &'a mut [u8]) -> impl std::future::Future<Output = &'a mut u8> + 'a { p = &mut p[1..]; async move { &mut p[0] } }
#[instrument_me]
fn bfut<'a>(mut p: &'a mut [u8]) -> std::pin::Pin<Box<dyn std::future::Future<Output = &'a mut u8> + 'a>> { p = &mut p[1..]; Box::pin(async move { &mut p[0] }) }
#[instrument_me]
async fn afut<'a>(mut p: &'a mut [u8]) -> Result<&'a mut u8, ()> { p = &mut p[1..]; p.first_mut().ok_or(()) }
#[instrument_me]
fn swap<'a>(mut a: &'a mut u8, mut b: &'a mut u8) -> Result<(&'a mut u8, &'a mut u8), ()> { std::mem::swap(&mut a, &mut b); Ok((a, b)) }
#[instrument_me]
fn pat<'a>((mut a, b): (&'a mut u8, &'a mut u8)) -> Result<&'a mut u8, ()> { if *a > *b { a = b; } Ok(a) }
#[instrument_me]
fn opt<'a>(mut o: Option<&'a mut u8>) -> Result<&'a mut u8, ()> { if let Some(x) = o.as_mut() { **x += 1; } o.ok_or(()) }
#[instrument_me]
fn get_or<'a>(m: &'a mut std::collections::HashMap<u8, u8>, k: u8) -> Result<&'a mut u8, ()> { if m.contains_key(&k) { return m.get_mut(&k).ok_or(()); } Ok(m.entry(k).or_insert(0)) }
#[instrument_me]
fn cow<'a>(s: &'a str) -> Result<std::borrow::Cow<'a, str>, String> { if s.contains('x') { return Ok(s.replace('x', "y").into()); } Ok(s.into()) }
struct Parser<'a> {
    rest: &'a mut [u8],
}
impl<'a> Parser<'a> {
    #[instrument_me]
    fn next(&mut self) -> Result<&'a mut u8, String> {
        let (first, rest) = std::mem::take(&mut self.rest).split_first_mut().ok_or("end")?;
        self.rest = rest;
        Ok(first)
    }
    #[instrument_me]
    fn finish(mut self) -> Result<&'a mut [u8], String> {
        self.next()?;
        Ok(self.rest)
    }
    #[instrument_me]
    fn builder(mut self, n: usize) -> Result<Self, String> {
        for _ in 0..n {
            self.next()?;
        }
        Ok(self)
    }
}
#[instrument_me]
fn pin_mut(mut this: Pin<&mut Vec<u8>>) -> Result<&mut u8, String> {
    this.as_mut().get_mut().push(1);
    this.get_mut().last_mut().ok_or_else(String::new)
}
#[instrument_me]
fn unused_branch(mut list: &mut [u8], n: usize) -> Result<&u8, String> {
    if n > 3 {
        return Err(n.to_string());
    }
    if list.len() > n {
        list = &mut list[n..];
    }
    list.first().ok_or_else(|| "none".to_owned())
}
#[instrument_me]
fn two<'a>(mut a: &'a mut [u8], mut b: &'a mut [u8]) -> Result<(&'a mut [u8], &'a mut [u8]), String> {
    if a.len() < b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    a = &mut a[1..];
    b = &mut b[1..];
    Ok((a, b))
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut n = Node { v: 1, next: Some(Box::new(Node { v: 2, next: None })) };
    last(&mut n).unwrap().v = 5; assert_eq!(*nth(&mut n, 1).unwrap(), 5); assert!(nth(&mut n, 2).is_err());
    let mut v = [1, 2, 3]; assert_eq!(skip(&mut v).unwrap(), [2, 3]); assert_eq!(skip_ref(&v).unwrap(), [2, 3]); let mut s = &mut v[..]; assert_eq!(take(&mut s).unwrap(), [1]); assert_eq!(s, [2, 3]); let mut s = &v[..]; assert_eq!(rd(&mut s).unwrap(), [1]);
    let mut w = vec![0]; assert_eq!(*Cur { inner: &mut w, pos: 0 }.get().unwrap(), 1); assert_eq!(Cur { inner: &mut w, pos: 0 }.into_inner().unwrap().len(), 3); assert_eq!(*Cur { inner: &mut w, pos: 0 }.peek().unwrap(), 0); assert_eq!(*via(Cur { inner: &mut w, pos: 0 }).unwrap(), 0);
    *fut(&mut v).await = 7; assert_eq!(v[1], 7); *bfut(&mut v).await = 8; *afut(&mut v).await.unwrap() += 1; assert_eq!(v[1], 9);
    let (mut a, mut b) = (1, 2); assert_eq!(swap(&mut a, &mut b).unwrap(), (&mut 2, &mut 1)); assert_eq!(*pat((&mut a, &mut b)).unwrap(), 1); assert_eq!(*opt(Some(&mut a)).unwrap(), 2);
    *get_or(&mut Default::default(), 1).unwrap() = 2; assert_eq!(cow("ax").unwrap(), "ay");
    let mut data = [1, 2, 3];
    assert_eq!(Parser { rest: &mut data }.finish().unwrap(), [2, 3]);
    assert_eq!(Parser { rest: &mut data }.builder(2).unwrap().rest, [3]);
    *pin_mut(Pin::new(&mut vec![])).unwrap() = 2;
    assert_eq!(unused_branch(&mut data, 1), Ok(&2));
    assert_eq!(two(&mut [1, 2], &mut [3, 4, 5]).unwrap().0, [4, 5]);
}
