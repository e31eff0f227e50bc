//! What runs on this machine, seen from beside: for whoever wants to look at a task of another `encamp run`, enter it,
//! signal it or stop it.
//!
//! A run's own directory says all of it, and only root enters there: its lock tells that the run lives, `alloc.json` and
//! the handles (`state`) what there is to know, and the socket `control` takes what only the run itself can do.
mod control;
mod list;
mod logs;
mod target;

pub(crate) use control::Control;
pub use control::{Delay, StopError, StopRequest};
pub use list::{ListError, Seen, list};
pub(crate) use logs::await_readers;
pub use logs::{LogError, Stream, Tail};
pub use target::{TargetError, find};
