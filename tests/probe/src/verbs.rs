//! What a task may try. Each verb prints one line with its outcome.
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::fs::{CWD, FileType, Mode, RenameFlags};
use rustix::mount::MountFlags;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::{facts, network};

/// How much of a file is printed.
const READ_LIMIT: usize = 4096;

/// Carries out one verb. `Some`: the process ends with this code.
pub(crate) fn run(verb: &str, arguments: &[&str]) -> Option<ExitCode> {
    match (verb, arguments) {
        ("facts", []) => println!("{}", facts::all()),
        ("say", words) => println!("{}", words.join(" ")),
        ("warn", words) => warn(&words.join(" ")),
        ("sleep", [seconds]) => thread::sleep(Duration::from_secs_f64(seconds.parse().ok()?)),
        ("exit", [code]) => return Some(ExitCode::from(code.parse::<u8>().unwrap_or(64))),
        ("catch", [signal, code]) => {
            return catch(number(signal), Some(code.parse::<u8>().unwrap_or(64)));
        }
        ("abort", []) => std::process::abort(),
        ("ignore", [signal]) => return catch(number(signal), None),
        _ => match attempt(verb, arguments) {
            Ok(outcome) => report(verb, arguments, &outcome),
            Err(error)
                if error.kind() == ErrorKind::InvalidInput && error.raw_os_error().is_none() =>
            {
                eprintln!("probe: {error}: {verb} {}", arguments.join(" "));
                return Some(ExitCode::from(64));
            }
            Err(error) => report(verb, arguments, &Err(error)),
        },
    }
    None
}

/// In one write, so that nobody's line comes between: standard error is not buffered.
fn warn(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// What the kernel said to one attempt (`write` without a text only opens for writing); the outer error is a verb that does not exist.
fn attempt(verb: &str, arguments: &[&str]) -> Result<Result<Value>> {
    Ok(match (verb, arguments) {
        ("read", [path]) => read(path),
        ("write", [path, text @ ..]) => fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| done(file.write_all(text.join(" ").as_bytes()))),
        ("create", [path, text @ ..]) => fs::File::create_new(path)
            .and_then(|mut file| done(file.write_all(text.join(" ").as_bytes()))),
        ("list", [path]) => fs::read_dir(path).map(|_| json!({"names": facts::names(path)})),
        ("stat", [path]) => stat(path),
        ("mkdir", [path]) => done(fs::create_dir(path)),
        ("unlink", [path]) => done(fs::remove_file(path)),
        ("rename", [from, to]) => done(fs::rename(from, to)),
        ("exchange", [one, other, seconds]) => exchange(one, other, seconds),
        ("symlink", [to, path]) => done(std::os::unix::fs::symlink(to, path)),
        ("truncate", [path]) => done(rustix::fs::open(
            *path,
            rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::TRUNC,
            Mode::empty(),
        )),
        ("chmod", [path, mode]) => done(fs::set_permissions(
            path,
            fs::Permissions::from_mode(u32::from_str_radix(mode, 8).unwrap_or(0)),
        )),
        ("chown", [path, uid]) => done(std::os::unix::fs::chown(path, uid.parse().ok(), None)),
        ("exec", [path, rest @ ..]) => exec(path, rest),
        ("connect-unix", [path]) => done(UnixStream::connect(path)),
        ("connect", [address]) => done(std::net::TcpStream::connect(address)),
        ("listen", [address, text]) => listen(address, text),
        ("addresses", []) => Ok(json!({"addresses": network::addresses()})),
        ("connect-abstract", [name]) => connect_abstract(name),
        ("kill", [pid, signal]) => done(kill(pid, number(signal))),
        ("raise", [signal]) => done(named(number(signal)).and_then(|signal| {
            Ok(rustix::process::kill_process(
                rustix::process::getpid(),
                signal,
            )?)
        })),
        ("mount", [target]) => done(rustix::mount::mount(
            "probe",
            *target,
            "tmpfs",
            MountFlags::empty(),
            None,
        )),
        ("remount-rw", [target]) => {
            done(rustix::mount::mount_remount(*target, MountFlags::BIND, ""))
        }
        ("mknod", [path, kind, major, minor]) => mknod(path, kind, major, minor),
        ("setuid", [uid]) => done(rustix::thread::set_thread_uid(
            rustix::thread::Uid::from_raw(uid.parse().unwrap_or(0)),
        )),
        ("fork-orphans", [count, seconds]) => fork_orphans(count, seconds),
        ("orphan", [seconds]) => sleeper(seconds).map(|pid| json!({"pid": pid})),
        ("eat-memory", [megabytes]) => eat(megabytes),
        ("env", [name]) => Ok(json!({"value": std::env::var(name).ok()})),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "no such verb")),
    })
}

fn report(verb: &str, arguments: &[&str], outcome: &Result<Value>) {
    let mut line = match outcome {
        Ok(value) => value.clone(),
        Err(error) => json!({"errno": error.raw_os_error(), "error": error.to_string()}),
    };
    line["ok"] = json!(outcome.is_ok());
    line["verb"] = json!(verb);
    line["arguments"] = json!(arguments);
    println!("{line}");
}

