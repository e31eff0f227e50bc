//! Configuration files of an agent to the [`Node`] that they describe: later files win, maps are merged, and a plugin's
//! block replaces the one of an earlier file, as in Nomad.

mod check;
pub(crate) mod plugins;
mod ports;

use std::collections::BTreeMap;
use std::path::PathBuf;

use driver::Kind;
use jobspec::agent::{self, Agent, Client};
use jobspec::{Diagnostic, Span, Spanned};

use crate::config::{Code, diagnostic};
use crate::node::{ArtifactLimits, HostVolume, Node};

/// A configuration file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its name in messages.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A mistake in one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfiguration {
    /// Which file, counted from 0.
    pub file: usize,
    /// What is wrong in it.
    pub mistake: Diagnostic,
}

/// What the files say together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// `data_dir`.
    pub data_dir: Option<PathBuf>,
    /// The node.
    pub node: Node,
    /// What is for Nomad alone, each with its place.
    pub notes: Vec<String>,
}

/// Reads configuration files in their order.
///
/// # Errors
/// All mistakes in them; where a file cannot be read at all, only such.
pub fn configure(files: &[ConfigFile]) -> Result<Configuration, Vec<Misconfiguration>> {
    let agents = parse(files)?;
    let mut merge = Merge::of(files);
    for (file, agent) in agents.into_iter().enumerate() {
        merge.add(file, agent);
    }
    merge.finish()
}

fn parse(files: &[ConfigFile]) -> Result<Vec<Agent>, Vec<Misconfiguration>> {
    let names = plugins::names();
    let (mut agents, mut mistakes) = (Vec::new(), Vec::new());
    for (file, ConfigFile { name, text }) in files.iter().enumerate() {
        match agent::parse(name, text, &names) {
            Ok(agent) => agents.push(agent),
            Err(found) => mistakes.extend(
                found
                    .into_iter()
                    .map(|mistake| Misconfiguration { file, mistake }),
            ),
        }
    }
    if mistakes.is_empty() {
        Ok(agents)
    } else {
        Err(mistakes)
    }
}

/// A value with its file.
#[derive(Debug, Clone)]
struct Placed<T> {
    value: T,
    file: usize,
    span: Span,
}

impl<T> Placed<T> {
    fn of(file: usize, given: Spanned<T>) -> Placed<T> {
        Placed {
            value: given.value,
            file,
            span: given.span,
        }
    }
}

/// What was read so far.
struct Merge<'a> {
    files: &'a [ConfigFile],
    done: Configuration,
    mistakes: Vec<Misconfiguration>,
    chroot_env: Option<Placed<()>>,
    dynamic_user_min: Option<Placed<i64>>,
    dynamic_user_max: Option<Placed<i64>>,
    min_dynamic_port: Option<Placed<i64>>,
    max_dynamic_port: Option<Placed<i64>>,
    plugins: BTreeMap<Kind, Placed<agent::Plugin>>,
}

