//! The `==>` lines that tell how a run goes on.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::{Because, Event, Exit, Mapping, Naming, TaskEvent, Whose, spell};
use driver::{Enforcement, Feature};
use jobspec::{Group, Job, Task};

use crate::cli::Talk;
use crate::commands::download::{Bar, size};
use crate::commands::{JobFile, denied};
use crate::{report, terminal};

/// Turns events into lines on standard error.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    job: &'a Job,
    file: &'a JobFile,
    names: Naming,
    lone: bool,
    talk: Talk,
    introduced: AtomicBool,
    bar: Bar,
    writer: terminal::Writer,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Detail,
    Usual,
    Trouble,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(job: &'a Job, file: &'a JobFile, talk: Talk) -> Progress<'a> {
        let allocations: usize = job.groups.iter().map(|group| group.count as usize).sum();
        let tasks: usize = job
            .groups
            .iter()
            .map(|group| group.count as usize * group.tasks.len())
            .sum();
        Progress {
            job,
            file,
            names: Naming::of(allocations),
            lone: tasks == 1,
            talk,
            introduced: AtomicBool::new(false),
            bar: Bar::default(),
            writer: terminal::Writer::default(),
        }
    }

    /// Writes what is to be said about it. What went wrong on this host is said even to those who want it quiet.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        let told = match self.talk {
            Talk::Trouble => Weight::Trouble,
            Talk::Usual => Weight::Usual,
            Talk::All => Weight::Detail,
        };
        if weight(event) >= told {
            if let Event::Task(
                whose,
                TaskEvent::Fetching {
                    source,
                    bytes,
                    total,
                    took,
                },
            ) = event
            {
                let task = self.names.name(*whose);
                let drawn = self.bar.draw(&task, source, (*bytes, *total), *took);
                return drawn.into_iter().for_each(|text| self.writer.say(text));
            }
            let lines = self.lines(event);
            let text: String = lines.iter().map(|line| format!("==> {line}\n")).collect();
            if !text.is_empty() {
                self.writer.say(format!("{}{text}", self.bar.clear()));
            }
        }
    }

    fn lines(&self, event: &Event<'_>) -> Vec<String> {
        let line = match event {
            Event::Left(error) => Some(format!(
                "could not clear up, the next run tries again: {}",
                one_line(*error)
            )),
            Event::Kept(path) => Some(format!("kept {} (--rm removes it)", path.display())),
            Event::Task(whose, TaskEvent::Placed { user, uid, ports }) => {
                return self.placed(*whose, user, *uid, ports);
            }
            Event::Task(whose, event) => self.of_task(*whose, event),
            _ => None,
        };
        line.into_iter().collect()
    }

    fn of_task(&self, whose: Whose<'_>, event: &TaskEvent<'_>) -> Option<String> {
        let (now, task) = (now(), self.names.name(whose));
        // A lone task goes without saying where its name was never said.
        let of = if self.lone {
            String::new()
        } else {
            format!("{task}: ")
        };
        Some(match event {
            TaskEvent::Capped { kill_timeout, cap } => format!(
                "{of}kill_timeout {} is cut to {}, as on a Nomad client (max_kill_timeout)",
                spell(*kill_timeout),
                spell(*cap)
            ),
            TaskEvent::Unwritable { volume, path, uid } => format!(
                "{task}: volume {volume:?} cannot be written to by uid {uid}: chown {uid} {}, or say read_only = true",
                path.display()
            ),
            TaskEvent::Hook { message, .. } => format!("{now} {task}: {message}"),
            TaskEvent::HookFailed { hook, error } => format!("{now} {task}: {hook}: {error}"),
            TaskEvent::LeftOut {
                source,
                count,
                first,
            } => format!(
                "{task}: left out of {source}: {count} entries that are neither files nor directories, the first is {first:?}"
            ),
            TaskEvent::Fetched {
                source,
                bytes,
                took,
            } => format!(
                "{now} {task}: fetched {source} ({} in {})",
                size(*bytes),
                rounded(*took)
            ),
            TaskEvent::Started { pid } => started(&now, &task, whose.alloc_id, *pid),
            // The only task's is told at the end, with its place and a way out.
            TaskEvent::DriverFailure { error } if !self.lone => {
                format!("{now} {task}: not started: {error}")
            }
            TaskEvent::Refused(what) => format!("{task}: goes on without: {what}"),
            TaskEvent::Lacking(what) => format!("{task}: this host lacks: {what}"),
            TaskEvent::Landlock(enforcement) => format!("{task}: {}", landlock(enforcement)),
            TaskEvent::Denied(denials) => {
                let (_, of) = self.find(whose)?;
                denied::told(denials, &task, of, self.file)
            }
            TaskEvent::DenialsUnknown(why) => format!("{of}{}", denied::unknown(why)),
            TaskEvent::Exited(exit) => format!("{now} {task}: {}", exited(exit)),
            TaskEvent::Restarting { .. } | TaskEvent::NotRestarting { .. } => {
                format!("{of}{}", follows(event)?)
            }
            TaskEvent::OutputLost { stream, source } => format!(
                "{of}cannot write the task's {stream}, it is thrown away from here on: {source}"
            ),
            TaskEvent::LogLost { stream, source } => format!(
                "{of}cannot keep the task's {stream} in its log files, the task goes on: {source}"
            ),
            TaskEvent::LogDropped { stream, bytes } => {
                format!("{of}{bytes} bytes of the task's {stream} are not in its log files")
            }
            other => format!("{now} {}", self.ending(&task, other)?),
        })
    }

    /// Why a task ends, and how it is done.
    fn ending(&self, task: &str, event: &TaskEvent<'_>) -> Option<String> {
        let whom = if self.lone {
            String::new()
        } else {
            format!(" {task}")
        };
        Some(match event {
            TaskEvent::Stopping { signal, grace, .. } => {
                let again = if self.lone {
                    " (again to kill now)"
                } else {
                    ""
                };
                let grace = spell(*grace);
                format!("stopping{whom}: {signal}, then SIGKILL after {grace}{again}")
            }
            TaskEvent::ShutdownDelay { delay } => {
                format!("stopping{whom} in {}, its shutdown_delay", spell(*delay))
            }
            TaskEvent::GroupShutdownDelay { delay } => {
                format!("stopping in {}, the group's shutdown_delay", spell(*delay))
            }
            TaskEvent::Killing => format!("killing {task}"),
            TaskEvent::StopFailed(error) => {
                format!("could not stop {task} politely: {}", one_line(*error))
            }
            TaskEvent::SiblingFailed { sibling } => format!("{task}: ends: {sibling} failed"),
            TaskEvent::LeaderDead => format!("{task}: ends: its leader has ended"),
            TaskEvent::MainDead => format!("{task}: ends: the main tasks have ended"),
            TaskEvent::TimeIsOver { max_run_duration } => {
                format!("max_run_duration {} is over", spell(*max_run_duration))
            }
            TaskEvent::Signaling { signal, reason } => format!("{task}: {signal}: {reason}"),
            TaskEvent::RestartSignaled { reason } => format!("{task}: restarting: {reason}"),
            _ => return None,
        })
    }

    fn placed(&self, whose: Whose<'_>, user: &str, uid: u32, ports: &[Mapping]) -> Vec<String> {
        let Some((group, task)) = self.find(whose) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        if !self.introduced.swap(true, Ordering::Relaxed) {
            lines.push(self.introduction());
        }
        let user = match (user, user.strip_prefix("nomad-")) {
            ("", _) => format!("uid {uid}"),
            (_, Some(uid)) => format!("dyn {uid}"),
            (name, None) => name.to_owned(),
        };
        let resources = &task.resources;
        let compute = match &resources.cores {
            Some(cores) => format!("cores {}", cores.value),
            None => format!("cpu {} MHz", resources.cpu),
        };
        lines.push(format!(
            "{}[{}]/{}  user {user} · {compute} · memory {} MiB{}",
            group.name,
            whose.index,
            task.name,
            resources.memory,
            of_ports(ports)
        ));
        lines
    }

    /// `job "http" (service): group web, driver exec2`, or what there is of several.
    fn introduction(&self) -> String {
        let groups: Vec<String> = self.job.groups.iter().map(of_group).collect();
        let (name, kind) = (&self.job.name, self.job.kind.name());
        format!("job {name:?} ({kind}): {}", groups.join("; "))
    }

    fn find(&self, whose: Whose<'_>) -> Option<(&'a Group, &'a Task)> {
        let mut groups = self.job.groups.iter();
        let group = groups.find(|group| group.name == whose.group)?;
        let task = group.tasks.iter().find(|task| task.name == whose.task)?;
        Some((group, task))
    }
}

