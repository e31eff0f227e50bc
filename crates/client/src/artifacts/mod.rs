//! `artifact` blocks: something is fetched, checked, unpacked and put where the task finds it.
//!
//! ```text
//! this process ── order, on a pipe ──► launcher: root, one thread, empty environment
//!      ▲                                  │ describes, prepares, launches
//!      │ report, in the staging           ▼
//!      └───────────────────────────── fetcher: nobody, a root of its own, no links, no devices, no children
//!                                         │ writes to the staging alone
//! place: root, on descriptors, follows no link: staging ──► task directory
//! ```
//!
//! The fetcher is the only one that talks to a server and the only one that reads an archive; whatever it is made to do,
//! it has a directory full of files to show for it and nothing else. The launcher is there because a process is launched
//! by one that has one thread. When this process is killed, the launcher's pipe closes and it takes the fetcher with it.
mod confine;
mod error;
mod fetcher;
mod heard;
mod hook;
mod launcher;
mod order;
mod place;
mod resolve;
mod roles;
#[cfg(test)]
mod server;
mod session;
mod url;

pub use error::Failure;
#[doc(hidden)]
pub use fetcher::try_unpacking;
pub(crate) use hook::{Artifacts, mistakes};
pub use order::{ARCHIVES, Archive, Holds, Limits, Packed};
pub use roles::role;
