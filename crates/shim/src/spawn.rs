//! Starting a process with its shim.
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use cgroup::Cgroup;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use sandbox::Prepared;

use crate::connection::Shim;
use crate::orders::Orders;
use crate::protocol::{self, Failed, Reply, SOCKET};
use crate::{Launch, Lifetime, Running, SpawnError, embedded, record, sys};

/// How long leftovers in the cgroup may take to die.
const EMPTYING: Duration = Duration::from_secs(10);

/// Shims that this process has started and not yet reaped, by their state directory.
static CHILDREN: Mutex<BTreeMap<PathBuf, OwnedFd>> = Mutex::new(BTreeMap::new());

/// A process that runs, and what its starter holds of it.
#[derive(Debug)]
pub struct Spawned {
    /// Its shim.
    pub shim: Shim,
    /// Who runs.
    pub running: Running,
    /// The near end of its input pipe or terminal, where the description asks for one.
    pub near: Option<OwnedFd>,
}

/// Prepares, starts a shim, and returns once the process runs (exec succeeded).
///
/// # Errors
/// Nothing is left behind: no process, no directory.
pub fn spawn(launch: &Launch<'_>) -> Result<Spawned, SpawnError> {
    let cgroup = Cgroup::at(launch.cgroup);
    if !cgroup.processes()?.is_empty() {
        cgroup.empty(EMPTYING)?;
    }
    let mut prepared = sandbox::prepare(launch.spec, &cgroup).map_err(SpawnError::from)?;
    let state = make_state(launch.state).map_err(failed(&format!(
        "make the state directory {}",
        launch.state.display()
    )))?;
    let started = start(launch, &prepared, &cgroup, &state);
    if started.is_err() {
        end(launch.state);
        let _ = crate::forget(launch.state);
    }
    let (control, running) = started?;
    let running = Running {
        refusals: prepared.refusals,
        landlock: prepared.landlock,
        ..running.into()
    };
    Ok(Spawned {
        shim: Shim::new(launch.state, Some(control)),
        running,
        near: prepared.near.take(),
    })
}

/// A state directory and the socket in it.
struct State {
    directory: OwnedFd,
    listener: OwnedFd,
}

