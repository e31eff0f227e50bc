//! What every suite shares: what a test needs, a fresh world, the binaries, the state of the host.
//!
//! Each function gives up with a panic that says what it wanted: it runs in tests only.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test's support reports by panicking"
)]

pub mod apart;
pub mod binaries;
pub mod driven;
pub mod faces;
pub mod host;
pub mod job;
pub mod run;
pub mod stage;
pub mod world;

pub use apart::Apart;
pub use driven::{Driven, Live};
pub use faces::{JobFile, Site};
pub use host::HostState;
pub use job::Job;
pub use need::{self, Need};
pub use run::{Outcome, Running};
pub use world::World;
