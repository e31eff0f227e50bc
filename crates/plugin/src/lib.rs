//! The go-plugin face: handshake, gRPC services, wire types to driver types.
//!
//! Nomad's agent starts the program, reads one line from its standard output and talks gRPC over the socket named there. Each of the
//! driver's calls is one function of [`driver`]; what blocks runs on threads beside the one that serves.
//!
//! # Does not
//! know what a driver does with a task, nor ever end a task because the plugin ends.
#![forbid(unsafe_code)]

mod base;
mod config;
mod denials;
mod entered;
mod events;
mod failure;
mod features;
mod goplugin;
mod host;
mod lifetime;
mod line;
mod log;
mod orphans;
pub mod proto;
pub mod schema;
mod serve;
mod service;
mod socket;
mod streams;
mod task_config;
mod tasks;
mod told;
mod usage;
mod wire;

pub use failure::recoverable;
pub use host::started_by_nomad;
pub use serve::{NotServed, serve};
pub use task_config::{NotATask, task_config};
