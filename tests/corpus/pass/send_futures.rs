use std::cell::Cell;
struct Service { seen: Cell<u32> }
impl Service {
    #[instrument_me]
    async fn owned(self, n: Cell<u8>) -> u8 { tokio::task::yield_now().await; n.get() }
    #[instrument_me]
    async fn fallible(n: Cell<u8>, text: String) -> Result<u8, String> { tokio::task::yield_now().await; if text.is_empty() { return Err(text); } Ok(n.get()) }
    #[instrument_me]
    async fn generic<T: Send>(value: T) -> T { tokio::task::yield_now().await; value }
    #[instrument_me]
    async fn early(n: Cell<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> { "1".parse::<u8>()?; drop(n); Ok(()) }
}
fn send<T: Send + 'static>(future: T) -> T { future }
#[tokio::main]
async fn main() {
    let service = Service { seen: Cell::new(1) };
    assert_eq!(service.seen.get(), 1);
    assert_eq!(tokio::spawn(service.owned(Cell::new(2))).await.unwrap(), 2);
    assert_eq!(tokio::spawn(Service::fallible(Cell::new(3), "x".into())).await.unwrap(), Ok(3));
    assert_eq!(send(Service::generic(4)).await, 4);
    assert!(send(Service::early(Cell::new(5))).await.is_ok());
}
