//! From the shim's exit record to Nomad's exit result.
use shim::{End, ExitStatus};

use crate::api::ExitResult;
use crate::signals;

impl From<&ExitStatus> for ExitResult {
    fn from(status: &ExitStatus) -> ExitResult {
        let end = match status.stopped_by {
            // PID 1 does not hear a signal it has no handler for; outside a namespace that signal would have ended it.
            Some(signal) if status.forced && status.deaf => End::Signal(signal),
            _ => status.end,
        };
        let failed = end != End::Code(0);
        ExitResult {
            // A kill of ours is no kill of the kernel's, whatever happened to memory before.
            oom_killed: status.oom_kills > 0 && failed && !status.forced,
            core_dumped: status.core,
            killed_after: killed_after(status),
            ended_at: Some(status.ended_at),
            ..from_end(end)
        }
    }
}

/// Neither a kill that was asked for nor that of a PID 1 that could not hear is one for want of time.
fn killed_after(status: &ExitStatus) -> Option<i32> {
    let late = status.forced && !status.deaf;
    status
        .stopped_by
        .filter(|signal| late && *signal != signals::KILL)
}

/// Code and signal only.
pub(crate) fn from_end(end: End) -> ExitResult {
    let (exit_code, signal) = match end {
        End::Code(code) => (code, 0),
        End::Signal(signal) => (128 + signal, signal),
    };
    ExitResult {
        exit_code,
        signal,
        ..ExitResult::default()
    }
}

/// The shim ended without a record: by SIGKILL, and its task by the kernel's hand or ours.
pub(crate) fn lost() -> ExitResult {
    let error = Some("the shim was killed and took the task with it".to_owned());
    ExitResult {
        error,
        ..from_end(End::Signal(signals::KILL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn result(
        end: End,
        stopped_by: Option<i32>,
        forced: bool,
        deaf: bool,
        oom_kills: u64,
    ) -> (i32, i32, bool) {
        let status = ExitStatus {
            end,
            core: false,
            oom_kills,
            stopped_by,
            forced,
            deaf,
            ended_at: SystemTime::UNIX_EPOCH,
        };
        let result = ExitResult::from(&status);
        (result.exit_code, result.signal, result.oom_killed)
    }

    #[test]
    fn ends_are_told_as_nomad_does() {
        assert_eq!(result(End::Code(7), None, false, false, 0), (7, 0, false));
        assert_eq!(
            result(End::Signal(15), Some(15), false, false, 0),
            (143, 15, false)
        );
        assert_eq!(
            result(End::Signal(9), Some(2), true, false, 0),
            (137, 9, false)
        );
    }

    #[test]
    fn a_deaf_pid_1_ended_by_the_signal_that_was_asked_for() {
        assert_eq!(
            result(End::Signal(9), Some(15), true, true, 0),
            (143, 15, false)
        );
        assert_eq!(
            result(End::Signal(9), Some(2), true, true, 0),
            (130, 2, false)
        );
    }

    #[test]
    fn a_kill_for_want_of_time_names_the_signal_before_it() {
        let after = |stopped_by, forced, deaf| {
            let status = ExitStatus {
                end: End::Signal(9),
                core: false,
                oom_kills: 0,
                stopped_by,
                forced,
                deaf,
                ended_at: SystemTime::UNIX_EPOCH,
            };
            ExitResult::from(&status).killed_after
        };
        assert_eq!(after(Some(15), true, false), Some(15));
        assert_eq!(after(Some(15), false, false), None);
        assert_eq!(after(Some(15), true, true), None);
        assert_eq!(after(Some(9), true, false), None);
    }

    #[test]
    fn an_oom_kill_counts_when_the_task_failed_of_it() {
        assert_eq!(
            result(End::Signal(9), None, false, false, 1),
            (137, 9, true)
        );
        assert_eq!(result(End::Code(1), None, false, false, 1), (1, 0, true));
        assert_eq!(result(End::Code(0), None, false, false, 1), (0, 0, false));
        assert_eq!(
            result(End::Signal(9), Some(15), true, false, 1),
            (137, 9, false)
        );
    }
}
