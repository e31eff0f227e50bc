//! What became of an allocation's tasks, written down in its run directory for other commands.
//!
//! `<run dir>/<short id>/alloc.json` is replaced as a whole at every change, so a reader sees the old text or the new
//! one. It is an object with the field names of Nomad's API for an allocation (`ID`, `Name`, `JobID`, `TaskGroup`,
//! `ClientStatus`, `CreateTime`, `TaskStates`), and what Nomad has no name for under `Encamp`. Of each task at most
//! the last ten events are kept, as in Nomad. What lies beside it:
//!
//! - `lock`: held by the `encamp run` that the allocation belongs to, as long as it lives;
//! - `<task>.handle`: while the task runs, what [`driver::Driver::recover`] takes. It holds the task's environment, so
//!   it stays in this directory, which only root can enter;
//! - log files are in the alloc directory: `alloc/logs/<task>.{stdout,stderr}.<n>`, of root's. A task can put anything
//!   of its own in their place, so a reader opens them following no link and takes only plain files that root owns.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use driver::denials::{Advice, Denial, Denials};
use serde::{Deserialize, Serialize};

use crate::dirs::Dir;
use crate::duration::spell;
use crate::error::HostError;
use crate::event::{Because, Exit, Memory, TaskEvent};
use crate::{ids, run_dir};

/// In a run's own directory.
pub(crate) const FILE: &str = "alloc.json";
/// Events of a task that are kept, as in Nomad.
const KEPT: usize = 10;
/// Denials that are named in an event.
const TOLD: usize = 5;

/// An allocation, in Nomad's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "Nomad's API")]
pub struct AllocState {
    #[serde(rename = "ID")]
    pub id: String,
    /// `job.group[0]`.
    pub name: String,
    #[serde(rename = "JobID")]
    pub job_id: String,
    pub job_type: String,
    pub namespace: String,
    pub task_group: String,
    /// `pending`, `running`, `complete` or `failed`.
    pub client_status: String,
    /// Nanoseconds since 1970.
    pub create_time: u64,
    pub task_states: BTreeMap<String, TaskRecord>,
    pub encamp: Encamp,
}

/// What Nomad has no name for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Encamp {
    /// Of the `encamp run` that it belongs to.
    pub pid: u32,
    /// Which of its group's allocations it is.
    pub index: u32,
    /// A.
    pub alloc_dir: PathBuf,
    /// Its own directory below the run directory.
    pub run_dir: PathBuf,
    /// By name.
    pub tasks: BTreeMap<String, TaskFacts>,
}

/// What does not change about a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskFacts {
    /// `exec` or `exec2`.
    pub driver: String,
    /// `prestart`, `poststart` or `poststop`; empty: a main task.
    pub hook: String,
    /// As the driver was told: a name, `nomad-<uid>`, or empty.
    pub user: String,
    /// Who that is.
    pub uid: u32,
    /// MHz.
    pub cpu: u64,
    /// MiB; 0: no limit.
    pub memory: u64,
    /// Its group's ports: `http=127.0.0.1:8181`.
    pub ports: Vec<String>,
    /// What it is asked to end with.
    pub kill_signal: String,
    /// How long it may take then.
    #[serde(with = "nanoseconds")]
    pub kill_timeout: Duration,
    /// The pid on the host while it runs, if the driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
}

