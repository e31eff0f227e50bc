//! The language of Go's `text/template`, with bounds.
//!
//! ```text
//! text ─► token ─► parse (names of functions and variables are known here) ─► Tree ─► execute ─► bytes
//! ```
//! Every mistake has its place in the text. A template can neither run for ever nor fill the memory: what it costs is
//! counted in [`budget`].
//!
//! # Does not
//! know any function but Go's own: the others come with the [`World`] of a rendering.

mod budget;
mod builtin;
mod compare;
mod execute;
mod fault;
mod number;
mod parse;
mod parse_pipe;
mod print;
mod printf;
mod quote;
mod token;
mod tree;
mod value;

pub(crate) use budget::{Budget, MAX_ITEMS, MAX_OUTPUT};
pub(crate) use builtin::{Function, Parameter};
pub(crate) use execute::{MissingKey, World, execute};
pub(crate) use fault::Fault;
pub(crate) use number::{parse_float, shortest};
pub(crate) use parse::{Delimiters, parse};
pub(crate) use print::{Buffer, TOO_LARGE, print};
pub(crate) use tree::Tree;
pub(crate) use value::{Map, Value};
