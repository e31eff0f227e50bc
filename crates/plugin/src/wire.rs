//! The driver's answers → the wire's. Sub-messages are always there: the client dereferences them without looking.
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use driver::{Attribute, ExitResult, Fingerprint, Health, State, Status};

use crate::proto::drivers as wire;
use crate::proto::drivers::fingerprint_response::HealthState;
use crate::proto::structs;

/// Go's zero time, year 1: a task that runs was completed then.
const ZERO_TIME: prost_types::Timestamp = prost_types::Timestamp {
    seconds: -62_135_596_800,
    nanos: 0,
};

pub(crate) fn exit_result(result: &ExitResult) -> wire::ExitResult {
    wire::ExitResult {
        exit_code: result.exit_code,
        signal: result.signal,
        oom_killed: result.oom_killed,
    }
}

pub(crate) fn timestamp(time: Option<SystemTime>) -> prost_types::Timestamp {
    time.map_or(ZERO_TIME, prost_types::Timestamp::from)
}

/// A duration that is absent or negative is none at all.
pub(crate) fn duration(duration: Option<prost_types::Duration>) -> Duration {
    duration
        .and_then(|duration| duration.try_into().ok())
        .unwrap_or_default()
}

pub(crate) fn status(status: &Status) -> (wire::TaskStatus, wire::TaskDriverStatus) {
    let result = status.result.clone().unwrap_or_default();
    let task = wire::TaskStatus {
        id: status.id.clone(),
        name: status.name.clone(),
        state: state(status.state).into(),
        started_at: Some(timestamp(Some(status.started_at))),
        completed_at: Some(timestamp(result.ended_at)),
        result: Some(exit_result(&result)),
    };
    (
        task,
        wire::TaskDriverStatus {
            attributes: status.attributes.clone(),
        },
    )
}

fn state(state: State) -> wire::TaskState {
    match state {
        State::Unknown => wire::TaskState::Unknown,
        State::Running => wire::TaskState::Running,
        State::Exited => wire::TaskState::Exited,
    }
}

pub(crate) fn fingerprint(fingerprint: Fingerprint) -> wire::FingerprintResponse {
    let attributes: BTreeMap<_, _> = fingerprint
        .attributes
        .into_iter()
        .map(|(name, value)| (name, attribute(value)))
        .collect();
    wire::FingerprintResponse {
        attributes,
        health: health(fingerprint.health).into(),
        health_description: fingerprint.description,
        err: String::new(),
    }
}

fn health(health: Health) -> HealthState {
    match health {
        Health::Undetected => HealthState::Undetected,
        Health::Unhealthy => HealthState::Unhealthy,
        Health::Healthy => HealthState::Healthy,
    }
}

fn attribute(attribute: Attribute) -> structs::Attribute {
    use structs::attribute::Value;
    let value = match attribute {
        Attribute::Bool(value) => Value::BoolVal(value),
        Attribute::Int(value) => Value::IntVal(value),
        Attribute::String(value) => Value::StringVal(value),
    };
    structs::Attribute {
        value: Some(value),
        unit: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn running() -> Status {
        Status {
            id: "a/t/1".into(),
            name: "t".into(),
            state: State::Running,
            started_at: UNIX_EPOCH + Duration::from_secs(5),
            result: None,
            attributes: BTreeMap::new(),
            refusals: Vec::new(),
            lacking: Vec::new(),
            landlock: None,
        }
    }

    #[test]
    fn a_running_task_has_every_sub_message() {
        let (task, _) = status(&running());
        assert_eq!(task.result, Some(wire::ExitResult::default()));
        assert_eq!(task.completed_at, Some(ZERO_TIME));
        assert_eq!(task.started_at.map(|time| time.seconds), Some(5));
    }

    #[test]
    fn an_ended_task_says_when_and_how() {
        let ended_at = Some(UNIX_EPOCH + Duration::from_millis(7500));
        let result = ExitResult {
            exit_code: 137,
            signal: 9,
            oom_killed: true,
            ended_at,
            ..ExitResult::default()
        };
        let (task, _) = status(&Status {
            state: State::Exited,
            result: Some(result),
            ..running()
        });
        assert_eq!(task.state(), wire::TaskState::Exited);
        assert_eq!(
            task.result,
            Some(wire::ExitResult {
                exit_code: 137,
                signal: 9,
                oom_killed: true
            })
        );
        assert_eq!(
            task.completed_at,
            Some(prost_types::Timestamp {
                seconds: 7,
                nanos: 500_000_000
            })
        );
    }

    #[test]
    fn a_negative_duration_is_none() {
        let negative = prost_types::Duration {
            seconds: -3,
            nanos: 0,
        };
        assert_eq!(
            (duration(None), duration(Some(negative))),
            (Duration::ZERO, Duration::ZERO)
        );
    }
}
