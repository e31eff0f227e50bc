//! A task's configuration of `exec`.
use std::path::PathBuf;

use sandbox::spec::{CapabilitySet, Sharing};

use super::Operator;
use super::operator::sharing;
use crate::api::StartError;
use crate::capabilities;
use crate::lower::value;
use crate::options::{Read as _, Values};

/// What a task's `config {}` comes to under an operator's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// As it is written.
    pub command: String,
    /// As they are written.
    pub args: Vec<String>,
    /// Pid namespace.
    pub pid: Sharing,
    /// IPC namespace.
    pub ipc: Sharing,
    /// The capabilities that the lists grant.
    pub granted: CapabilitySet,
    /// Absolute, inside.
    pub work_dir: PathBuf,
}

impl Config {
    /// From checked values, in Nomad's order of checks.
    pub(crate) fn read(values: &Values, operator: &Operator) -> Result<Config, StartError> {
        let pid = mode(values, "pid_mode", operator.default_pid)?;
        let ipc = mode(values, "ipc_mode", operator.default_ipc)?;
        let add = caps(values, "cap_add", operator)?;
        let drop = caps(values, "cap_drop", operator)?;
        let work_dir = work_dir(values)?;
        if let Some(excess) = capabilities::excess(add, operator.allow_caps) {
            let names = capabilities::names(excess).join(", ");
            return Err(value(
                "cap_add",
                format!("driver does not allow the following capabilities: {names}"),
            ));
        }
        let granted = capabilities::from_basis(operator.allow_caps, add, drop);
        Ok(Config {
            command: values.text("command"),
            args: values.strings("args"),
            pid,
            ipc,
            granted,
            work_dir,
        })
    }
}

fn invalid(option: &'static str, message: String) -> StartError {
    value(
        option,
        format!("failed driver config validation: {message}"),
    )
}

fn mode(values: &Values, option: &'static str, default: Sharing) -> Result<Sharing, StartError> {
    match values.text(option) {
        mode if mode.is_empty() => Ok(default),
        mode => sharing(&mode).ok_or_else(|| {
            invalid(
                option,
                format!("{option} must be \"private\" or \"host\", got {mode:?}"),
            )
        }),
    }
}

fn caps(
    values: &Values,
    option: &'static str,
    operator: &Operator,
) -> Result<CapabilitySet, StartError> {
    operator
        .supported
        .parse(&values.strings(option))
        .map_err(|unsupported| {
            invalid(
                option,
                format!(
                    "{option} configured with capabilities not supported by system: {}",
                    unsupported.0.join(", ")
                ),
            )
        })
}

fn work_dir(values: &Values) -> Result<PathBuf, StartError> {
    match values.text("work_dir") {
        path if path.is_empty() => Ok("/".into()),
        path if path.starts_with('/') => Ok(path.into()),
        path => Err(invalid(
            "work_dir",
            format!("work_dir must be absolute but got relative path {path:?}"),
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::capabilities::Supported;
    use crate::options::{Value, decode, tables};

    fn config(option: &str, value: Value) -> Result<Config, String> {
        let operator = decode(tables::EXEC_OPERATOR, &Values::new()).unwrap();
        let operator = Operator::read(&operator, Supported::up_to(40)).unwrap();
        let given = Values::from([
            ("command".to_owned(), "x".into()),
            (option.to_owned(), value),
        ]);
        Config::read(&decode(tables::EXEC_TASK, &given).unwrap(), &operator)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_are_told_in_nomads_words() {
        let told = |option, value| config(option, value).unwrap_err();
        let prefix = "failed driver config validation: ";
        assert_eq!(
            told("pid_mode", "x".into()),
            format!("{prefix}pid_mode must be \"private\" or \"host\", got \"x\"")
        );
        assert_eq!(
            told("ipc_mode", "x".into()),
            format!("{prefix}ipc_mode must be \"private\" or \"host\", got \"x\"")
        );
        let unsupported = "configured with capabilities not supported by system: foo";
        assert_eq!(
            told("cap_add", (&["foo"][..]).into()),
            format!("{prefix}cap_add {unsupported}")
        );
        assert_eq!(
            told("cap_drop", (&["foo"][..]).into()),
            format!("{prefix}cap_drop {unsupported}")
        );
        assert_eq!(
            told("work_dir", "a".into()),
            format!("{prefix}work_dir must be absolute but got relative path \"a\"")
        );
        let denied = "driver does not allow the following capabilities: net_admin, sys_time";
        assert_eq!(
            told("cap_add", (&["SYS_TIME", "net_admin"][..]).into()),
            denied
        );
    }

    #[test]
    fn a_task_decides_over_the_default() {
        assert_eq!(
            config("pid_mode", "host".into()).unwrap().pid,
            Sharing::Host
        );
        assert_eq!(config("pid_mode", "".into()).unwrap().pid, Sharing::Private);
        assert_eq!(
            config("work_dir", "/local".into()).unwrap().work_dir,
            PathBuf::from("/local")
        );
    }
}
