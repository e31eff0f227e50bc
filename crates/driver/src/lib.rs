//! Nomad's task drivers `exec` and `exec2` as functions.
//!
//! The one crate that knows both vocabularies: [`TaskConfig`] in Nomad's words comes in, `sandbox::Spec` in the kernel's goes
//! out. Both faces, plugin and command line, meet here, so each default exists once.

mod api;
pub mod options;
pub mod task_config;

pub use api::*;
pub use task_config::TaskConfig;