fn of_group(group: &Group) -> String {
    let count = match group.count {
        1 => String::new(),
        count => format!(" ×{count}"),
    };
    let drivers: std::collections::BTreeSet<&str> = group
        .tasks
        .iter()
        .map(|task| task.driver.value.as_str())
        .collect();
    let drivers: Vec<&str> = drivers.into_iter().collect();
    let several = if drivers.len() > 1 {
        "drivers"
    } else {
        "driver"
    };
    format!(
        "group {}{count}, {several} {}",
        group.name,
        drivers.join(" and ")
    )
}

fn weight(event: &Event<'_>) -> Weight {
    let Event::Task(_, event) = event else {
        return match event {
            Event::Left(_) => Weight::Trouble,
            _ => Weight::Usual,
        };
    };
    match event {
        TaskEvent::OutputLost { .. }
        | TaskEvent::LogLost { .. }
        | TaskEvent::LogDropped { .. }
        | TaskEvent::StopFailed(_) => Weight::Trouble,
        TaskEvent::Exited(exit) if exit.result.error.is_some() => Weight::Trouble,
        TaskEvent::Lacking(_) | TaskEvent::Landlock(_) => Weight::Detail,
        _ => Weight::Usual,
    }
}

/// What follows an end.
fn follows(event: &TaskEvent<'_>) -> Option<String> {
    match event {
        // What could not be done is told by itself.
        TaskEvent::NotRestarting {
            reason: "Error was unrecoverable",
        } => None,
        TaskEvent::NotRestarting { reason } => Some(format!("not restarting: {reason}")),
        TaskEvent::Restarting {
            after,
            attempt,
            attempts,
            interval,
            because,
        } => {
            let (after, interval) = (rounded(*after), spell(*interval));
            Some(match because {
                Because::WithinPolicy => format!(
                    "restarting in {after} (attempt {attempt} of {attempts} in {interval}; --no-restart to stop here)"
                ),
                Because::Delay => format!(
                    "restarting in {after}, when the interval ends (all {attempts} attempts in {interval} are used up)"
                ),
                Because::Asked => return None,
            })
        }
        _ => None,
    }
}

