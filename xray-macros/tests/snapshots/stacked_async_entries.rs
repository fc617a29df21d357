// #[rollbar_report(custom(trace = trace_id()))]
// #[xray_capture]
// #[xray_capture(annotations(id))]
// async fn load(id: u64) -> Result<User, Error> { find(id).await }

async fn load(id: u64) -> Result<User, Error> {
    ::xray_runtime::__private::probe::<Result<User, Error>>()
        .shape()
        .pick()
        .future_entry(
            ::xray_runtime::__private::entry("load")
                .with(|entity| {
                    entity.put_annotation("id", &id);
                }),
            ::xray_runtime::__private::probe::<Result<User, Error>>()
                .shape()
                .pick()
                .future_entry(
                    ::xray_runtime::__private::entry("load"),
                    ::rollbar_runtime::__private::probe::<Result<User, Error>>()
                        .shape()
                        .pick()
                        .future_entry(
                            ::rollbar_runtime::__private::entry("load")
                                .with(|report| {
                                    report.custom("trace", &trace_id());
                                }),
                            async move {
                                if false {
                                    return ::rollbar_runtime::__private::never::<
                                        Result<User, Error>,
                                    >();
                                }
                                find(id).await
                            },
                        ),
                ),
        )
        .await
}
