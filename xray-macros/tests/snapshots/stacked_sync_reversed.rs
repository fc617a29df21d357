// #[rollbar_report(capture(id))]
// #[xray_capture(annotations(id))]
// fn load(id: &str) -> Answer<u32> { Ok(id.parse()?) }

fn load(id: &str) -> Answer<u32> {
    ::xray_runtime::__private::probe::<Answer<u32>>()
        .shape()
        .pick()
        .begin_entry(
            ::xray_runtime::__private::entry("load")
                .with(|entity| {
                    entity.put_annotation("id", &id);
                }),
        )
        .call(|| -> Answer<u32> {
            ::rollbar_runtime::__private::probe::<Answer<u32>>()
                .shape()
                .pick()
                .begin_entry(
                    ::rollbar_runtime::__private::entry("load")
                        .with(|report| {
                            report.local("id", &id);
                        }),
                )
                .call(|| -> Answer<u32> { Ok(id.parse()?) })
        })
}