/// ` · http=127.0.0.1:8181`
fn of_ports(ports: &[Mapping]) -> String {
    let shown: Vec<String> = ports
        .iter()
        .map(|port| format!("{}={}", port.label, port.address()))
        .collect();
    match shown.as_slice() {
        [] => String::new(),
        shown => format!(" · {}", shown.join(" ")),
    }
}

fn started(now: &str, task: &str, alloc_id: &str, pid: Option<&str>) -> String {
    let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    format!(
        "{now} {task}: started{pid}   (alloc {})",
        alloc_id.get(..8).unwrap_or(alloc_id)
    )
}

/// `Landlock ABI 7: fs enforced, …`.
fn landlock(enforcement: &Enforcement) -> String {
    let feature = |feature: &Feature| format!("{} {}", feature.name, feature.enforced);
    let features: Vec<_> = enforcement.features.iter().map(feature).collect();
    format!("Landlock ABI {}: {}", enforcement.abi, features.join(", "))
}

/// How a task ended, in words.
fn exited(exit: &Exit<'_>) -> String {
    let Exit { result, code, .. } = exit;
    let lived = rounded(exit.lived);
    let memory = if result.oom_killed {
        format!(", out of memory{}", exit.memory)
    } else {
        String::new()
    };
    if let Some(error) = &result.error {
        return format!("lost after {lived}: {error}");
    }
    let core = if result.core_dumped {
        ", core dumped"
    } else {
        ""
    };
    match (exit.stopping, result.signal) {
        (Some(took), _) => format!("stopped in {}, exit {code}{memory}", rounded(took)),
        (None, 0) => format!("exited {code} after {lived}{memory}"),
        (None, signal) => {
            format!("killed by signal {signal} after {lived}, exit {code}{memory}{core}")
        }
    }
}

