// Every argument in every form that it may have.
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use rollbar_runtime::rollbar_report;

mod reexported {
    pub use rollbar_runtime as rollbar;
}

const NAME: &str = "constant";

#[derive(Debug)]
struct Refused(u32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    fn is_fatal(&self) -> bool {
        self.0 > 9
    }
}

struct Users {
    table: String,
}

#[rollbar_report()]
fn no_arguments() {}

#[rustfmt::skip]
#[rollbar_report("literal",)]
fn trailing_comma() {}

#[rollbar_report(name = NAME)]
fn name_of_a_constant() {}

#[rollbar_report(name = format!("load {id}"))]
fn name_made_of_an_argument(id: u32) -> u32 {
    id
}

#[rollbar_report(name = name.clone())]
async fn name_of_a_cow(name: Cow<'static, str>) -> usize {
    name.len()
}

#[rollbar_report(level = "critical", fingerprint = "refused", title = "the service refused")]
fn critical() -> Result<(), Refused> {
    Err(Refused(1))
}

#[rollbar_report(level = "error", fingerprint = id, title = format_args!("refused {id}"))]
async fn error(id: u32) -> Result<(), Refused> {
    Err(Refused(id))
}

#[rollbar_report(level = "warning", when = Refused::is_fatal)]
fn warning() -> Result<(), Refused> {
    Err(Refused(2))
}

#[rollbar_report(level = "info", when = |error| error.is_fatal() || error.0 == 2)]
async fn info() -> Result<(), Refused> {
    Err(Refused(3))
}

#[rollbar_report(level = "debug", ignore(Refused, std::io::Error))]
fn debug() -> Result<(), Box<dyn std::error::Error>> {
    Err(Refused(4))?
}

impl Users {
    #[rollbar_report(custom(id, table = self.table.as_str(), "answer" = 42, found = true, r#type = 1.5))]
    fn load(&self, id: u64) -> Option<u64> {
        Some(id)
    }

    #[rollbar_report(capture(list, "the table" = self.table, both = (1, "two")))]
    async fn store(&self, list: Vec<u32>) -> Vec<u32> {
        list
    }

    #[rollbar_report(custom(length = list.len()), capture(first = list.first()))]
    fn moved(list: Vec<u32>) -> Vec<u32> {
        list
    }
}

#[rollbar_report(crate = reexported::rollbar, capture(id), ignore(Refused))]
fn returned(id: u32) -> impl Future<Output = Result<u32, Refused>> + Send {
    async move { Ok(id) }
}

#[rollbar_report("boxed", crate = ::rollbar_runtime, capture(id), when = move |error| error.0 != id)]
fn boxed(id: u32) -> Pin<Box<dyn Future<Output = Result<u32, Refused>> + Send>> {
    Box::pin(async move { Ok(id) })
}

pub(crate) fn main() {
    no_arguments();
    trailing_comma();
    name_of_a_constant();
    name_made_of_an_argument(1);
    let users = Users { table: "users".to_owned() };
    assert_eq!(users.load(7), Some(7));
    assert_eq!(Users::moved(vec![1]), [1]);
    assert!(critical().is_err() && warning().is_err() && debug().is_err());
    drop((name_of_a_cow("x".into()), error(1), info(), users.store(vec![]), returned(1), boxed(1)));
}
