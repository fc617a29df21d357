// #[xray_capture(segment, error = "throttle")]
// fn main() -> ExitCode { #![allow(dead_code)] run() }

fn main() -> ExitCode {
    #![allow(dead_code)]
    ::xray_runtime::__private::probe::<ExitCode>()
        .shape()
        .pick()
        .begin_entry(::xray_runtime::__private::segment("main").as_throttle())
        .call(|| -> ExitCode { run() })
}
