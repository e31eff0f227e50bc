//! The kernel's audit system as far as Landlock speaks through it: whether it is on, switching it on for a while, and reading along.
//!
//! Since ABI 7 a denied access of a domain that asks for it ([`crate::spec::Landlock::logged`]) becomes an audit record. Readers join a multicast
//! group and take nothing from anybody: whoever is the host's audit daemon stays that, and nobody here ever becomes it.
//!
//! # Terminology
//! A *domain* is known by a number that only audit records have. The first record of a domain's denials comes with one that says which process
//! made it. A *record* is one message of the kernel's; its text is the kernel's, the names in it are whoever's who was denied.
//!
//! # References
//! `Documentation/admin-guide/LSM/landlock.rst`, `linux/audit.h`.
mod listener;
mod netlink;
mod record;
mod rule;
mod status;
mod switch;

pub use listener::{Heard, Listener, knock};
pub use record::{Access, Object, Record, parse};
pub use status::{Status, status};
pub use switch::{Left, Outlook, Switch, is_marked, outlook, sweep};

/// Why nothing can be heard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message to the kernel, or its answer.
    #[error("{act}")]
    Call {
        /// What was attempted.
        act: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The kernel's Landlock is older than its records.
    #[error("Landlock says what it denies since ABI 7 (Linux 6.15); this kernel has {abi}")]
    Abi {
        /// The kernel's; 0: none.
        abi: u32,
    },
    /// A lost record would stop the machine, and whoever is denied much can make the kernel lose some.
    #[error("the kernel's audit stops the machine when it loses a record (auditctl -f 2)")]
    Panics,
    /// It is off although it has rules: somebody wants it off.
    #[error("the kernel's audit has rules and is off (auditctl -e 0)")]
    OffOnPurpose,
    /// It is off and shall stay so.
    #[error("the kernel's audit is off")]
    Off,
}

impl Error {
    fn call(act: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Call { act, source }
    }
}