/// Durations as Nomad's API has them.
mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(of: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(of.as_nanos())
            .unwrap_or(u64::MAX)
            .serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

/// What became of a task, in Nomad's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "Nomad's API")]
pub struct TaskRecord {
    /// `pending`, `running` or `dead`.
    pub state: String,
    pub failed: bool,
    pub restarts: u64,
    /// RFC 3339, as the other times.
    pub last_restart: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub events: Vec<EventRecord>,
}

/// Something that happened to a task, in Nomad's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "Nomad's API")]
pub struct EventRecord {
    pub r#type: String,
    /// Nanoseconds since 1970.
    pub time: u64,
    pub display_message: String,
    pub details: BTreeMap<String, String>,
}

/// The allocations of all `encamp run`s that live below this run directory, in no order. None where there is no such
/// directory.
///
/// # Errors
/// A directory that cannot be read: it is root's alone.
pub fn allocations(run_dir: &Path) -> Result<Vec<AllocState>, HostError> {
    let base = match Dir::open(run_dir) {
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let names = base
        .names()?
        .into_iter()
        .filter(|name| !name.starts_with('.'));
    let read = |name: String| {
        let dir = base.child(&name).ok()?;
        run_dir::is_held(&dir).then(|| dir.read(FILE).ok())?
    };
    Ok(names
        .filter_map(read)
        .filter_map(|text| serde_json::from_str(&text).ok())
        .collect())
}

impl TaskRecord {
    /// Adds an event, if it is one that Nomad records.
    pub(crate) fn add(&mut self, event: &TaskEvent<'_>, now: SystemTime) -> bool {
        let Some((kind, message, details)) = words(event) else {
            return false;
        };
        let time = Some(rfc3339(now));
        match event {
            TaskEvent::Started { .. } => {
                self.started_at = self.started_at.take().or_else(|| time.clone());
            }
            TaskEvent::Restarting { .. } => {
                self.restarts += 1;
                self.last_restart = time;
            }
            _ => {}
        }
        self.events.push(EventRecord {
            r#type: kind.to_owned(),
            time: nanos(now),
            display_message: message,
            details: details
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        });
        let old = self.events.len().saturating_sub(KEPT);
        self.events.drain(..old);
        true
    }

    pub(crate) fn end(&mut self, failed: bool, now: SystemTime) {
        "dead".clone_into(&mut self.state);
        self.failed = failed;
        self.finished_at = Some(rfc3339(now));
    }
}

type Words<'a> = (&'a str, String, Vec<(&'static str, String)>);

/// Nomad's name, message and details for an event.
fn words<'a>(event: &TaskEvent<'a>) -> Option<Words<'a>> {
    let plain = |kind, message: &str| Some((kind, message.to_owned(), vec![]));
    match event {
        TaskEvent::Received => plain("Received", "Task received by client"),
        TaskEvent::Setup => plain("Task Setup", "Building Task Directory"),
        TaskEvent::Hook { kind, message } => plain(kind, message),
        TaskEvent::HookFailed {
            hook: "artifacts",
            error,
        } => {
            let details = vec![("download_error", (*error).to_owned())];
            Some(("Failed Artifact Download", (*error).to_owned(), details))
        }
        TaskEvent::HookFailed { hook, error } => {
            plain("Task hook failed", &format!("{hook}: {error}"))
        }
        TaskEvent::Started { .. } => plain("Started", "Task started by client"),
        TaskEvent::DriverFailure { error } => {
            let details = vec![("driver_error", (*error).to_owned())];
            Some(("Driver Failure", (*error).to_owned(), details))
        }
        TaskEvent::Signaling { signal, reason } => Some(signaling(signal, reason)),
        TaskEvent::RestartSignaled { reason } => plain("Restart Signaled", reason),
        TaskEvent::SiblingFailed { sibling } => Some((
            "Sibling Task Failed",
            format!("Task's sibling {sibling:?} failed"),
            vec![("failed_sibling", (*sibling).to_owned())],
        )),
        TaskEvent::LeaderDead => plain("Leader Task Dead", "Leader Task in Group dead"),
        TaskEvent::MainDead => plain("Main Tasks Dead", "Main tasks in the group died"),
        TaskEvent::ShutdownDelay { delay } => {
            let delay = spell(*delay);
            let message = format!("Waiting for shutdown_delay of {delay} before killing the task.");
            plain("Waiting for shutdown delay", &message)
        }
        TaskEvent::Stopping { grace, reason, .. } => Some(stopping(&spell(*grace), *reason)),
        TaskEvent::Exited(exit) => Some(exited(exit)),
        TaskEvent::Denied(denials) => denied(denials),
        TaskEvent::Killed => plain("Killed", "Task successfully killed"),
        TaskEvent::Restarting { after, because, .. } => {
            let delay = ("start_delay", after.as_nanos().to_string());
            Some((
                "Restarting",
                restarting(&spell(*after), *because),
                vec![delay],
            ))
        }
        TaskEvent::NotRestarting { reason } => {
            let details = [("restart_reason", *reason), ("fails_task", "true")];
            let details = details.map(|(name, value)| (name, value.to_owned()));
            Some(("Not Restarting", (*reason).to_owned(), details.into()))
        }
        _ => None,
    }
}

/// As a driver's own event, which is what a Nomad client shows of it. What is harmless is not worth the place.
fn denied(denials: &Denials) -> Option<Words<'static>> {
    let harmful = |denial: &&Denial| denial.advice != Advice::Harmless;
    let told = |denial: &Denial| format!("{} {}", denial.access, denial.object.escape_debug());
    let told: Vec<String> = denials
        .list
        .iter()
        .filter(harmful)
        .take(TOLD)
        .map(told)
        .collect();
    let message = match told.as_slice() {
        [] => "The sandbox may have denied something: it came faster than it could be read".into(),
        told => format!("The sandbox denied: {}", told.join(", ")),
    };
    let is_worth_it = denials.list.is_empty() || !told.is_empty();
    is_worth_it.then(|| ("Driver", message, vec![]))
}

