//! The image: launches one process, stays with it, answers on its socket, records its end.
//!
//! Who watches whom: this process is the parent of the task process (or of its init) and polls its pidfd. In a private pid namespace it is
//! PID 1 of a namespace around the process's, so when it dies the kernel kills the process; with the host's pid namespace the
//! process has a parent-death signal. Whoever started it holds the control connection; in the foreground its end is the end.
#![deny(unsafe_code)]

mod cleanup;
mod client;
mod enter;
mod serve;
mod signals;
mod task;

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::DumpableBehavior;
use shim::orders::Orders;
use shim::protocol::{self, Reply};
use shim::sys::inherit;

fn main() {
    let Some(orders) = begin() else {
        std::process::exit(1)
    };
    let control = inherit(orders.control);
    match sandbox::launch(&orders.program) {
        Ok(process) => {
            let listener = inherit(orders.listener);
            let state = inherit(orders.state);
            cleanup::close_unneeded(&orders);
            let task = task::Task::new(orders, process, state);
            serve::serve(task, control, listener);
        }
        Err(failure) => tell(&control, &failure),
    }
}

/// Takes the orders and becomes a process of its own.
fn begin() -> Option<Orders> {
    // Not dumpable: nobody of another uid reads this memory or its descriptors.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::thread::set_name(c"encamp-shim");
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir(c"/");
    // Signals are for the process, not for us; only SIGKILL ends this one.
    let _ = sandbox::sys::set_signal_mask(u64::MAX);
    let bytes = read_orders()?;
    postcard::from_bytes(&bytes).ok()
}

/// Descriptor 0 holds the orders; after that it is `/dev/null` like 1 and 2.
fn read_orders() -> Option<Vec<u8>> {
    let orders = inherit(0);
    let size = rustix::fs::fstat(&orders).ok()?.st_size as usize;
    let mut bytes = vec![0u8; size];
    let mut at = 0;
    while at < size {
        let got = rustix::io::pread(&orders, &mut bytes[at..], at as u64).ok()?;
        if got == 0 {
            return None;
        }
        at += got;
    }
    sandbox::sys::dup2(rustix::stdio::stdout(), 0).ok()?;
    // It is /dev/null now and must stay taken, or the next open would get the number.
    std::mem::forget(orders);
    Some(bytes)
}

fn tell(control: &OwnedFd, failure: &sandbox::Failure) {
    // Whoever asked is gone: then nobody needs to know.
    let _ = protocol::send(control.as_fd(), &Reply::Failed(enter::failed(failure)), &[]);
}
