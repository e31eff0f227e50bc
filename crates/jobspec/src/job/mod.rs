//! The author's intentions, with positions in the file.

mod lifecycle;
mod logs;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

pub use crate::constraint::Constraint;
use crate::diagnostic::Diagnostic;
pub use artifact::{Artifact, ArtifactMode};
pub use lifecycle::{Hook, Lifecycle};
pub use logs::Logs;
pub use network::*;
pub use template::{Change, ChangeScript, Template, TemplateText, Wait};

mod artifact;
mod network;
mod template;

/// Bytes of the file that a value or block was written in.
pub type Span = Range<usize>;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// The label of the `job` block.
    pub id: String,
    /// `name`, else the id.
    pub name: String,
    /// `type`.
    pub kind: JobType,
    /// `region`, default `global`.
    pub region: String,
    /// `namespace`, default `default`.
    pub namespace: String,
    /// `datacenters`, default `["*"]`.
    pub datacenters: Vec<String>,
    /// Where `datacenters` was written.
    #[serde(skip)]
    pub datacenters_span: Option<Span>,
    /// Where `region` was written.
    #[serde(skip)]
    pub region_span: Option<Span>,
    /// `node_pool`; `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<Spanned<String>>,
    /// What the job asks of the node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Merged downwards: a task's own meta wins.
    pub meta: BTreeMap<String, String>,
    /// In the order of the file.
    pub groups: Vec<Group>,
    /// What the file says and means nothing on one machine, each with what happens instead.
    #[serde(skip)]
    pub warnings: Vec<Diagnostic>,
}

/// Nomad's job types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum JobType {
    Service,
    Batch,
    System,
    Sysbatch,
}

impl JobType {
    /// As it is written in a job file.
    pub fn name(self) -> &'static str {
        match self {
            JobType::Service => "service",
            JobType::Batch => "batch",
            JobType::System => "system",
            JobType::Sysbatch => "sysbatch",
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its label.
    pub name: String,
    /// Where it is.
    pub span: Span,
    /// What the group asks of the node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// `network`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// `count`: how many allocations there are of it, default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub count: u32,
    /// `shutdown_delay`: how long its tasks go on when it is stopped, default none.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub shutdown_delay: Duration,
    /// `max_run_duration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_run_duration: Option<Duration>,
    /// In the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// In the order of the file.
    pub tasks: Vec<Task>,
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

/// A `volume` that a group asks for, of type `host`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Volume {
    /// Its label.
    pub name: Spanned<String>,
    /// The name that the node knows it by.
    pub source: Spanned<String>,
    /// `per_alloc`: that name is followed by the allocation's index.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub per_alloc: bool,
    /// `read_only`, or an access mode that says so.
    pub read_only: bool,
}

impl Volume {
    /// The name that the node knows an allocation's volume by.
    pub fn source_of(&self, index: u32) -> String {
        let source = &self.source.value;
        if self.per_alloc {
            format!("{source}[{index}]")
        } else {
            source.clone()
        }
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// Its label.
    pub name: String,
    /// Where it is.
    pub span: Span,
    /// What the task asks of the node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// `driver`.
    pub driver: Spanned<String>,
    /// `user`.
    pub user: Option<Spanned<String>>,
    /// `config {}`.
    pub config: Config,
    /// `env`.
    pub env: BTreeMap<String, String>,
    /// The names that each value of `env` refers to; a name that was written with `$${` is not one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env_references: BTreeMap<String, BTreeSet<String>>,
    /// Meta of job, group and task merged.
    pub meta: BTreeMap<String, String>,
    /// In the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// In the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// In the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// `resources`.
    pub resources: Resources,
    /// `restart` of group and task merged, with the job type's defaults.
    pub restart: Restart,
    /// `kill_signal`.
    pub kill_signal: Option<Spanned<String>>,
    /// `kill_timeout`, default 5 s.
    pub kill_timeout: Duration,
    /// `shutdown_delay`: how long it goes on before it is sent its signal, default none.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub shutdown_delay: Duration,
    /// `leader`: its end is the end of its group.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leader: bool,
    /// `lifecycle`; none: a main task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// `logs`.
    #[serde(skip_serializing_if = "Logs::is_default")]
    pub logs: Logs,
}

/// A `volume_mount`: where a task sees a volume of its group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VolumeMount {
    /// Where the block is.
    pub span: Span,
    /// The label of the group's volume.
    pub volume: Spanned<String>,
    /// The path inside the task.
    pub destination: Spanned<String>,
    /// `read_only`.
    pub read_only: bool,
    /// `propagation_mode`: `private`, `host-to-task` or `bidirectional`.
    pub propagation_mode: String,
    /// `selinux_label`.
    pub selinux_label: String,
}

/// The `config {}` block: names, values and their places. What is allowed in it is the driver's business.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Config {
    /// Where the block is.
    pub span: Span,
    /// Its attributes.
    pub attributes: BTreeMap<String, Attribute>,
}

/// One attribute of `config {}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribute {
    /// Where its name is.
    pub name_span: Span,
    /// Where its value is.
    pub value_span: Span,
    /// The value, which may hold templates for [`evaluate`](crate::evaluate).
    pub value: Value,
    /// Where the templates of the value were written, in the order in which they are met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
}

/// Where a text was written, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Its place.
    pub span: Span,
    /// What stands there.
    pub text: String,
}

/// An evaluated HCL value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "HCL's types")]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// `resources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// MHz, default 100; 0 with `cores`.
    pub cpu: u64,
    /// Whole cores for this task alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<Spanned<u64>>,
    /// MB, default 300.
    pub memory: u64,
    /// MB; 0: none, -1: unlimited.
    pub memory_max: i64,
}

/// `restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub struct Restart {
    pub attempts: u32,
    pub interval: Duration,
    pub delay: Duration,
    pub mode: RestartMode,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub render_templates: bool,
}

/// What happens when the attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum RestartMode {
    Fail,
    Delay,
}
