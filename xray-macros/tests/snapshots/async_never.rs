// #[xray_capture]
// async fn serve(self: Arc<Self>) -> ! { loop { self.turn().await; } }

impl Service {
    async fn serve(self: Arc<Self>) -> ! {
        match ::xray_runtime::__private::quiet()
            .future(
                "serve",
                async move {
                    if false {
                        return ::xray_runtime::__private::never::<
                            ::xray_runtime::__private::Never,
                        >();
                    }
                    loop {
                        self.turn().await;
                    }
                },
            )
            .await
        {}
    }
}
