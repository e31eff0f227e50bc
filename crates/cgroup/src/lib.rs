//! A cgroup as a value: v2, v1 and hybrid hosts behind one type.
//!
//! # Terminology
//! The words of `Documentation/admin-guide/cgroup-v2.rst`: controller, interface file, leaf. A *hybrid* host has
//! its controllers on v1 hierarchies and a v2 hierarchy without controllers beside them; that one still has
//! `cgroup.kill` and `cgroup.events`. One cgroup is then several directories, one in each hierarchy: [`Paths`].
//!
//! # Order of things
//! [`Host::detect`] once, [`Host::given`] or [`Host::standalone`] for the directories of one cgroup, then
//! [`Cgroup::create`], [`Cgroup::apply`], [`Cgroup::entry`] for the process to be, [`Cgroup::stats`] while it runs,
//! [`Cgroup::empty`] and [`Cgroup::remove`] at its end. Each step needs only the [`Paths`], so any process can do it.
//!
//! # Does not
//! know who uses it: no word of what runs inside, where limits come from or why.
#![forbid(unsafe_code)]

mod apply;
mod create;
mod error;
mod file;
mod host;
mod kill;
mod layout;
mod limits;
mod mountinfo;
mod paths;
mod procs;
mod stats;
mod subsystems;
mod tree;

pub use error::Error;
pub use host::{Controller, Host, Version};
pub use limits::{Bound, Limits, Quota, Refusal};
pub use paths::Paths;
pub use stats::{Cpu, Memory, Stats};
pub use subsystems::{Subsystem, subsystems};
pub use tree::{Cgroup, Entry};
