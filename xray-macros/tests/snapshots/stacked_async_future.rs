// #[rollbar_report]
// #[xray_capture]
// async fn start(n: u8) -> JoinHandle<u8> { #![allow(dead_code)] spawn(async move { n }) }

async fn start(n: u8) -> JoinHandle<u8> {
    #![allow(dead_code)]
    #[allow(clippy::async_yields_async)]
    return ::xray_runtime::__private::probe::<JoinHandle<u8>>()
        .shape()
        .pick()
        .future(
            "start",
            ::rollbar_runtime::__private::probe::<JoinHandle<u8>>()
                .shape()
                .pick()
                .future(
                    "start",
                    async move {
                        if false {
                            return ::rollbar_runtime::__private::never::<
                                JoinHandle<u8>,
                            >();
                        }
                        spawn(async move { n })
                    },
                ),
        )
        .await;
}
