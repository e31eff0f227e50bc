//! A description in kernel words in, a running process out.
//!
//! Describe ([`Spec`]), prepare ([`prepare`]), do ([`launch`]): whatever can fail with a good message fails in `prepare`, before
//! anything is cloned; between clone and exec only a flat list of steps is carried out.
//!
//! # Does not
//! know why a restriction is wanted: there are no defaults and no policy here, and no word of the layers above.

pub mod landlock;
pub mod spec;

pub use spec::Spec;
