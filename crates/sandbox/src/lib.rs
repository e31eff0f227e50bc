//! A description in kernel words in, a running process out.
//!
//! Describe ([`Spec`]), prepare ([`prepare()`]), do ([`launch()`]): whatever can fail with a good message fails in `prepare`, before
//! anything is cloned; between clone and exec only a flat list of steps is carried out.
//!
//! # Does not
//! know why a restriction is wanted: there are no defaults and no policy here, and no word of the layers above.
#![deny(unsafe_code)]

pub mod audit;
pub mod block;
mod child;
mod dev;
mod enforcement;
mod error;
mod executable;
mod file;
pub mod init;
pub mod landlock;
mod launch;
mod layer;
mod loopback;
mod mountinfo;
mod mounts;
pub mod network;
mod node;
mod order;
mod prepare;
mod program;
pub mod required;
pub mod seccomp;
pub mod spec;
mod stdio;
pub mod step;
pub mod sys;
mod syscalls;
pub mod terminal;
mod view;

pub use enforcement::{Enforced, Enforcement, Feature};
pub use error::Error;
pub use executable::explain;
pub use launch::{
    End, Entering, Failure, Process, enter, executed, kill_group, launch, namespaces, reap,
};
pub use prepare::prepare;
pub use program::{Entry, Prepared, Program};
pub use spec::Spec;
pub use step::Step;
pub use view::real;
