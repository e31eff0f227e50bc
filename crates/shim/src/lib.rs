//! The small process that stays with a task and outlives whoever started it.
//!
//! This library is the side that starts one and talks to it; the process itself is the image embedded in this crate (feature `image`, which
//! only the nested build of `build.rs` sets).
//!
//! # Does not
//! know jobs or drivers: it is handed a description of a process and keeps its end.
#![deny(unsafe_code)]

#[doc(hidden)]
pub mod identity;
#[doc(hidden)]
pub mod orders;
#[doc(hidden)]
pub mod protocol;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod sys;

#[cfg(not(feature = "image"))]
mod connection;
#[cfg(not(feature = "image"))]
mod embedded;
#[cfg(not(feature = "image"))]
mod error;
#[cfg(not(feature = "image"))]
mod spawn;
#[cfg(not(feature = "image"))]
mod words;

#[cfg(not(feature = "image"))]
pub use connection::{Entered, Shim, Waiting, attach, forget};
#[cfg(not(feature = "image"))]
pub use error::{Error, SpawnError};
#[cfg(not(feature = "image"))]
pub use spawn::{Spawned, spawn};
#[cfg(not(feature = "image"))]
pub use words::{End, Enter, ExitStatus, Found, Launch, Lifetime, Running, Streams};
