// #[xray_capture]
// async fn store(first: String, _second: Guard, third: Vec<u8>, n: u8) -> Result<impl Display, Error> { put(first, third).await }

async fn store(
    first: String,
    _second: Guard,
    third: Vec<u8>,
    n: u8,
) -> Result<impl Display, Error> {
    ::xray_runtime::__private::probe::<Result<_, Error>>()
        .shape()
        .pick()
        .future(
            "store",
            async move {
                #[allow(clippy::used_underscore_binding)]
                if false {
                    _ = &third;
                    _ = &_second;
                    _ = &first;
                    return ::xray_runtime::__private::never::<Result<_, Error>>();
                }
                put(first, third).await
            },
        )
        .await
}