fn signaling(signal: &str, reason: &str) -> Words<'static> {
    let details = vec![
        ("task_signal", signal.to_owned()),
        ("task_signal_reason", reason.to_owned()),
    ];
    let message = match reason {
        "" => format!("Task being sent signal {signal}"),
        reason => format!("Task being sent signal {signal}: {reason}"),
    };
    ("Signaling", message, details)
}

fn stopping(grace: &str, reason: Option<&str>) -> Words<'static> {
    let message = reason.map_or_else(
        || format!("Sent interrupt. Waiting {grace} before force killing"),
        str::to_owned,
    );
    ("Killing", message, vec![("kill_timeout", grace.to_owned())])
}

fn restarting(delay: &str, because: Because) -> String {
    let message = format!("Task restarting in {delay}");
    match because {
        Because::WithinPolicy | Because::Asked => message,
        Because::Delay => format!("Exceeded allowed attempts, applying a delay - {message}"),
    }
}

/// Nomad's message, and what it does not say: how much memory there was when it was too little.
fn exited(exit: &Exit<'_>) -> Words<'static> {
    let result = exit.result;
    let mut parts = vec![format!("Exit Code: {}", result.exit_code)];
    if result.signal != 0 {
        parts.push(format!("Signal: {}", result.signal));
    }
    if let Some(error) = &result.error {
        parts.push(format!("Exit Message: {error:?}"));
    }
    if result.oom_killed {
        parts.push(format!("OOM Killed{}", exit.memory));
    }
    let details = vec![
        ("exit_code", result.exit_code.to_string()),
        ("signal", result.signal.to_string()),
        ("oom_killed", result.oom_killed.to_string()),
    ];
    ("Terminated", parts.join(", "), details)
}

/// ` (limit 256 MiB, peak 256 MiB)`, as far as it is known.
impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        match (self.limit_bytes, self.peak_bytes) {
            (0, _) => Ok(()),
            (limit, None) => write!(f, " (limit {} MiB)", mib(limit)),
            (limit, Some(peak)) => {
                write!(f, " (limit {} MiB, peak {} MiB)", mib(limit), mib(peak))
            }
        }
    }
}

pub(crate) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| time.to_string())
}

impl AllocState {
    /// Nomad's status of an allocation, from what its tasks do.
    pub(crate) fn settle(&mut self) {
        let is = |state: &str| {
            let mut tasks = self.task_states.values();
            tasks.any(|task| task.state == state)
        };
        let status = if self.task_states.values().any(|task| task.failed) {
            "failed"
        } else if is("running") {
            "running"
        } else if is("pending") {
            "pending"
        } else {
            "complete"
        };
        status.clone_into(&mut self.client_status);
    }

