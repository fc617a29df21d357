//! The corpus of function shapes (`tests/corpus/pass`), compiled and run as one test each, in this crate's edition. Both
//! editions, the lints, and the few cases with attributes of a whole crate or with inner modules are the part of
//! `tests/corpus/run`.
// The cases are written as strangers write: the lints of this workspace are not for them.
#![allow(warnings, unsafe_code)]

macro_rules! cases {
    ($($case:ident)*) => {$(
        mod $case {
            use xray_runtime::xray_capture as instrument_me;

            include!(concat!("../../tests/corpus/pass/", stringify!($case), ".rs"));

            #[test]
            fn runs() {
                main();
            }
        }
    )*};
}

cases! {
    anyhow_result
    async_basic
    async_elided_lifetimes
    async_generics_where
    async_impl_trait_arg
    async_self
    borrow_shapes
    cancel_select
    cfg_attrs
    const_generics
    diverging_tail
    drop_order
    early_return
    error_types
    extern_c_fn
    fn_pointer_coercion
    gat_assoc
    impl_drop
    inference_async
    inference_sync
    lazy_async
    macro_generated
    methods_no_debug_self
    mut_args
    never_async
    patterns_args
    recursive_async
    return_in_closures
    returned_futures
    send_futures
    smart_self
    sync_generic_no_debug
    sync_impl_trait_arg
    sync_impl_trait_ret_early
    sync_unit
    track_caller
    trait_default_method
    trait_impl_method
    unsafe_async_fn
}