/// An attempt whose result says nothing more.
fn done<T, E: Into<Error>>(result: std::result::Result<T, E>) -> Result<Value> {
    result.map(|_| json!({})).map_err(Into::into)
}

fn read(path: &str) -> Result<Value> {
    let bytes = fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(READ_LIMIT)]).into_owned();
    Ok(json!({"bytes": bytes.len(), "text": text}))
}

fn stat(path: &str) -> Result<Value> {
    let found = fs::symlink_metadata(path)?;
    let target = fs::read_link(path).ok();
    Ok(json!({
        "mode": format!("{:o}", found.mode()), "uid": found.uid(), "gid": found.gid(), "size": found.size(),
        "device": found.dev(), "inode": found.ino(), "rdev": found.rdev(), "target": target,
    }))
}

fn exec(path: &str, arguments: &[&str]) -> Result<Value> {
    use std::os::unix::process::ExitStatusExt;
    let output = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    Ok(json!({
        "code": output.status.code(), "signal": output.status.signal(),
        "stdout": String::from_utf8_lossy(&output.stdout), "stderr": String::from_utf8_lossy(&output.stderr),
    }))
}

/// Exchanges two names, again and again.
fn exchange(one: &str, other: &str, seconds: &str) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs(seconds.parse().unwrap_or(1));
    println!("{}", json!({"exchanging": [one, other]}));
    let mut times = 0_u64;
    while Instant::now() < end {
        rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
        times += 1;
    }
    Ok(json!({"times": times}))
}

/// Says the text to the first who connects.
fn listen(address: &str, text: &str) -> Result<Value> {
    let listener = std::net::TcpListener::bind(address)?;
    println!("{}", json!({"listening": address}));
    done(listener.accept()?.0.write_all(text.as_bytes()))
}

fn connect_abstract(name: &str) -> Result<Value> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    done(UnixStream::connect_addr(&address))
}

fn kill(pid: &str, signal: i32) -> Result<()> {
    let pid = pid
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(ErrorKind::InvalidData)?;
    if signal == 0 {
        return Ok(rustix::process::test_kill_process(pid)?);
    }
    Ok(rustix::process::kill_process(pid, named(signal)?)?)
}

/// A number, or one of the names that the suites use.
fn number(signal: &str) -> i32 {
    let names = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("TERM", 15),
    ];
    let known = names
        .iter()
        .find(|(name, _)| *name == signal.trim_start_matches("SIG"));
    known.map_or_else(|| signal.parse().unwrap_or(0), |(_, number)| *number)
}

fn named(signal: i32) -> Result<Signal> {
    Signal::from_named_raw(signal).ok_or_else(|| ErrorKind::InvalidData.into())
}

fn mknod(path: &str, kind: &str, major: &str, minor: &str) -> Result<Value> {
    let kind = if kind == "b" {
        FileType::BlockDevice
    } else {
        FileType::CharacterDevice
    };
    let device = rustix::fs::makedev(major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    done(rustix::fs::mknodat(
        CWD,
        path,
        kind,
        Mode::from_raw_mode(0o666),
        device,
    ))
}

/// Announces itself on standard output, so that whoever sends the signal knows when to; then waits for it.
/// `None` for the code: goes on for ever.
fn catch(signal: i32, code: Option<u8>) -> Option<ExitCode> {
    let caught = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register(signal, Arc::clone(&caught));
    println!(
        "{}",
        json!({"verb": "catch", "signal": signal, "ok": registered.is_ok()})
    );
    loop {
        thread::sleep(Duration::from_millis(5));
        if let (true, Some(code)) = (caught.load(Ordering::Relaxed), code) {
            return Some(ExitCode::from(code));
        }
    }
}

/// Children of children that are left behind: they are named as this program and sleep.
fn fork_orphans(count: &str, seconds: &str) -> Result<Value> {
    let mut pids = Vec::new();
    for _ in 0..count.parse().unwrap_or(0) {
        let output = Command::new(own_path()?)
            .args(["orphan", seconds])
            .output()?;
        let line: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        pids.push(line["pid"].clone());
    }
    Ok(json!({"pids": pids}))
}

/// A sleeping child that holds none of our streams.
fn sleeper(seconds: &str) -> Result<u32> {
    let mut command = Command::new(own_path()?);
    command
        .args(["sleep", seconds])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command.spawn()?.id())
}

fn own_path() -> Result<std::path::PathBuf> {
    std::env::current_exe().or_else(|_| {
        std::env::args_os()
            .next()
            .map(Into::into)
            .ok_or_else(|| ErrorKind::NotFound.into())
    })
}

/// Takes memory and touches every page of it, in steps, so that a limit is met on the way and not in one call.
fn eat(megabytes: &str) -> Result<Value> {
    const STEP: usize = 1 << 20;
    let wanted: usize = megabytes.parse().unwrap_or(0);
    let mut eaten = Vec::new();
    for step in 0..wanted {
        let mut block = vec![0_u8; STEP];
        block
            .iter_mut()
            .step_by(4096)
            .for_each(|byte| *byte = u8::try_from(step % 255).unwrap_or(1) + 1);
        eaten.push(std::hint::black_box(block));
    }
    Ok(json!({"megabytes": eaten.len()}))
}
