// #[xray_capture("load-user")]
// #[rollbar_report]
// async fn load(id: u64) -> Result<User, Error> { find(id).await }

async fn load(id: u64) -> Result<User, Error> {
    ::xray_runtime::__private::probe::<Result<User, Error>>()
        .shape()
        .pick()
        .future(
            "load-user",
            ::rollbar_runtime::__private::probe::<Result<User, Error>>()
                .shape()
                .pick()
                .future(
                    "load",
                    async move {
                        if false {
                            return ::xray_runtime::__private::never::<
                                Result<User, Error>,
                            >();
                        }
                        find(id).await
                    },
                ),
        )
        .await
}
