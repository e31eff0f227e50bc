//! Jobs of several tasks, groups and counts, as their users run them: real tasks, seen from inside and from outside.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "jobs/ends.rs"]
mod ends;
#[path = "jobs/job.rs"]
mod job;
#[path = "jobs/logs.rs"]
mod logs;
#[path = "jobs/order.rs"]
mod order;
#[path = "jobs/several.rs"]
mod several;
mod world;
