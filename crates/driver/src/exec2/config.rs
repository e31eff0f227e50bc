//! A task's configuration of `exec2`.
use sandbox::spec::{CapabilitySet, Ports};

use super::Operator;
use super::network_rules;
use super::unveil::Entry;
use crate::api::StartError;
use crate::capabilities;
use crate::lower::value;
use crate::options::{Read as _, Values};

/// oom_score_adj(5) of proc(5) goes up to here.
const MAX_OOM_SCORE_ADJ: i64 = 1000;

/// What a task's `config {}` comes to under an operator's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// As it is written.
    pub command: String,
    /// As they are written.
    pub args: Vec<String>,
    /// The task's own grants.
    pub unveil: Vec<Entry>,
    /// 0 to 1000.
    pub oom_score_adj: i32,
    /// The capabilities that the lists grant.
    pub granted: CapabilitySet,
    /// TCP ports, within the operator's rules.
    pub network_rules: Option<Ports>,
    /// As it is written: absolute, or relative to the task directory.
    pub work_dir: Option<String>,
}

impl Config {
    /// From checked values.
    pub(crate) fn read(values: &Values, operator: &Operator) -> Result<Config, StartError> {
        Ok(Config {
            command: values.text("command"),
            args: values.strings("args"),
            unveil: unveil(values, operator)?,
            oom_score_adj: oom_score_adj(values)?,
            granted: granted(values, operator)?,
            network_rules: network_rules(values, operator)?,
            work_dir: Some(values.text("work_dir")).filter(|path| !path.is_empty()),
        })
    }
}

fn unveil(values: &Values, operator: &Operator) -> Result<Vec<Entry>, StartError> {
    let entries = values.strings("unveil");
    if !entries.is_empty() && !operator.unveil_by_task {
        return Err(value(
            "unveil",
            "task set unveil paths but driver config does not allow this",
        ));
    }
    entries
        .iter()
        .map(|text| Entry::parse(text).map_err(|message| value("unveil", message)))
        .collect()
}

fn network_rules(values: &Values, operator: &Operator) -> Result<Option<Ports>, StartError> {
    let option = "network_rules";
    network_rules::parse(&values.strings(option))
        .and_then(|own| network_rules::under(operator.network_rules.as_ref(), own))
        .map_err(|message| value(option, message))
}

fn oom_score_adj(values: &Values) -> Result<i32, StartError> {
    let number = values.integer("oom_score_adj");
    let valid = Some(number)
        .filter(|number| (0..=MAX_OOM_SCORE_ADJ).contains(number))
        .and_then(|number| i32::try_from(number).ok());
    valid.ok_or_else(|| {
        value(
            "oom_score_adj",
            format!(
                "oom_score_adj must be a positive integer up to {MAX_OOM_SCORE_ADJ}, got {number}"
            ),
        )
    })
}

fn granted(values: &Values, operator: &Operator) -> Result<CapabilitySet, StartError> {
    let parse = |option: &'static str| {
        operator
            .supported
            .parse(&values.strings(option))
            .map_err(|unsupported| {
                value(
                    option,
                    format!(
                        "invalid capability {:?} in {option}: not supported by system",
                        unsupported.0.join(", ")
                    ),
                )
            })
    };
    let granted = capabilities::from_nothing(parse("cap_add")?, parse("cap_drop")?);
    match capabilities::excess(granted, operator.allow_caps) {
        Some(excess) => {
            let names = capabilities::names(excess).join(", ");
            Err(value(
                "cap_add",
                format!("task requested capability {names:?} not in driver allow_caps"),
            ))
        }
        None => Ok(granted),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::capabilities::Supported;
    use crate::options::{Value, decode, tables};

    fn config(by_task: bool, option: &str, given: Value) -> Result<Config, String> {
        let operator = Values::from([("unveil_by_task".to_owned(), Value::Bool(by_task))]);
        let operator = Operator::read(
            &decode(tables::EXEC2_OPERATOR, &operator).unwrap(),
            Supported::up_to(40),
        )
        .unwrap();
        let given = Values::from([
            ("command".to_owned(), "x".into()),
            (option.to_owned(), given),
        ]);
        Config::read(&decode(tables::EXEC2_TASK, &given).unwrap(), &operator)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn unveil_needs_the_operators_leave() {
        let entries = || Value::from(&["r:/etc/mime.types"][..]);
        assert_eq!(config(true, "unveil", entries()).unwrap().unveil.len(), 1);
        let told = config(false, "unveil", entries()).unwrap_err();
        assert_eq!(
            told,
            "task set unveil paths but driver config does not allow this"
        );
        assert!(config(false, "unveil", Value::List(Vec::new())).is_ok());
    }

    #[test]
    fn oom_score_adj_is_positive_and_whole() {
        assert_eq!(
            config(true, "oom_score_adj", Value::Number(500.0))
                .unwrap()
                .oom_score_adj,
            500
        );
        assert!(config(true, "oom_score_adj", Value::Number(-1.0)).is_err());
        assert!(config(true, "oom_score_adj", Value::Number(1001.0)).is_err());
    }

    #[test]
    fn capabilities_are_none_unless_asked_for_and_allowed() {
        assert_eq!(
            config(true, "cap_drop", (&["all"][..]).into())
                .unwrap()
                .granted,
            CapabilitySet(0)
        );
        assert_eq!(
            config(true, "cap_add", (&["CAP_KILL"][..]).into())
                .unwrap()
                .granted,
            CapabilitySet(1 << 5)
        );
        let told = config(true, "cap_add", (&["net_admin"][..]).into()).unwrap_err();
        assert_eq!(
            told,
            "task requested capability \"net_admin\" not in driver allow_caps"
        );
    }
}