/// Tenths of a second are enough for people, and milliseconds below that.
pub(crate) fn rounded(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        return format!("{}ms", duration.as_millis());
    }
    if duration < Duration::from_secs(60) {
        let tenths = format!("{:.1}", duration.as_secs_f64());
        return format!("{}s", tenths.trim_end_matches(".0"));
    }
    spell(Duration::from_secs(duration.as_secs()))
}

fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let text = report::chain(error, "", None);
    text.trim_start_matches("Error: ")
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The time of day where the user is.
fn now() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Memory;
    use driver::{Enforced, ExitResult};

    const SECOND: Duration = Duration::from_secs(1);

    fn told(result: &ExitResult, code: u8, lived: Duration, stopping: Option<Duration>) -> String {
        exited(&Exit {
            result,
            code,
            lived,
            stopping,
            memory: Memory {
                limit_bytes: 64 << 20,
                peak_bytes: Some(63 << 20),
            },
        })
    }

    #[test]
    fn an_end_is_told_with_its_cause() {
        let result = |exit_code, signal, oom_killed| ExitResult {
            exit_code,
            signal,
            oom_killed,
            ..ExitResult::default()
        };
        assert_eq!(
            told(&result(1, 0, false), 1, SECOND / 5, None),
            "exited 1 after 0.2s"
        );
        assert_eq!(
            told(&result(130, 2, false), 130, SECOND, Some(SECOND / 10)),
            "stopped in 0.1s, exit 130"
        );
        assert_eq!(
            told(&result(137, 9, true), 137, 90 * SECOND, None),
            "killed by signal 9 after 1m30s, exit 137, out of memory (limit 64 MiB, peak 63 MiB)"
        );
        let dumped = ExitResult {
            core_dumped: true,
            ..result(134, 6, false)
        };
        assert_eq!(
            told(&dumped, 134, SECOND, None),
            "killed by signal 6 after 1s, exit 134, core dumped"
        );
        let lost = ExitResult {
            error: Some("the shim was killed".to_owned()),
            ..ExitResult::default()
        };
        assert_eq!(
            told(&lost, 125, SECOND, None),
            "lost after 1s: the shim was killed"
        );
    }

    #[test]
    fn what_landlock_restricts_is_one_line() {
        let feature = |name: &str, since, enforced| Feature {
            name: name.to_owned(),
            since,
            enforced,
        };
        let enforcement = Enforcement {
            abi: 3,
            features: vec![
                feature("fs", 1, Enforced::Enforced),
                feature("tcp", 4, Enforced::NotKnown),
            ],
        };
        assert_eq!(
            landlock(&enforcement),
            "Landlock ABI 3: fs enforced, tcp not known to this kernel"
        );
    }

    #[test]
    fn a_start_is_told_with_its_allocation() {
        let told = started(
            "15:53:04",
            "python",
            "0af996ed-0000-4000-8000-000000000001",
            Some("48213"),
        );
        assert_eq!(
            told,
            "15:53:04 python: started, pid 48213   (alloc 0af996ed)"
        );
    }
}
