//! The `plugin` blocks of our drivers, checked against the drivers' own tables.

use driver::options::{self, Mismatch};
use driver::{Compute, ConfigError, Driver, Kind, Place};
use jobspec::agent::Plugin;
use shim::Lifetime;

use super::{Merge, Placed};
use crate::config::as_written;
use crate::plan::operator_config;

/// By what names Nomad's operators have our drivers: the driver's own, and that of the program.
const NAMES: [(&str, Kind); 4] = [
    ("exec", Kind::Exec),
    ("nomad-driver-exec", Kind::Exec),
    ("exec2", Kind::Exec2),
    ("nomad-driver-exec2", Kind::Exec2),
];

pub(crate) fn names() -> [&'static str; 4] {
    NAMES.map(|(name, _)| name)
}

/// Whose plugin has this name.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    let found = NAMES.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, kind)| kind)
}

/// Nothing in a block replaces nothing of an earlier one, as in Nomad.
pub(crate) fn is_empty(plugin: &Plugin) -> bool {
    plugin.config.attributes.is_empty()
}

impl Merge<'_> {
    pub(super) fn plugin(&mut self, file: usize, plugin: Plugin) {
        let Some(kind) = kind(&plugin.name.value) else {
            return;
        };
        if let Some(args) = plugin.args.as_ref().filter(|args| !args.value.is_empty()) {
            let place = self.place(file, &args.span);
            let name = &plugin.name.value;
            let note =
                format!("{place}: args of plugin {name:?} are for Nomad and mean nothing here");
            self.done.notes.push(note);
        }
        let placed = Placed {
            file,
            span: plugin.span.clone(),
            value: plugin,
        };
        match self.plugins.get(&kind) {
            Some(before) if before.value.name.value != placed.value.name.value => {
                self.second_name(kind, placed);
            }
            Some(_) if is_empty(&placed.value) => {}
            _ => drop(self.plugins.insert(kind, placed)),
        }
    }

    /// One driver under both of its names: which of them should hold?
    fn second_name(&mut self, kind: Kind, placed: Placed<Plugin>) {
        let Some(before) = self.plugins.get(&kind) else {
            return;
        };
        let detail = format!(
            "plugin {:?} and plugin {:?} configure the same driver, {}; the other one is at {}. Keep one of them.",
            placed.value.name.value,
            before.value.name.value,
            kind.name(),
            self.place(before.file, &before.span),
        );
        self.mistake(placed.file, placed.span, "", detail);
    }

    /// Hands the drivers what is theirs, and takes their complaints back to their places.
    pub(super) fn drivers(&mut self) {
        for (kind, plugin) in &self.plugins {
            let values = as_written(&plugin.value.config);
            self.done.node.plugins.insert(*kind, values);
        }
        for kind in [Kind::Exec, Kind::Exec2] {
            for error in mistakes(kind, &operator_config(kind, &self.done.node)) {
                self.refused(kind, &error);
            }
        }
    }

    fn refused(&mut self, kind: Kind, error: &ConfigError) {
        let (option, detail) = match error {
            ConfigError::Mismatch(Mismatch { option, reason }) => {
                (option.as_str(), format!("{option}: {reason}"))
            }
            ConfigError::Value { option, message } => (*option, message.clone()),
            other => ("", other.to_string()),
        };
        let known = kind.operator_options().iter().any(|opt| opt.name == option);
        if let Some(plugin) = self.plugins.get(&kind) {
            let config = &plugin.value.config;
            let span = match config.attributes.get(option) {
                Some(attribute) if known => attribute.value_span.clone(),
                Some(attribute) => attribute.name_span.clone(),
                None => config.span.clone(),
            };
            if config.attributes.contains_key(option) || self.chroot_env.is_none() {
                let within = format!("plugin {:?} config", plugin.value.name.value);
                return self.mistake(plugin.file, span, &within, detail);
            }
        }
        // What an operator did not give a plugin can only come from the client's own map.
        if let Some(chroot_env) = self.chroot_env.clone() {
            self.mistake(chroot_env.file, chroot_env.span, "client", detail);
        }
    }
}

fn mistakes(kind: Kind, values: &options::Values) -> Vec<ConfigError> {
    if let Err(mismatches) = options::decode(kind.operator_options(), values) {
        return mismatches.into_iter().map(ConfigError::from).collect();
    }
    let nowhere = Place {
        state_dir: "/".into(),
        lifetime: Lifetime::Foreground,
        compute: Compute {
            total_mhz: 1,
            cores: 1,
        },
        hidden: Vec::new(),
        agent_env: None,
    };
    Driver::new(kind, values, nowhere)
        .err()
        .into_iter()
        .collect()
}
