//! The driver `exec`: a root of its own, made of mounts.
pub(crate) mod candidates;
mod config;
mod environment;
mod lower;
mod operator;
pub(crate) mod placed;
mod root;
pub(crate) mod shared;

pub use config::Config;
pub(crate) use lower::lower;
pub use operator::Operator;
