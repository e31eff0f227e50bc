//! Commands around tasks that run, and tasks that are made of a command line, as their users have them: real ones.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[path = "commands/adhoc.rs"]
mod adhoc;
#[path = "commands/gc.rs"]
mod gc;
#[path = "commands/world.rs"]
mod world;
