//! The driver `exec2`: the host's root, read-only, with a Landlock domain that opens what is unveiled.
mod config;
pub(crate) mod defaults;
mod environment;
mod layout;
mod lower;
mod mounts;
mod network_rules;
mod operator;
pub(crate) mod reach;
mod rules;
mod search;
pub(crate) mod survey;
pub mod unveil;

pub use config::Config;
pub(crate) use lower::lower;
pub use operator::Operator;
