//! Which failures of a start may be gone at the next try.
use std::error::Error;

use rustix::io::Errno;

use crate::api::StartError;

/// The host had no room at that moment.
const SHORTAGES: [Errno; 8] = [
    Errno::AGAIN,
    Errno::BUSY,
    Errno::INTR,
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOMEM,
    Errno::NOSPC,
    Errno::TIMEDOUT,
];

impl StartError {
    /// Whether the same start may succeed later: the host was short of something. A mistake in the job, and what the host does not have at
    /// all, stay.
    pub fn is_transient(&self) -> bool {
        let StartError::Host { source, .. } = self else {
            return false;
        };
        let mut cause: Option<&(dyn Error + 'static)> = Some(source.as_ref());
        while let Some(error) = cause {
            if is_shortage(error) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

fn is_shortage(error: &(dyn Error + 'static)) -> bool {
    let of_io = error.downcast_ref::<std::io::Error>();
    let errno = of_io
        .and_then(std::io::Error::raw_os_error)
        .map(Errno::from_raw_os_error)
        .or(error.downcast_ref::<Errno>().copied());
    errno.is_some_and(|errno| SHORTAGES.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::host;

    #[test]
    fn a_shortage_passes_and_a_mistake_stays() {
        let io = |errno: Errno| std::io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(host("make a directory", io(Errno::NOSPC)).is_transient());
        assert!(host("clone", Errno::AGAIN).is_transient());
        assert!(!host("make a directory", io(Errno::ROFS)).is_transient());
        assert!(!host("confine the task", "landlock not available").is_transient());
        assert!(!StartError::NotFound("no such command".to_owned()).is_transient());
    }

    #[test]
    fn the_cause_may_lie_deep() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let inner = std::io::Error::from_raw_os_error(Errno::NOMEM.raw_os_error());
        assert!(host("start the task", Outer(inner)).is_transient());
    }
}
