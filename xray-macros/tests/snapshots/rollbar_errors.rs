// #[rollbar_report(level = "error", ignore(NotFound, io::Error), when = |error| error.is_fatal())]
// async fn load(id: u64) -> Result<User, Error> { find(id).await }

async fn load(id: u64) -> Result<User, Error> {
    ::rollbar_runtime::__private::probe::<Result<User, Error>>()
        .shape()
        .pick()
        .when(|error| {
            !::rollbar_runtime::__private::seen(error).is::<NotFound>()
                && !::rollbar_runtime::__private::seen(error).is::<io::Error>()
        })
        .when(|error| error.is_fatal())
        .future(
            "load",
            async move {
                if false {
                    return ::rollbar_runtime::__private::never::<Result<User, Error>>();
                }
                find(id).await
            },
        )
        .await
}
