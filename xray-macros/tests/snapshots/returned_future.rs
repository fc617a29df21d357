// #[xray_capture]
// fn ready(n: u64) -> impl Future<Output = Result<u64, E>> + Send + 'static { async move { Ok(n) } }

fn ready(n: u64) -> impl Future<Output = Result<u64, E>> + Send + 'static {
    ::xray_runtime::__private::probe::<Result<u64, E>>()
        .shape()
        .pick()
        .returned("ready", || { async move { Ok(n) } })
}
