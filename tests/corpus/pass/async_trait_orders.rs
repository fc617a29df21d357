#[async_trait::async_trait]
trait Store { async fn get(&self, key: &str) -> Result<usize, String>; #[instrument_me] async fn twice(&self, key: &str) -> Result<usize, String> where Self: Sync { Ok(self.get(key).await? * 2) } }
struct Memory;
#[async_trait::async_trait]
impl Store for Memory { #[instrument_me] async fn get(&self, key: &str) -> Result<usize, String> { if key.is_empty() { return Err("empty".into()); } tokio::task::yield_now().await; Ok(key.len()) } }
#[async_trait::async_trait(?Send)]
trait Local { async fn run(self: Box<Self>) -> u32; }
struct Task(std::rc::Rc<u32>);
#[async_trait::async_trait(?Send)]
impl Local for Task { #[instrument_me] async fn run(self: Box<Self>) -> u32 { *self.0 } }
#[tokio::main]
async fn main() { let store: Box<dyn Store + Sync> = Box::new(Memory); assert_eq!(store.get("abc").await, Ok(3)); assert_eq!(store.get("").await, Err("empty".into())); assert_eq!(Memory.twice("ab").await, Ok(4)); assert_eq!(Box::new(Task(std::rc::Rc::new(1))).run().await, 1); }
