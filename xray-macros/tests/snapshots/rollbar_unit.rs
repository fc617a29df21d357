// #[rollbar_report(name = format!("job {id}"), level = "critical")]
// async fn run(id: u64) { work(id).await; }

async fn run(id: u64) {
    ::rollbar_runtime::__private::quiet()
        .future_entry(
            ::rollbar_runtime::__private::entry("run")
                .critical()
                .with(|report| {
                    report.context(format!("job {id}"));
                }),
            async move {
                if false {
                    return;
                }
                work(id).await;
            },
        )
        .await
}
