//! When the process ends of itself.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Time for the answer to Shutdown to reach the host, which kills after two seconds.
const ANSWER: Duration = Duration::from_millis(100);

/// How long an orphan waits for the next agent; that one starts a new instance when it finds none and recovers the tasks there.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(30);

/// The host's wish that the process ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quit(Arc<Notify>);

impl Quit {
    /// Ends the process as soon as the answer to this call is out, whatever streams are open.
    pub(crate) fn soon(&self) {
        let notify = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(ANSWER).await;
            notify.notify_one();
        });
    }

    pub(crate) async fn asked(&self) {
        self.0.notified().await;
    }
}

/// A plugin whose agent died stays, so that the next agent finds it; one that nobody comes back to ends.
#[derive(Debug)]
pub(crate) struct Orphaned {
    open: Arc<AtomicUsize>,
    parent: u32,
    alone_since: Option<Instant>,
}

impl Orphaned {
    /// `open`: how many connections there are.
    pub(crate) fn new(open: Arc<AtomicUsize>) -> Orphaned {
        Orphaned {
            open,
            parent: std::os::unix::process::parent_id(),
            alone_since: None,
        }
    }

    /// Returns when the parent has changed and there was no connection for ten minutes.
    pub(crate) async fn wait(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let orphan = std::os::unix::process::parent_id() != self.parent;
            if self.look(
                orphan && self.open.load(Ordering::Relaxed) == 0,
                Instant::now(),
            ) {
                return;
            }
        }
    }

    fn look(&mut self, alone: bool, now: Instant) -> bool {
        self.alone_since = alone.then(|| self.alone_since.unwrap_or(now));
        self.alone_since
            .is_some_and(|since| now.duration_since(since) >= PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_ends_only_after_ten_lonely_minutes_in_a_row() {
        let mut orphan = Orphaned::new(Arc::default());
        let start = Instant::now();
        let minute = |n: u64| start + Duration::from_secs(60 * n);
        assert!(!orphan.look(true, minute(0)));
        assert!(!orphan.look(true, minute(9)));
        assert!(!orphan.look(false, minute(10)));
        assert!(!orphan.look(true, minute(11)));
        assert!(!orphan.look(true, minute(20)));
        assert!(orphan.look(true, minute(21)));
    }
}
