//@ for: rollbar_report
use std::{fmt, future::Future, pin::Pin};
#[derive(Debug, Clone, PartialEq)]
struct Refused(u32);
impl fmt::Display for Refused { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "refused {}", self.0) } }
impl std::error::Error for Refused {}
#[derive(Debug)]
struct Filter { limit: usize }
struct Users { tenant: String, rows: Vec<u32> }
const CONTEXT: &str = "users";
#[instrument_me("users/load", level = "warning", fingerprint = "load", title = "cannot load", custom(id, twice = id * 2), capture(id))]
fn every(id: u32) -> Result<u32, Refused> { if id > 3 { return Err(Refused(id)); } Ok(id) }
#[instrument_me(name = CONTEXT, fingerprint = format_args!("load-{id}"), title = format!("user {id}"))]
async fn made_at_run_time(id: u32) -> Result<u32, Refused> { Err(Refused(id))? }
#[instrument_me(name = name.clone(), capture(name, list), custom(length = list.len(), "first one" = list.first()))]
async fn moved(name: String, list: Vec<u32>) -> Result<(String, Vec<u32>), Refused> { Ok((name, list)) }
#[instrument_me(capture(filter, rows = rows.len()))]
fn moved_sync(filter: Filter, rows: Vec<u32>) -> Result<Vec<u32>, Refused> { Ok(rows.into_iter().take(filter.limit).collect()) }
impl Users {
    #[instrument_me(level = "critical", custom(tenant = self.tenant), capture(rows = self.rows))]
    fn first(&self) -> Option<u32> { self.rows.first().copied() }
    #[instrument_me(level = "info", capture(id), when = |error| error.0 > 3)]
    async fn find(&self, id: u32) -> Result<u32, Refused> { self.rows.iter().copied().find(|row| *row == id).ok_or(Refused(id)) }
    #[instrument_me(capture(id), when = |error| error.0 as usize > self.rows.len())]
    fn limited(&self, id: u32) -> Result<u32, Refused> { Err(Refused(id)) }
}
#[instrument_me(level = "debug", custom(n), capture(n), ignore(Refused))]
fn returned(n: u32) -> impl Future<Output = Result<u32, Refused>> + Send { async move { Err(Refused(n)) } }
#[instrument_me(level = "error", capture(n), ignore(Refused), when = move |error| error.0 == n)]
fn boxed(n: u32) -> Pin<Box<dyn Future<Output = Result<u32, Refused>> + Send>> { Box::pin(async move { Err(Refused(n)) }) }
#[async_trait::async_trait]
trait Store { async fn put(&self, n: u32) -> Result<u32, Refused>; }
#[async_trait::async_trait]
impl Store for Users {
    #[instrument_me(level = "warning", custom(n), when = |error| error.0 > 1)]
    async fn put(&self, n: u32) -> Result<u32, Refused> { Err(Refused(n)) }
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let users = Users { tenant: "acme".into(), rows: vec![1, 2] };
    assert_eq!((every(1), every(4), users.first()), (Ok(1), Err(Refused(4)), Some(1)));
    assert_eq!(made_at_run_time(2).await, Err(Refused(2)));
    assert_eq!(moved("a".into(), vec![1]).await, Ok(("a".into(), vec![1])));
    assert_eq!(moved_sync(Filter { limit: 1 }, vec![1, 2]), Ok(vec![1]));
    assert_eq!((users.find(1).await, users.find(9).await, users.limited(7)), (Ok(1), Err(Refused(9)), Err(Refused(7))));
    assert_eq!((returned(1).await, boxed(2).await, users.put(3).await), (Err(Refused(1)), Err(Refused(2)), Err(Refused(3))));
}
