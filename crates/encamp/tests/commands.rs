//! Commands around tasks that run, and tasks that are made of a command line, as their users have them: real ones.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "commands/adhoc.rs"]
mod adhoc;
#[path = "commands/around.rs"]
mod around;
#[path = "commands/gc.rs"]
mod gc;
#[path = "commands/logs.rs"]
mod logs;
#[path = "commands/running.rs"]
mod running;
#[path = "commands/stop.rs"]
mod stop;
#[path = "commands/terminal.rs"]
mod terminal;
mod world;
