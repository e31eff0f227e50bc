//! Exit codes: the task's own, or why there is none.
use driver::{ExitResult, StartError};

/// Wrong usage or an invalid job.
pub const INVALID: u8 = 1;
/// This machine cannot take the job: Nomad would find no node for it.
pub const PLACEMENT: u8 = 2;
/// It took longer than it was allowed.
pub const TIMEOUT: u8 = 124;
/// The host or encamp itself failed.
pub const HOST: u8 = 125;
/// The command was found and cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command was not found.
pub const NOT_FOUND: u8 = 127;

/// The code for a task that was not started.
pub(crate) fn start_failure(error: &StartError) -> u8 {
    match error {
        StartError::Mismatch(_) | StartError::Value { .. } | StartError::User(_) => INVALID,
        StartError::NotFound(_) => NOT_FOUND,
        StartError::NotExecutable(_) => NOT_EXECUTABLE,
        _ => HOST,
    }
}

/// The code for a task that has ended. A task whose end nobody saw is the host's failure, whatever number stands there.
pub fn of_task(result: &ExitResult) -> u8 {
    if result.error.is_some() {
        return HOST;
    }
    if result.signal > 0 && result.exit_code == 0 {
        return of_signal(result.signal);
    }
    u8::try_from(result.exit_code).unwrap_or(HOST)
}

/// 128 + n.
pub fn of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(HOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(exit_code: i32, signal: i32, error: Option<&str>) -> ExitResult {
        ExitResult {
            exit_code,
            signal,
            error: error.map(str::to_owned),
            ..ExitResult::default()
        }
    }

    #[test]
    fn a_task_gives_its_own_code() {
        assert_eq!(of_task(&ended(0, 0, None)), 0);
        assert_eq!(of_task(&ended(7, 0, None)), 7);
        assert_eq!(of_task(&ended(255, 0, None)), 255);
    }

    #[test]
    fn a_signal_gives_128_and_its_number() {
        assert_eq!(of_task(&ended(130, 2, None)), 130);
        assert_eq!(of_task(&ended(0, 15, None)), 143);
    }

    #[test]
    fn a_lost_task_is_the_hosts_failure() {
        assert_eq!(of_task(&ended(0, 0, Some("the shim was killed"))), HOST);
        assert_eq!(of_task(&ended(-1, 0, None)), HOST);
    }

    #[test]
    fn a_start_that_failed_says_whose_fault_it_was() {
        assert_eq!(start_failure(&StartError::NotFound("x".into())), 127);
        assert_eq!(start_failure(&StartError::NotExecutable("x".into())), 126);
        assert_eq!(start_failure(&StartError::User("x".into())), 1);
        let host = StartError::Host {
            act: "x".into(),
            source: "y".into(),
        };
        assert_eq!(start_failure(&host), 125);
    }
}
