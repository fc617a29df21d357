// #[rollbar_report("users", level = "warning", fingerprint = "load-user", title = format_args!("user {id}"), custom(tenant = self.tenant, next = id + 1), capture(id, filter))]
// fn load(&self, id: u64, filter: Filter) -> Result<User, Error> { self.find(id, filter) }

impl Service {
    fn load(&self, id: u64, filter: Filter) -> Result<User, Error> {
        ::rollbar_runtime::__private::probe::<Result<User, Error>>()
            .shape()
            .pick()
            .begin_entry(
                ::rollbar_runtime::__private::entry("load")
                    .warning()
                    .with(|report| {
                        report.context("users");
                        report.fingerprint(&"load-user");
                        report.title(&format_args!("user {id}"));
                        report.custom("tenant", &self.tenant);
                        report.custom("next", &(id + 1));
                        report.local("id", &id);
                        report.local("filter", &filter);
                    }),
            )
            .call(|| -> Result<User, Error> { self.find(id, filter) })
    }
}
