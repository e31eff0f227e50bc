//! More of what a task may try: one call of the kernel each.
use std::fs;
use std::io::{Error, Result};
use std::net::TcpListener;

use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

/// `None`: no such verb.
pub(crate) fn attempt(verb: &str, arguments: &[&str]) -> Option<Result<Value>> {
    Some(match (verb, arguments) {
        // Without asking to read what it makes, as a shell's `>` does.
        ("make", [path]) => done(
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path),
        ),
        ("rmdir", [path]) => done(fs::remove_dir(path)),
        ("link", [from, to]) => done(fs::hard_link(from, to)),
        ("mkfifo", [path]) => done(rustix::fs::mknodat(
            CWD,
            *path,
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )),
        ("open", [path]) => done(fs::File::open(path)),
        // FIONREAD: no device of these tests knows it, so EINVAL or ENOTTY says that the device was asked.
        ("ioctl", [path]) => {
            fs::File::open(path).and_then(|file| done(rustix::io::ioctl_fionread(file)))
        }
        ("chdir", [path]) => done(std::env::set_current_dir(path)),
        ("listen", [address]) => done(TcpListener::bind(address)),
        ("connect-tcp", [address]) => done(std::net::TcpStream::connect(address)),
        _ => return None,
    })
}

/// An attempt whose result says nothing more.
fn done<T, E: Into<Error>>(result: std::result::Result<T, E>) -> Result<Value> {
    result.map(|_| json!({})).map_err(Into::into)
}
