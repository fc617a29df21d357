// #[xray_capture(name = format!("job {id}"))]
// async fn run(id: u64) { work(id).await; }

async fn run(id: u64) {
    ::xray_runtime::__private::quiet()
        .future_entry(
            ::xray_runtime::__private::entry(format!("job {id}")),
            async move {
                if false {
                    return;
                }
                work(id).await;
            },
        )
        .await
}
