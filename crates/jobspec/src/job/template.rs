//! `template`: a file that is made for a task.

use std::time::Duration;

use serde::Serialize;

use super::{Span, Spanned};

/// A `template`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    /// Where the block is.
    pub span: Span,
    /// The text, or where it is.
    pub from: TemplateText,
    /// The path of the file, as it was written.
    pub destination: Spanned<String>,
    /// What happens when a later rendering differs.
    pub change: Change,
    /// The longest that a change waits, so that many tasks do not act at once.
    pub splay: Duration,
    /// `once`: rendered at the start and never again.
    pub once: bool,
    /// The permission bits of the file.
    pub perms: u32,
    /// Its owner, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its group, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// What opens an action.
    pub left_delimiter: String,
    /// What closes one.
    pub right_delimiter: String,
    /// `env`: the file's lines are variables of the task's environment.
    pub env: bool,
    /// A key that is missing is an error, not `<no value>`.
    pub error_on_missing_key: bool,
    /// How long a change may settle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
}

/// Where a template's text comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TemplateText {
    /// `data`.
    Data {
        /// The text.
        text: Spanned<String>,
        /// The place of each of its lines, where the file holds them as they are.
        #[serde(skip)]
        lines: Vec<Span>,
    },
    /// `source`: a path below the task's directory.
    Source(Spanned<String>),
}

/// `change_mode` and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum Change {
    Noop,
    Restart,
    Signal(Spanned<String>),
    Script(ChangeScript),
}

/// `change_script`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeScript {
    /// What is run in the task.
    pub command: Spanned<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The longest that it may take.
    pub timeout: Duration,
    /// Whether the task is killed when it fails.
    pub fail_on_error: bool,
    /// Whether it is run after the first rendering too.
    pub run_on_first_render: bool,
}

/// `wait`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub struct Wait {
    pub min: Duration,
    pub max: Duration,
}