/// Made under another name first, so that whoever finds a state directory finds somebody listening in it, or nobody ever will.
fn make_state(path: &Path) -> io::Result<State> {
    let unfinished = unfinished(path);
    // Of a start whose process was killed in its midst: nobody has ever listened there.
    remove(&unfinished)?;
    fs::DirBuilder::new().mode(0o700).create(&unfinished)?;
    let made = furnish(&unfinished).and_then(|state| {
        fs::rename(&unfinished, path)?;
        Ok(state)
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    made
}

/// What a state directory is called before there is one.
fn unfinished(state: &Path) -> PathBuf {
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    state.with_file_name(name)
}

/// Removes a state directory, and what a start that was broken off left of one.
pub(crate) fn remove_state(state: &Path) -> io::Result<()> {
    remove(&unfinished(state)).and_then(|()| remove(state))
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn furnish(path: &Path) -> io::Result<State> {
    let directory = open_state(path)?;
    let listener = listen(&directory)?;
    record::reserve(directory.as_fd())?;
    Ok(State {
        directory,
        listener,
    })
}

/// Ends a shim whose start has failed: it may not have noticed.
fn end(state: &Path) {
    if let Some(shim) = children().get(state) {
        let _ = rustix::process::pidfd_send_signal(shim, rustix::process::Signal::KILL);
    }
}

fn failed(act: &str) -> impl FnOnce(io::Error) -> SpawnError + '_ {
    move |source| SpawnError::Shim {
        act: act.to_owned(),
        source,
    }
}

fn start(
    launch: &Launch<'_>,
    prepared: &Prepared,
    cgroup: &Cgroup,
    state: &State,
) -> Result<(OwnedFd, protocol::Running), SpawnError> {
    let (near, far) = pair().map_err(failed("make the control connection"))?;
    let orders = orders(
        launch,
        prepared,
        cgroup,
        [&far, &state.listener, &state.directory],
    )?;
    let inherit: Vec<RawFd> = orders
        .fds
        .iter()
        .copied()
        .chain([orders.control, orders.listener, orders.state])
        .collect();
    let orders = write_orders(&orders).map_err(failed("write the shim's orders"))?;
    let image = embedded::image().map_err(failed("make the shim's image"))?;
    let private = prepared.program.clone & libc::CLONE_NEWPID as u64 != 0;
    let argv = [c_arg("encamp-shim"), c_arg(launch.title)];
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let null = null.map_err(|e| failed("open /dev/null")(e.into()))?;
    let stdio = [orders.as_fd(), null.as_fd(), null.as_fd()];
    let pidfd =
        sys::start(image, &argv, stdio, &inherit, private).map_err(failed("start the shim"))?;
    children().insert(launch.state.to_owned(), pidfd);
    // Ours would keep the connection open when the shim has died.
    drop(far);
    hear(near, prepared)
}

fn open_state(state: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(state, flags, Mode::empty())?)
}

/// Binds by descriptor: a path has only 107 bytes there (unix(7)).
fn listen(state: &OwnedFd) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", state.as_raw_fd()))?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 128)?;
    Ok(socket)
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

fn orders(
    launch: &Launch<'_>,
    prepared: &Prepared,
    cgroup: &Cgroup,
    [control, listener, state]: [&OwnedFd; 3],
) -> Result<Orders, SpawnError> {
    Ok(Orders {
        program: prepared.program.clone(),
        fds: prepared.fds.iter().map(AsRawFd::as_raw_fd).collect(),
        control: control.as_raw_fd(),
        listener: listener.as_raw_fd(),
        state: state.as_raw_fd(),
        cgroup: launch.cgroup.clone(),
        foreground: launch.lifetime == Lifetime::Foreground,
        oom_kills: cgroup.oom_kills()?,
        uid: launch.spec.identity.uid,
    })
}

fn write_orders(orders: &Orders) -> io::Result<OwnedFd> {
    let bytes = postcard::to_stdvec(orders).map_err(io::Error::other)?;
    let file = rustix::fs::memfd_create(c"orders", MemfdFlags::CLOEXEC)?;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    Ok(file)
}

/// Titles are shown, not interpreted: a NUL ends them.
fn c_arg(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Waits for the shim's first word.
fn hear(control: OwnedFd, prepared: &Prepared) -> Result<(OwnedFd, protocol::Running), SpawnError> {
    let word = protocol::receive::<Reply>(control.as_fd()).map_err(failed("hear from the shim"))?;
    match word.map(|(reply, _)| reply) {
        Some(Reply::Running(running)) => Ok((control, running)),
        Some(Reply::Failed(failure)) => Err(explain(failure, prepared)),
        _ => Err(failed("start the process: the shim ended without a word")(
            io::ErrorKind::BrokenPipe.into(),
        )),
    }
}

/// Turns the index of a step back into the whole step.
fn explain(failure: Failed, prepared: &Prepared) -> SpawnError {
    let source = io::Error::from_raw_os_error(failure.errno);
    if failure.exec
        && matches!(
            failure.errno,
            libc::ENOENT | libc::EACCES | libc::ENOEXEC | libc::EPERM | libc::E2BIG
        )
    {
        return SpawnError::NotExecutable {
            path: PathBuf::from(&prepared.executable),
            message: sandbox::explain(&prepared.executable, &source, &prepared.head),
        };
    }
    let step = failure
        .step
        .and_then(|step| prepared.program.step(step as usize));
    let directory = matches!(step, Some(sandbox::Step::ChangeDirectory { .. }));
    let step = step.map_or_else(|| "clone the process".to_owned(), ToString::to_string);
    SpawnError::Step {
        step,
        directory,
        source,
    }
}

fn children() -> std::sync::MutexGuard<'static, BTreeMap<PathBuf, OwnedFd>> {
    CHILDREN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Reaps the shim of a state directory if it was ours: it has ended, or is about to.
pub(crate) fn reap(state: &Path) {
    let Some(pidfd) = children().remove(state) else {
        return;
    };
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    let patience = Timespec {
        tv_sec: 5,
        tv_nsec: 0,
    };
    let _ = poll(&mut fds, Some(&patience));
    if let Ok(None) | Err(_) = sandbox::reap(pidfd.as_fd()) {
        children().insert(state.to_owned(), pidfd);
    }
}
