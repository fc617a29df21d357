// #[xray_capture]
// #[rollbar_report(level = "critical")]
// async fn serve(name: String) -> ! { loop { turn(&name).await; } }

async fn serve(name: String) -> ! {
    match ::xray_runtime::__private::quiet()
        .future(
            "serve",
            ::rollbar_runtime::__private::quiet()
                .future_entry(
                    ::rollbar_runtime::__private::entry("serve").critical(),
                    async move {
                        if false {
                            return ::xray_runtime::__private::never::<
                                ::xray_runtime::__private::Never,
                            >();
                        }
                        loop {
                            turn(&name).await;
                        }
                    },
                ),
        )
        .await
    {}
}
