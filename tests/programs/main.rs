//! Programs as Debian packages them, run as jobs: what they ask of a sandbox nobody has to think of first.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod redis;
