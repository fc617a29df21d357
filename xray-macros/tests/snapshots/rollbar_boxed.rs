// #[rollbar_report(capture(n), when = is_fatal, crate = my::rollbar)]
// fn call<'a>(&'a self, n: u64) -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> { Box::pin(async move { self.get(n).await }) }

impl Service {
    fn call<'a>(
        &'a self,
        n: u64,
    ) -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> {
        my::rollbar::__private::probe::<
            Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>>,
        >()
            .shape()
            .pick()
            .when(is_fatal)
            .begin_entry(
                my::rollbar::__private::entry("call")
                    .with(|report| {
                        report.local("n", &n);
                    }),
            )
            .call(|| -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> {
                Box::pin(async move { self.get(n).await })
            })
    }
}
