//! The life of an allocation: one thread that decides which of its tasks may run, and one for each task.
//!
//! ```text
//!              signals                      states                    driver
//! the run ───────────────► allocation ◄────────────── task (one each) ────────► shim ─► task
//!                               └──────────────────────►  start, kill
//! ```
//! [`lifecycle`] holds the decisions, [`allocation`] carries them out, [`task`] starts and restarts one task,
//! with its [`hook`]s, [`attend`] watches and ends it, and [`chronicle`] tells and writes down what happens.
pub(crate) mod allocation;
mod asked;
mod attend;
pub(crate) mod chronicle;
pub(crate) mod hook;
pub(crate) mod lifecycle;
pub(crate) mod order;
#[cfg(test)]
mod scripted;
pub(crate) mod task;
#[cfg(test)]
mod tests;
