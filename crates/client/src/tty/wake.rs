//! Signals as something to poll for.
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::{flag, low_level};

/// The terminal has another size.
pub(super) const RESIZED: i32 = SIGWINCH;

/// Readable once one of its signals has come. Their usual effect is gone as long as the process lives.
#[derive(Debug)]
pub struct Wake {
    reader: UnixStream,
    flags: Vec<(i32, Arc<AtomicBool>)>,
    registered: Vec<SigId>,
}

impl Wake {
    /// Of a new size only.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn on_resize() -> io::Result<Wake> {
        Wake::on(&[SIGWINCH])
    }

    /// Of a new size, and of whatever asks this process to end.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn on_resize_and_end() -> io::Result<Wake> {
        Wake::on(&[SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGQUIT])
    }

    fn on(signals: &[i32]) -> io::Result<Wake> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let mut wake = Wake {
            reader,
            flags: Vec::new(),
            registered: Vec::new(),
        };
        for signal in signals {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag first: whoever is woken looks at it.
            wake.registered
                .push(flag::register(*signal, Arc::clone(&flag))?);
            wake.registered
                .push(low_level::pipe::register(*signal, writer.try_clone()?)?);
            wake.flags.push((*signal, flag));
        }
        Ok(wake)
    }

    /// The signals that have come since the last time.
    pub(super) fn take(&self) -> Vec<i32> {
        let mut reader = &self.reader;
        while matches!(reader.read(&mut [0; 64]), Ok(1..)) {}
        let came = self
            .flags
            .iter()
            .filter(|(_, flag)| flag.swap(false, Ordering::Relaxed));
        came.map(|(signal, _)| *signal).collect()
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}
