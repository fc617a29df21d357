// #[xray_capture("load-user", namespace = "remote", annotations(id, len = id.len(), next = count + 1), metadata(request = request))]
// fn load(&self, id: &str, count: u64, request: &Request) -> Result<User, Error> { self.get(id) }

impl Service {
    fn load(&self, id: &str, count: u64, request: &Request) -> Result<User, Error> {
        ::xray_runtime::__private::probe::<Result<User, Error>>()
            .shape()
            .pick()
            .begin_entry(
                ::xray_runtime::__private::entry("load-user")
                    .remote()
                    .with(|entity| {
                        entity.put_annotation("id", &id);
                        entity.put_annotation("len", &id.len());
                        entity.put_annotation("next", &(count + 1));
                        entity.put_metadata("request", &request);
                    }),
            )
            .call(|| -> Result<User, Error> { self.get(id) })
    }
}
