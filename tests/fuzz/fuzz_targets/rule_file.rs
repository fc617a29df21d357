//! Any document of sampling rules is refused with a reason, or decides about any request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xray_runtime::{LocalSampler, SamplingRequest};

fuzz_target!(|document: &str| {
    match LocalSampler::from_json(document) {
        Ok(sampler) => {
            // The document is hostile enough to be the request as well.
            let request = SamplingRequest::new().with_host(document).with_url_path(document);
            // No share of requests reaches the number 1, so what is recorded now is of the reservoir.
            let first = sampler.decide_at(&request, 1.0, || 1.0);
            let strict = sampler.strict_matching(true).decide_at(&request, 2.0, || 1.0);
            // Whatever matches an absent field strictly matches it otherwise too, so no earlier rule is left out.
            assert!(strict.rule.is_none() || first.rule.is_some_and(|first| Some(first) <= strict.rule));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
