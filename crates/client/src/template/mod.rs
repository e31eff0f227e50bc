//! `template` blocks: text to a file of the task, once before it starts and again whenever what it reads changes.
//!
//! ```text
//! check: text ─► tree (every name known, every call one that this machine can answer)     before anything is made
//! render: tree, environment, files of the task ─► bytes ─► the file, by descriptors only   before the task starts
//! watch: a file that was read is not as it was ─► render ─► another text ─► change_mode    while it runs
//! ```

mod blocks;
#[cfg(test)]
mod bounds;
mod env_file;
mod files;
mod functions;
mod go;
mod hook;
mod mistakes;
mod render;
#[cfg(test)]
mod tests;
mod watch;

pub use functions::Surroundings;
pub(crate) use hook::Templates;
pub(crate) use mistakes::mistakes;
pub use render::{Form, Trouble, check, render};
