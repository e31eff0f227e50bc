//! The `==>` lines that tell how a run goes on.
use std::time::Duration;

use client::{Event, spell};
use driver::ExitResult;
use jobspec::{Job, JobType};

use crate::{report, terminal};

/// Turns events into lines on standard error.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    job: &'a Job,
    task: &'a str,
    quiet: bool,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(job: &'a Job, quiet: bool) -> Progress<'a> {
        let task = job.groups.iter().flat_map(|group| &group.tasks).next();
        Progress {
            job,
            task: task.map_or("", |task| task.name.as_str()),
            quiet,
        }
    }

    /// Writes what is to be said about it. What went wrong on this host is said even to those who want it quiet.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        let is_trouble = match event {
            Event::Left(_) | Event::OutputLost { .. } | Event::StopFailed(_) => true,
            Event::Exited { result, .. } => result.error.is_some(),
            _ => false,
        };
        if !self.quiet || is_trouble {
            self.lines(event)
                .iter()
                .for_each(|line| terminal::say(&format!("==> {line}\n")));
        }
    }

    fn lines(&self, event: &Event<'_>) -> Vec<String> {
        match event {
            Event::Placed { user, uid, .. } => self.placed(user, *uid),
            other => self.line(other).into_iter().collect(),
        }
    }

    fn line(&self, event: &Event<'_>) -> Option<String> {
        let (now, task) = (now(), self.task);
        Some(match event {
            Event::Left(error) => format!(
                "could not clear up, the next run tries again: {}",
                one_line(*error)
            ),
            Event::Capped { kill_timeout, cap } => {
                format!(
                    "kill_timeout {} is cut to {}, as on a Nomad client (max_kill_timeout)",
                    spell(*kill_timeout),
                    spell(*cap)
                )
            }
            Event::Started { alloc_id, pid } => started(&now, task, alloc_id, *pid),
            Event::Refused(what) => format!("{task}: goes on without: {what}"),
            Event::Stopping { signal, grace } => {
                format!(
                    "{now} stopping: {signal}, then SIGKILL after {} (again to kill now)",
                    spell(*grace)
                )
            }
            Event::Killing => format!("{now} killing {task}"),
            Event::StopFailed(error) => {
                format!("{now} could not stop {task} politely: {}", one_line(*error))
            }
            Event::Exited {
                result,
                code,
                lived,
                stopped,
                took,
            } => {
                format!(
                    "{now} {task}: {}",
                    exited(result, *code, *lived, stopped.then_some(*took))
                )
            }
            Event::Restarting {
                after,
                attempt,
                attempts,
                interval,
                within_policy: true,
            } => {
                format!(
                    "restarting in {} (attempt {attempt} of {attempts} in {}; --no-restart to stop here)",
                    rounded(*after),
                    spell(*interval)
                )
            }
            Event::Restarting {
                after,
                attempts,
                interval,
                ..
            } => {
                format!(
                    "restarting in {}, when the interval ends (all {attempts} attempts in {} are used up)",
                    rounded(*after),
                    spell(*interval)
                )
            }
            Event::NotRestarting { reason } => format!("not restarting: {reason}"),
            Event::OutputLost { stream, source } => format!(
                "cannot write the task's {stream}, it is thrown away from here on: {source}"
            ),
            Event::Kept(path) => format!("kept {} (--rm removes it)", path.display()),
            _ => return None,
        })
    }

    fn placed(&self, user: &str, uid: u32) -> Vec<String> {
        let Some((group, task)) = self
            .job
            .groups
            .iter()
            .find_map(|group| Some((group, group.tasks.first()?)))
        else {
            return Vec::new();
        };
        let kind = match self.job.kind {
            JobType::Service => "service",
            JobType::Batch => "batch",
            JobType::System => "system",
            JobType::Sysbatch => "sysbatch",
        };
        let user = match (user, user.strip_prefix("nomad-")) {
            ("", _) => format!("uid {uid}"),
            (_, Some(uid)) => format!("dyn {uid}"),
            (name, None) => name.to_owned(),
        };
        let resources = &task.resources;
        vec![
            format!(
                "job {:?} ({kind}): group {}, driver {}",
                self.job.name, group.name, task.driver.value
            ),
            format!(
                "{}[0]/{}  user {user} · cpu {} MHz · memory {} MiB",
                group.name, task.name, resources.cpu, resources.memory
            ),
        ]
    }
}

fn started(now: &str, task: &str, alloc_id: &str, pid: Option<&str>) -> String {
    let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    format!(
        "{now} {task}: started{pid}   (alloc {})",
        alloc_id.get(..8).unwrap_or(alloc_id)
    )
}

/// How a task ended, in words.
fn exited(result: &ExitResult, code: u8, lived: Duration, stopping: Option<Duration>) -> String {
    let memory = if result.oom_killed {
        ", out of memory"
    } else {
        ""
    };
    if let Some(error) = &result.error {
        return format!("lost after {}: {error}", rounded(lived));
    }
    let core = if result.core_dumped {
        ", core dumped"
    } else {
        ""
    };
    match (stopping, result.signal) {
        (Some(took), _) => format!("stopped in {}, exit {code}{memory}", rounded(took)),
        (None, 0) => format!("exited {code} after {}{memory}", rounded(lived)),
        (None, signal) => format!(
            "killed by signal {signal} after {}, exit {code}{memory}{core}",
            rounded(lived)
        ),
    }
}

/// Tenths of a second are enough for people, and milliseconds below that.
fn rounded(duration: Duration) -> String {
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

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_end_is_told_with_its_cause() {
        let result = |exit_code, signal, oom_killed| ExitResult {
            exit_code,
            signal,
            oom_killed,
            ..ExitResult::default()
        };
        assert_eq!(
            exited(&result(1, 0, false), 1, SECOND / 5, None),
            "exited 1 after 0.2s"
        );
        assert_eq!(
            exited(&result(130, 2, false), 130, SECOND, Some(SECOND / 10)),
            "stopped in 0.1s, exit 130"
        );
        assert_eq!(
            exited(&result(137, 9, true), 137, 90 * SECOND, None),
            "killed by signal 9 after 1m30s, exit 137, out of memory"
        );
        let dumped = ExitResult {
            core_dumped: true,
            ..result(134, 6, false)
        };
        assert_eq!(
            exited(&dumped, 134, SECOND, None),
            "killed by signal 6 after 1s, exit 134, core dumped"
        );
        let lost = ExitResult {
            error: Some("the shim was killed".to_owned()),
            ..ExitResult::default()
        };
        assert_eq!(
            exited(&lost, 125, SECOND, None),
            "lost after 1s: the shim was killed"
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
