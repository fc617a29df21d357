// #[rollbar_report]
// fn add(a: u32, b: u32) -> u32 { a + b }

fn add(a: u32, b: u32) -> u32 {
    let _guard = ::rollbar_runtime::__private::enter("add");
    a + b
}