impl<'a> Merge<'a> {
    fn of(files: &'a [ConfigFile]) -> Merge<'a> {
        Merge {
            files,
            done: Configuration::default(),
            mistakes: Vec::new(),
            chroot_env: None,
            dynamic_user_min: None,
            dynamic_user_max: None,
            min_dynamic_port: None,
            max_dynamic_port: None,
            plugins: BTreeMap::new(),
        }
    }

    fn add(&mut self, file: usize, agent: Agent) {
        let node = &mut self.done.node;
        replace(&mut node.region, agent.region);
        replace(&mut node.datacenter, agent.datacenter);
        node.name = agent.name.map(|name| name.value).or(node.name.take());
        self.data_dir(file, agent.data_dir);
        self.client(file, agent.client);
        for plugin in agent.plugins {
            self.plugin(file, plugin);
        }
        for key in agent.passed {
            let place = self.place(file, &key.span);
            let note = format!("{place}: {} is for Nomad and means nothing here", key.value);
            self.done.notes.push(note);
        }
    }

    fn data_dir(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(path) = given else { return };
        if self.absolute(file, "data_dir", &path, "") {
            self.done.data_dir = Some(path.value.into());
        }
    }

    fn client(&mut self, file: usize, client: Client) {
        let node = &mut self.done.node;
        replace(&mut node.class, client.node_class);
        replace(&mut node.pool, client.node_pool);
        node.meta.extend(client.meta);
        node.options
            .extend(client.options.into_iter().flat_map(|options| options.value));
        if let Some(map) = client.chroot_env {
            self.chroot_env = Some(Placed {
                value: (),
                file,
                span: map.span,
            });
            node.chroot_env.extend(map.value);
        }
        if let Some(timeout) = client.max_kill_timeout {
            node.max_kill_timeout = timeout.value;
        }
        limits(&mut node.artifact, client.artifact);
        let min = client.dynamic_user_min.map(|min| Placed::of(file, min));
        let max = client.dynamic_user_max.map(|max| Placed::of(file, max));
        self.dynamic_user_min = min.or(self.dynamic_user_min.take());
        self.dynamic_user_max = max.or(self.dynamic_user_max.take());
        let min = client.min_dynamic_port.map(|min| Placed::of(file, min));
        let max = client.max_dynamic_port.map(|max| Placed::of(file, max));
        self.min_dynamic_port = min.or(self.min_dynamic_port.take());
        self.max_dynamic_port = max.or(self.max_dynamic_port.take());
        self.reserved_ports(file, client.reserved_ports);
        self.interface(file, client.network_interface);
        self.parent(file, client.parent);
        self.reserved_cores(file, client.reserved_cores);
        for volume in client.host_volumes {
            self.host_volume(file, volume);
        }
    }

    fn host_volume(&mut self, file: usize, volume: agent::HostVolume) {
        let within = format!("host_volume {:?}", volume.name.value);
        if self.absolute(file, "path", &volume.path, &within) {
            let host_volume = HostVolume {
                path: volume.path.value.into(),
                read_only: volume.read_only,
            };
            self.done
                .node
                .host_volumes
                .insert(volume.name.value, host_volume);
        }
    }

    fn finish(mut self) -> Result<Configuration, Vec<Misconfiguration>> {
        self.users();
        self.dynamic_ports();
        self.drivers();
        if self.mistakes.is_empty() {
            Ok(self.done)
        } else {
            self.mistakes
                .sort_by_key(|found| (found.file, found.mistake.span.start));
            Err(self.mistakes)
        }
    }

    fn mistake(&mut self, file: usize, span: Span, within: &str, detail: String) {
        let mut mistake = diagnostic(Code::Node, detail, span, within.to_owned());
        mistake.context = mistake.context.filter(|within| !within.is_empty());
        self.mistakes.push(Misconfiguration { file, mistake });
    }

    /// A place in words, to point at from another place.
    fn place(&self, file: usize, span: &Span) -> String {
        let ConfigFile { name, text } = &self.files[file];
        jobspec::place(name, text, span)
    }
}

/// A limit of 0 is none, as in Nomad.
fn limits(old: &mut ArtifactLimits, new: agent::Artifact) {
    if let Some(timeout) = new.http_read_timeout {
        old.http_read_timeout = Some(timeout.value).filter(|timeout| !timeout.is_zero());
    }
    for (old, new) in [
        (&mut old.http_max_size, new.http_max_size),
        (
            &mut old.decompression_size_limit,
            new.decompression_size_limit,
        ),
        (
            &mut old.decompression_file_count_limit,
            new.decompression_file_count_limit,
        ),
    ] {
        if let Some(limit) = new {
            *old = Some(limit.value).filter(|limit| *limit > 0);
        }
    }
}

fn replace(old: &mut String, new: Option<Spanned<String>>) {
    if let Some(new) = new {
        *old = new.value;
    }
}
