// #[xray_capture("notifications-activities")]
// async fn notifications(a: u64, b: &str) -> Result<u64, E> { if a > 3 { return Err(E(a)); } Ok(a) }

async fn notifications(a: u64, b: &str) -> Result<u64, E> {
    ::xray_runtime::__private::probe::<Result<u64, E>>()
        .shape()
        .pick()
        .future(
            "notifications-activities",
            async move {
                if false {
                    return ::xray_runtime::__private::never::<Result<u64, E>>();
                }
                if a > 3 {
                    return Err(E(a));
                }
                Ok(a)
            },
        )
        .await
}
