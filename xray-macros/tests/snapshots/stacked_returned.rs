// #[xray_capture(annotations(n))]
// #[rollbar_report(capture(n))]
// fn ready(n: u64) -> impl Future<Output = Result<u64, E>> + Send { async move { Ok(n) } }

fn ready(n: u64) -> impl Future<Output = Result<u64, E>> + Send {
    ::xray_runtime::__private::probe::<Result<u64, E>>()
        .shape()
        .pick()
        .returned_entry(
            ::xray_runtime::__private::entry("ready")
                .with(|entity| {
                    entity.put_annotation("n", &n);
                }),
            || {
                ::rollbar_runtime::__private::probe::<Result<u64, E>>()
                    .shape()
                    .pick()
                    .returned_entry(
                        ::rollbar_runtime::__private::entry("ready")
                            .with(|report| {
                                report.local("n", &n);
                            }),
                        || { async move { Ok(n) } },
                    )
            },
        )
}
