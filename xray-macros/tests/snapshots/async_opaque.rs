// #[xray_capture]
// async fn words(text: String) -> impl Iterator<Item = String> { split(text) }

async fn words(text: String) -> impl Iterator<Item = String> {
    ::xray_runtime::__private::quiet().future("words", async move { split(text) }).await
}
