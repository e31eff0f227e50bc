//! Whether what the sandbox denies a task can be named.
use driver::denials::{Error, Outlook, outlook};
use driver::in_one_line;

use super::Finding;

const CHECK: &str = "denials";

pub(super) fn look() -> Option<Finding> {
    // Only root can ask.
    rustix::process::geteuid()
        .is_root()
        .then(|| told(outlook()))
}

fn told(outlook: Result<Outlook, Error>) -> Finding {
    match outlook {
        Ok(Outlook::On) => Finding::fine(CHECK, "denials are named: kernel audit is on"),
        Ok(Outlook::Others(Some(pid))) => Finding::fine(
            CHECK,
            format!("denials are named: kernel audit is on, its daemon is pid {pid}"),
        ),
        Ok(Outlook::Others(None)) => Finding::fine(
            CHECK,
            "denials are named: kernel audit is on, and locked until the next boot",
        ),
        Ok(Outlook::Off) => Finding::fine(
            CHECK,
            "denials are named: kernel audit is off, and is on while a task of exec2 runs",
        ),
        Err(error) => {
            let way_out = way_out(&error);
            let text = format!("denials cannot be named: {}", in_one_line(&error));
            let finding = Finding::warning(CHECK, text);
            match way_out {
                Some(way_out) => finding.way_out(way_out),
                None => finding,
            }
        }
    }
}

fn way_out(error: &Error) -> Option<&'static str> {
    match error {
        Error::OffOnPurpose => Some("auditctl -e 1 switches it on, with its rules"),
        Error::Panics => Some("auditctl -f 1 has it say so instead"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::Level;
    use super::*;

    #[test]
    fn audit_that_is_off_is_no_worry_and_one_that_must_stay_off_has_a_way_out() {
        let others = [NonZeroU32::new(7), None].map(Outlook::Others);
        for fine in [Outlook::Off, Outlook::On].into_iter().chain(others) {
            assert_eq!(told(Ok(fine)).level, Level::Fine);
        }
        let locked = told(Ok(Outlook::Others(None)));
        assert!(!locked.text.contains("pid"), "{}", locked.text);
        let off = told(Err(Error::OffOnPurpose));
        assert!(off.level == Level::Warning && off.way_out.is_some());
        let old = told(Err(Error::Abi { abi: 4 }));
        assert!(old.text.contains("this kernel has 4"), "{}", old.text);
    }
}
