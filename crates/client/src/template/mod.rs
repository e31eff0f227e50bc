//! The text of `template` blocks: Go's template language, with the functions of consul-template that need no cluster.

mod functions;
mod go;
mod render;

pub use functions::Surroundings;
pub use render::{Form, Trouble, check, render};
