//! Stands where Nomad's client stands: directories, users, environment, cgroup, output, restarts.
//!
//! # Terminology
//! An *allocation* is one run of a job's group. The *alloc directory* (A) holds what its tasks share, the *task
//! directory* (T) below it what is one task's; an unveil task sees T at its *mounts directory* (M). The *run
//! directory* lives as long as the run and says in a journal what has to be undone should the run be killed.
//!
//! # Does not
//! parse job files or know how a task is isolated: the one is `jobspec`'s, the other the driver's. It prints nothing:
//! it tells [`Event`]s.
#![forbid(unsafe_code)]

mod alloc_dir;
mod alloc_run;
mod allocation;
pub mod artifacts;
mod attributes;
mod compute;
mod config;
mod configuration;
mod cores;
mod digits;
mod dirs;
pub mod doctor;
mod drivers;
mod duration;
mod ear;
mod environment;
mod error;
mod event;
pub mod exit;
mod feasible;
mod feed;
pub mod gc;
mod here;
mod ids;
mod interpolate;
mod journal;
mod message;
mod mounts;
mod naming;
mod network;
mod node;
mod node_status;
mod outcome;
mod output;
mod own_env;
mod place;
mod placement;
mod plan;
mod ports;
mod restart;
mod run;
mod run_dir;
mod runner;
mod running;
pub mod runs;
#[cfg(test)]
mod samples;
mod settings;
mod signals;
mod site;
mod state;
pub mod template;
#[cfg(test)]
mod testing;
mod tree;
pub mod tty;
mod users;
mod users_file;
mod volumes;

pub use allocation::{Allocation, Allotment, Member};
pub use config::values;
pub use configuration::{ConfigFile, Configuration, Misconfiguration, configure};
pub use duration::spell;
pub use error::{Error, HostError, Subject, Unavailable};
pub use event::{Because, Event, Exit, Memory, TaskEvent, Tell, Whose};
pub use feasible::warnings;
pub use feed::Input;
pub use naming::Naming;
pub use node::{HostVolume, Node};
pub use node_status::{DriverStatus, NodeStatus, node_status};
pub use output::lines::PrefixedLines;
pub use output::{Output, Prefix};
pub use plan::{Checked, check, operator_config};
pub use ports::Mapping;
pub use run::run;
pub use settings::{Constraints, Keep, Restarting, Settings, Telling};
pub use state::{AllocState, Encamp, EventRecord, TaskFacts, TaskRecord, allocations};
pub use volumes::volumes;