    /// The first eight characters of its id.
    pub fn short_id(&self) -> &str {
        ids::short(&self.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use driver::ExitResult;

    use super::*;

    fn messages(events: &[TaskEvent<'_>]) -> Vec<(String, String)> {
        let mut record = TaskRecord::default();
        for event in events {
            record.add(event, SystemTime::now());
        }
        let words = |event: EventRecord| (event.r#type, event.display_message);
        record.events.into_iter().map(words).collect()
    }

    /// `encamp ps` of today lists a run that an older one started.
    #[test]
    fn what_another_version_did_not_write_is_empty() {
        let text = r#"{"ID":"a","Encamp":{"Tasks":{"t":{"Driver":"exec"}}},"Later":1}"#;
        let read: AllocState = serde_json::from_str(text).unwrap();
        assert_eq!(read.encamp.tasks["t"].driver, "exec");
        assert_eq!(read.encamp.tasks["t"].kill_timeout, Duration::ZERO);
    }

    #[test]
    fn events_are_told_in_nomads_words() {
        let result = ExitResult {
            exit_code: 137,
            signal: 9,
            oom_killed: true,
            ..ExitResult::default()
        };
        let exit = Exit {
            result: &result,
            code: 137,
            lived: Duration::from_secs(1),
            stopping: None,
            memory: Memory {
                limit_bytes: 256 << 20,
                peak_bytes: Some(256 << 20),
            },
        };
        let restarting = |because| TaskEvent::Restarting {
            after: Duration::from_millis(15_900),
            attempt: 1,
            attempts: 2,
            interval: Duration::from_secs(1800),
            because,
        };
        let events = [
            TaskEvent::Started { pid: None },
            TaskEvent::Refused("x"),
            TaskEvent::Exited(exit),
            restarting(Because::WithinPolicy),
            restarting(Because::Delay),
            TaskEvent::NotRestarting {
                reason: "Policy allows no restarts",
            },
            TaskEvent::Stopping {
                signal: "SIGINT",
                grace: Duration::from_secs(5),
                reason: None,
            },
            TaskEvent::SiblingFailed { sibling: "web" },
        ];
        let expected = [
            ("Started", "Task started by client"),
            (
                "Terminated",
                "Exit Code: 137, Signal: 9, OOM Killed (limit 256 MiB, peak 256 MiB)",
            ),
            ("Restarting", "Task restarting in 15.9s"),
            (
                "Restarting",
                "Exceeded allowed attempts, applying a delay - Task restarting in 15.9s",
            ),
            ("Not Restarting", "Policy allows no restarts"),
            ("Killing", "Sent interrupt. Waiting 5s before force killing"),
            ("Sibling Task Failed", "Task's sibling \"web\" failed"),
        ];
        let expected = expected.map(|(kind, message)| (kind.to_owned(), message.to_owned()));
        assert_eq!(messages(&events), expected);
    }

    #[test]
    fn only_the_last_ten_events_are_kept() {
        let mut record = TaskRecord::default();
        for _ in 0..25 {
            record.add(&TaskEvent::Started { pid: None }, SystemTime::now());
        }
        record.add(&TaskEvent::Killed, SystemTime::now());
        assert_eq!(record.events.len(), KEPT);
        assert_eq!(record.events[KEPT - 1].r#type, "Killed");
    }

    #[test]
    fn an_allocation_has_the_field_names_of_nomads_api() {
        let mut state = AllocState {
            id: "0af996ed-0000-4000-8000-000000000001".to_owned(),
            ..AllocState::default()
        };
        let mut record = TaskRecord::default();
        let then = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        record.add(&TaskEvent::Started { pid: None }, then);
        record.end(true, then);
        state.task_states.insert("web".to_owned(), record);
        state.settle();
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["ID"], state.id);
        assert_eq!(json["ClientStatus"], "failed");
        let task = &json["TaskStates"]["web"];
        assert_eq!(task["State"], "dead");
        assert_eq!(task["StartedAt"], "2026-09-21T14:13:20Z");
        assert_eq!(task["Events"][0]["Type"], "Started");
        assert_eq!(
            task["Events"][0]["DisplayMessage"],
            "Task started by client"
        );
    }
}
