//! Nomad's task drivers `exec` and `exec2` as functions.
//!
//! The one crate that knows both vocabularies: [`TaskConfig`] in Nomad's words comes in, `sandbox::Spec` in the kernel's goes
//! out. Both faces, plugin and command line, meet here, so each default exists once.
//!
//! A [`Driver`] is made from the operator's configuration; it is asked for its [`Features`] and [`Fingerprint`], it lowers,
//! starts and recovers tasks. A [`Task`] is waited for, stopped, signalled, inspected, measured, entered and destroyed.
//!
//! # Does not
//! know where a task comes from: no HCL, no RPC, no allocation beyond its directories.

#![forbid(unsafe_code)]

mod agent_env;
mod allowed;
mod api;
mod capabilities;
mod causes;
pub mod denials;
mod device_rules;
mod devices;
mod driver;
pub mod exec;
pub mod exec2;
mod fingerprint;
mod generated;
mod given_cgroup;
mod glob;
mod handle;
mod hosts;
mod ids;
mod limits;
mod lookup;
mod lower;
mod network;
mod nodes;
pub mod options;
mod orphans;
mod processes;
mod recover;
mod remembered;
mod resolver;
mod result;
pub mod seccomp;
mod session;
pub mod signals;
mod start;
mod state_dir;
mod stats;
mod task;
pub mod task_config;
mod transient;
pub mod users;
mod warnings;

pub use allowed::Allowed;
pub use api::*;
pub use causes::{causes, in_one_line};
pub use glob::glob;
pub use sandbox::{Enforced, Enforcement, Feature};
pub use shim::Streams;
pub use task::Awaited;
pub use task_config::TaskConfig;
pub use warnings::{Asker, Warning};
