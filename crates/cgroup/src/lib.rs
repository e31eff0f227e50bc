//! A cgroup as a value: v2, v1 and hybrid hosts behind one type.
//!
//! # Terminology
//! The words of `Documentation/admin-guide/cgroup-v2.rst`: controller, interface file, leaf. A *hybrid* host has
//! its controllers on v1 hierarchies and a v2 hierarchy without controllers beside them; that one still has
//! `cgroup.kill` and `cgroup.events`.
//!
//! # Does not
//! know who uses it: no word of what runs inside, where limits come from or why.

mod error;
mod host;
mod limits;
mod paths;
mod stats;
mod tree;

pub use error::Error;
pub use host::{Controller, Host, Version};
pub use limits::{Bound, Limits, Quota, Refusal};
pub use paths::Paths;
pub use stats::{Cpu, Memory, Stats};
pub use tree::{Cgroup, Entry};
