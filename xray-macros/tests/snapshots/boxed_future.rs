// #[xray_capture(annotations(n), crate = my::tracing::xray)]
// fn call<'a>(&'a self, n: u64) -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> { Box::pin(async move { self.get(n).await }) }

impl Service {
    fn call<'a>(
        &'a self,
        n: u64,
    ) -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> {
        my::tracing::xray::__private::probe::<
            Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>>,
        >()
            .shape()
            .pick()
            .begin_entry(
                my::tracing::xray::__private::entry("call")
                    .with(|entity| {
                        entity.put_annotation("n", &n);
                    }),
            )
            .call(|| -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> {
                Box::pin(async move { self.get(n).await })
            })
    }
}
