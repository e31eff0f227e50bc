//! What a task has fetched before it starts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Span, Spanned};

/// An `artifact`: something to fetch before the task starts. Its texts may hold `${…}` of the task's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Where the block is.
    pub span: Span,
    /// `source`: a URL.
    pub source: Spanned<String>,
    /// `destination`, default `local/`, and `local/<last element of source>` in mode `file`.
    pub destination: Spanned<String>,
    /// `mode`.
    pub mode: ArtifactMode,
    /// `options`: they become parameters of the URL.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// `headers` of the request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// `insecure`: the server may be anybody.
    pub insecure: bool,
    /// `chown`: the task's user gets what was fetched.
    pub chown: bool,
}

/// What `destination` is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactMode {
    /// A directory, in which a file keeps its name and an archive is unpacked.
    Any,
    /// The file itself.
    File,
    /// A directory.
    Dir,
}
