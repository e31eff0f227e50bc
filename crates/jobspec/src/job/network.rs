//! `network`: what a group has of the network.

use std::fmt;

use serde::Serialize;

use crate::{Span, Spanned};

/// The `network` of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Where the block is.
    pub span: Span,
    /// `mode`, default `host`.
    pub mode: NetworkMode,
    /// In the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// `dns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// `hostname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Spanned<String>>,
}

/// Which network the tasks are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum NetworkMode {
    /// The node's.
    #[default]
    Host,
    /// One of the group's own, with nothing but itself in it.
    None,
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetworkMode::Host => "host",
            NetworkMode::None => "none",
        })
    }
}

/// A `port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Its label.
    pub label: Spanned<String>,
    /// `static`; `None`: the node's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_port: Option<Spanned<u16>>,
    /// `to`; -1: as the port itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Spanned<i32>>,
    /// `host_network`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_network: Option<Spanned<String>>,
    /// `ignore_collision`: somebody else may have it, too.
    pub ignore_collision: bool,
}

/// `dns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the words of resolv.conf(5)")]
pub struct Dns {
    pub servers: Vec<String>,
    pub searches: Vec<String>,
    pub options: Vec<String>,
}
