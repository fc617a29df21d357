// #[xray_capture]
// #[rollbar_report]
// fn last<'a>(mut at: &'a mut Node, n: u8) -> Result<&'a mut Node, E> { while let Some(next) = at.next() { at = next; } Ok(at) }

fn last<'a>(mut at: &'a mut Node, n: u8) -> Result<&'a mut Node, E> {
    ::xray_runtime::__private::probe::<Result<&'a mut Node, E>>()
        .shape()
        .pick()
        .begin("last")
        .call(|| -> Result<&'a mut Node, E> {
            ::rollbar_runtime::__private::probe::<Result<&'a mut Node, E>>()
                .shape()
                .pick()
                .begin("last")
                .call(|| -> Result<&'a mut Node, E> {
                    if false {
                        let _owned = at;
                        return ::xray_runtime::__private::never();
                    }
                    while let Some(next) = at.next() {
                        at = next;
                    }
                    Ok(at)
                })
        })
}
