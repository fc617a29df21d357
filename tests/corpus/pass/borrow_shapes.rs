use std::{fmt::Error, pin::Pin, slice::IterMut, sync::Arc};
struct Table { rows: Vec<u32>, name: String }
impl Table {
    #[instrument_me]
    fn row(&mut self, at: usize) -> Result<&mut u32, String> { if at > 9 { return Err(format!("{at} in {}", self.name)); } self.rows.get_mut(at).ok_or_else(|| "none".to_owned()) }
    #[instrument_me]
    fn both(&mut self) -> Result<(&mut Vec<u32>, &str), Error> { Ok((&mut self.rows, &self.name)) }
    #[instrument_me]
    fn rows(&mut self) -> Result<IterMut<'_, u32>, Error> { Ok(self.rows.iter_mut()) }
    #[instrument_me]
    fn pinned(self: Pin<&mut Self>) -> Result<&mut Table, Error> { Ok(self.get_mut()) }
    #[instrument_me]
    fn shared(self: Arc<Self>) -> Result<Arc<Self>, Error> { Ok(self) }
    #[instrument_me]
    fn boxed(self: Box<Self>) -> Result<Vec<u32>, Error> { Ok(self.rows) }
    #[instrument_me]
    fn consumed(mut self) -> Result<Self, Error> { self.rows.clear(); Ok(self) }
    #[instrument_me]
    async fn first(&mut self) -> Result<&mut u32, String> { self.rows.first_mut().ok_or_else(String::new) }
    #[instrument_me]
    fn fields(&mut self) -> Result<usize, Error> { let name = &self.name; self.rows.push(1); Ok(name.len()) }
}
#[instrument_me]
fn reborrow(list: &mut Vec<u32>) -> Result<&mut u32, Error> { list.push(1); let last = list.len() - 1; Ok(&mut list[last]) }
#[instrument_me]
fn pattern((first, second): (String, String), [third, _]: [u8; 2]) -> Result<String, Error> { Ok(first + &second + &third.to_string()) }
#[instrument_me]
fn nested<'a>(map: &'a mut Option<Box<[u8]>>) -> Result<Option<&'a mut [u8]>, Error> { match map { Some(bytes) => Ok(Some(&mut bytes[..])), None => Ok(None) } }
#[instrument_me]
fn returned() -> impl Fn(&str) -> usize { |text| text.len() }
#[instrument_me]
fn hidden() -> Result<impl Iterator<Item = u8>, Error> { Ok([1, 2].into_iter()) }
#[instrument_me]
async fn hidden_async(n: u8) -> Result<impl Iterator<Item = u8>, Error> { if n > 1 { return Err(Error); } Ok([1, 2].into_iter()) }
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut table = Table { rows: vec![1, 2], name: "t".into() };
    *table.row(0).unwrap() += 1;
    assert_eq!(table.row(12).unwrap_err(), "12 in t");
    assert_eq!(table.both().unwrap().0.len(), 2);
    assert_eq!(table.rows().unwrap().count(), 2);
    assert_eq!(Pin::new(&mut table).pinned().unwrap().rows[0], 2);
    assert_eq!(table.fields().unwrap(), 1);
    *table.first().await.unwrap() = 5;
    let table = Arc::into_inner(Arc::new(table).shared().unwrap()).unwrap();
    assert_eq!(table.rows, [5, 2, 1]);
    assert_eq!(Box::new(table.consumed().unwrap()).boxed().unwrap(), [0u32; 0]);
    assert_eq!(*reborrow(&mut vec![]).unwrap(), 1);
    assert_eq!(pattern(("a".into(), "b".into()), [3, 4]).unwrap(), "ab3");
    assert!(nested(&mut None).unwrap().is_none());
    assert_eq!(returned()("abc"), 3);
    assert_eq!(hidden().unwrap().count() + hidden_async(1).await.unwrap().count(), 4);
    assert!(hidden_async(2).await.is_err());
}
#[allow(dead_code)]
#[instrument_me]
fn hidden_error(n: u8) -> Result<u8, impl std::fmt::Display> { if n > 1 { return Err("no"); } Ok(n) }
#[allow(dead_code)]
#[instrument_me]
async fn hidden_async_error(n: u8) -> Result<u8, impl std::fmt::Display> { if n > 1 { return Err("no"); } Ok(n) }
