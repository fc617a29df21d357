// Every argument in every form that it may have.
use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use xray_runtime::xray_capture;

mod reexported {
    pub use xray_runtime as xray;
}

const NAME: &str = "constant";

struct Users {
    table: String,
}

#[xray_capture()]
fn no_arguments() {}

#[rustfmt::skip]
#[xray_capture("literal",)]
fn trailing_comma() {}

#[xray_capture(name = NAME)]
fn name_of_a_constant() {}

#[xray_capture(name = format!("load {id}"))]
fn name_made_of_an_argument(id: u32) -> u32 {
    id
}

#[xray_capture(name = name.clone())]
async fn name_of_a_cow(name: Cow<'static, str>) -> usize {
    name.len()
}

#[xray_capture(namespace = "remote", error = "error")]
fn remote() -> Result<(), String> {
    Err("refused".to_owned())
}

#[xray_capture(namespace = "aws", error = "throttle")]
async fn aws() -> Result<(), String> {
    Err("slow down".to_owned())
}

#[xray_capture(error = "ignore")]
fn ignored() -> Result<(), String> {
    Err("expected".to_owned())
}

#[xray_capture(error = "fault", segment)]
async fn job() {}

impl Users {
    #[xray_capture(annotations(id, table = self.table.as_str(), "answer" = 42, found = true, r#type = 1.5))]
    fn load(&self, id: u64) -> Option<u64> {
        Some(id)
    }

    #[xray_capture(metadata(list, "the table" = self.table, both = (1, "two")))]
    async fn store(&self, list: Vec<u32>) -> Vec<u32> {
        list
    }

    #[xray_capture(annotations(length = list.len()), metadata(first = list.first()))]
    fn moved(list: Vec<u32>) -> Vec<u32> {
        list
    }
}

#[xray_capture(crate = reexported::xray, annotations(id))]
fn returned(id: u32) -> impl Future<Output = u32> + Send {
    async move { id }
}

#[xray_capture("boxed", crate = ::xray_runtime, annotations(id))]
fn boxed(id: u32) -> Pin<Box<dyn Future<Output = Result<u32, String>> + Send>> {
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
    assert!(remote().is_err() && ignored().is_err());
    drop((name_of_a_cow("x".into()), aws(), job(), users.store(vec![]), returned(1), boxed(1)));
}
