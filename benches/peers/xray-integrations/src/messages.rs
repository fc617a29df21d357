//! A message that is handled, with and without a segment of its own.

use std::collections::HashMap;
use std::rc::Rc;

use harness::calls::Calls;
use xray_runtime::in_message_segment;

use crate::recorder::Recording;

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8";

pub(crate) fn calls(recording: Recording) -> Calls {
    // No decision comes with it: the sampler of the mode has it.
    let attributes = HashMap::from([("AWSTraceHeader", HEADER), ("SenderId", "AIDAEXAMPLE")]);
    let (plain, traced) = (Rc::clone(&recording.runtime), Rc::clone(&recording.runtime));
    recording.calls(
        move |calls| (0..calls).for_each(|n| plain.block_on(handle(n))),
        move |calls| {
            (0..calls).for_each(|n| traced.block_on(in_message_segment("orders", &attributes, handle(n))));
        },
    )
}

async fn handle(number: u64) {
    harness::trivial(number);
}
