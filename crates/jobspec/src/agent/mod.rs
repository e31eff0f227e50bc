//! The configuration of a Nomad agent: the part of it that one machine has a use for, with places.
//!
//! Nomad reads these files with an older HCL than its job files, in which the names of a map may be quoted also where
//! the map is written as a block. `names` makes that readable; everything else is read as in job files.

mod artifact;
mod names;
mod read;
mod schema;

use std::collections::BTreeMap;
use std::time::Duration;

pub use artifact::Artifact;

use crate::codes::NOT_SUPPORTED_YET;
use crate::diagnostic::Diagnostic;
use crate::report::Report;
use crate::{Config, Span, Spanned, syntax};

/// A map as it is written in one place.
pub type Map = BTreeMap<String, String>;

/// What one file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agent {
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `data_dir`.
    pub data_dir: Option<Spanned<String>>,
    /// `plugin_dir`, which is Nomad's alone.
    pub plugin_dir: Option<Spanned<String>>,
    /// `region`.
    pub region: Option<Spanned<String>>,
    /// `datacenter`.
    pub datacenter: Option<Spanned<String>>,
    /// `client`.
    pub client: Client,
    /// `plugin`, those that were asked for.
    pub plugins: Vec<Plugin>,
    /// What Nomad reads and this machine does not: `server`, `client.servers`, `plugin "docker"`.
    pub passed: Vec<Spanned<String>>,
}

/// `client`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Client {
    /// `node_class`.
    pub node_class: Option<Spanned<String>>,
    /// `node_pool`.
    pub node_pool: Option<Spanned<String>>,
    /// `meta`.
    pub meta: Map,
    /// `options`.
    pub options: Option<Spanned<Map>>,
    /// `chroot_env`.
    pub chroot_env: Option<Spanned<Map>>,
    /// `host_volume`, in the order of the file.
    pub host_volumes: Vec<HostVolume>,
    /// `max_kill_timeout`.
    pub max_kill_timeout: Option<Spanned<Duration>>,
    /// `cgroup_parent`.
    pub parent: Option<Spanned<String>>,
    /// `users { dynamic_user_min }`.
    pub dynamic_user_min: Option<Spanned<i64>>,
    /// `users { dynamic_user_max }`.
    pub dynamic_user_max: Option<Spanned<i64>>,
    /// `reserved { cores }`.
    pub reserved_cores: Option<Spanned<String>>,
    /// `reserved { reserved_ports }`.
    pub reserved_ports: Option<Spanned<String>>,
    /// `min_dynamic_port`.
    pub min_dynamic_port: Option<Spanned<i64>>,
    /// `max_dynamic_port`.
    pub max_dynamic_port: Option<Spanned<i64>>,
    /// `network_interface`.
    pub network_interface: Option<Spanned<String>>,
    /// `artifact`.
    pub artifact: Artifact,
}

/// `host_volume "name"`.
#[derive(Debug, Clone, PartialEq)]
pub struct HostVolume {
    /// Its label.
    pub name: Spanned<String>,
    /// `path`.
    pub path: Spanned<String>,
    /// `read_only`.
    pub read_only: bool,
}

/// `plugin "name"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// Its label.
    pub name: Spanned<String>,
    /// Where the block is.
    pub span: Span,
    /// `args`.
    pub args: Option<Spanned<Vec<String>>>,
    /// `config`; empty without one.
    pub config: Config,
}

/// Parses and checks one configuration file. `file` is its name in messages; of the `plugin` blocks those are read
/// whose labels are in `plugins`.
///
/// # Errors
/// All mistakes that could be found, each with its place.
pub fn parse(file: &str, text: &str, plugins: &[&str]) -> Result<Agent, Vec<Diagnostic>> {
    json(text).map_or(Ok(()), |refused| Err(vec![refused]))?;
    let unquoted = names::unquote(text);
    let body = syntax::parse(&unquoted).map_err(|diagnostic| vec![*diagnostic])?;
    let mut report = Report::new(file, text);
    match read::agent(&body, plugins, &mut report) {
        Ok(agent) if report.is_empty() => Ok(agent),
        _ => Err(report.into_diagnostics()),
    }
}

/// Nomad takes a file for JSON by its first character.
fn json(text: &str) -> Option<Diagnostic> {
    let at = text.len() - text.trim_start().len();
    let detail = "A configuration in JSON is not read here; write it in HCL.";
    text[at..]
        .starts_with('{')
        .then(|| Diagnostic::new(NOT_SUPPORTED_YET, at..at + 1, detail))
}

/// A name as the file has it: where a quoted one was made readable, the text between its quotes.
pub(crate) fn written(name: &str, place: &Span, report: &Report<'_>) -> String {
    let quoted = report.source(place).strip_prefix('"');
    match quoted.and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => text.to_owned(),
        None => name.to_owned(),
    }
}
