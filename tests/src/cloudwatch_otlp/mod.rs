//! The families of `vectors/cloudwatch-otlp`: arrays of cases with keys of their own.

pub(crate) mod sigv4;
