//! The operator's configuration of `exec2`.
use sandbox::spec::{CapabilitySet, Ports};

use super::network_rules;
use super::unveil::Entry;
use crate::agent_env::Patterns;
use crate::api::ConfigError;
use crate::capabilities::Supported;
use crate::denials::Left;
use crate::options::{Read as _, Values};

/// What the operator decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Grant the system paths and the task's own directories.
    pub unveil_defaults: bool,
    /// Let tasks grant themselves paths.
    pub unveil_by_task: bool,
    /// Granted to every task.
    pub unveil_paths: Vec<Entry>,
    /// What tasks may hold.
    pub allow_caps: CapabilitySet,
    /// Deny tasks the system calls of the list.
    pub seccomp: bool,
    /// What of the agent's environment tasks get.
    pub agent_env: Patterns,
    /// TCP ports that tasks may use.
    pub network_rules: Option<Ports>,
    /// Whether kernel audit is switched on while tasks run, where it is off.
    pub audit: Left,
    pub(crate) supported: Supported,
}

impl Operator {
    /// From checked values.
    pub(crate) fn read(values: &Values, supported: Supported) -> Result<Operator, ConfigError> {
        Ok(Operator {
            unveil_defaults: values.flag("unveil_defaults"),
            unveil_by_task: values.flag("unveil_by_task"),
            unveil_paths: unveil_paths(values)?,
            allow_caps: allow_caps(values, supported)?,
            seccomp: values.flag("seccomp"),
            agent_env: Patterns::read(values)?,
            network_rules: network_rules(values)?,
            audit: audit(values),
            supported,
        })
    }
}

fn unveil_paths(values: &Values) -> Result<Vec<Entry>, ConfigError> {
    let parse = |text: &String| {
        let entry = Entry::parse(text)?;
        // A path relative to each task's directory is the task's to ask for.
        if entry.path.is_absolute() {
            Ok(entry)
        } else {
            Err(format!("unveil_paths entry {text:?} is not absolute"))
        }
    };
    let entries = values
        .strings("unveil_paths")
        .iter()
        .map(parse)
        .collect::<Result<_, String>>();
    entries.map_err(|message| ConfigError::Value {
        option: "unveil_paths",
        message,
    })
}

fn network_rules(values: &Values) -> Result<Option<Ports>, ConfigError> {
    let option = "network_rules";
    network_rules::parse(&values.strings(option))
        .map_err(|message| ConfigError::Value { option, message })
}

fn audit(values: &Values) -> Left {
    match values.flag("audit") {
        true => Left::On,
        false => Left::Alone,
    }
}

fn allow_caps(values: &Values, supported: Supported) -> Result<CapabilitySet, ConfigError> {
    supported
        .parse(&values.strings("allow_caps"))
        .map_err(|unsupported| ConfigError::Value {
            option: "allow_caps",
            message: format!(
                "invalid capability {:?} in allow_caps: not supported by system",
                unsupported.0.join(", ")
            ),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{decode, tables::EXEC2_OPERATOR};

    fn told(option: &str, list: &[&str]) -> Option<String> {
        let values = decode(
            EXEC2_OPERATOR,
            &Values::from([(option.to_owned(), list.into())]),
        )
        .ok()?;
        Operator::read(&values, Supported::up_to(40))
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn mistakes_are_told_when_the_driver_is_configured() {
        assert_eq!(
            told("allow_caps", &["foo"]).as_deref(),
            Some("invalid capability \"foo\" in allow_caps: not supported by system")
        );
        assert_eq!(
            told("unveil_paths", &["r:etc"]).as_deref(),
            Some("unveil_paths entry \"r:etc\" is not absolute")
        );
        assert!(
            told("unveil_paths", &["/etc"])
                .is_some_and(|told| told.contains("does not contain mode prefix"))
        );
        assert_eq!(told("unveil_paths", &["r:/etc"]), None);
    }
}
