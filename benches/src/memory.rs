//! Private memory of everything of ours beside a task that sleeps.
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use suite::host::pids_named;

use crate::programs::Programs;

/// What ps(1) shows of the processes that stay with a task: the shim, and under exec2 the init.
const STAYS: &str = "encamp-shim";

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Of one driver.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) driver: &'static str,
    /// Of each process that stays with the task, by its name.
    pub(crate) processes: Vec<(String, Private)>,
    /// Of the command that waits in the foreground, once for all of a job's tasks; a plugin has one for all tasks of a node.
    pub(crate) command_kib: u64,
}

/// Private memory, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Private {
    /// What every further task costs.
    pub(crate) own_kib: u64,
    /// Pages of the shim's image, which all shims of one launcher share; they count as private while there is only one.
    pub(crate) image_kib: u64,
}

/// Starts one sleeping task under each driver and reads `smaps`.
pub(crate) fn beside_a_running_task(programs: &Programs) -> Result<Vec<Beside>, Box<dyn Error>> {
    ["exec", "exec2"]
        .into_iter()
        .map(|driver| beside(driver, programs))
        .collect()
}

fn beside(driver: &'static str, programs: &Programs) -> Result<Beside, Box<dyn Error>> {
    let before: Vec<_> = pids_named(STAYS).into_iter().map(|(pid, _)| pid).collect();
    let mut command = Command::new(&programs.encamp);
    command
        .arg("run")
        .arg(programs.job(driver, "/bin/sleep", &["600"])?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let measured = measure(driver, &before, &mut child);
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT)?;
    child.wait()?;
    measured
}

fn measure(
    driver: &'static str,
    before: &[i32],
    child: &mut Child,
) -> Result<Beside, Box<dyn Error>> {
    wait_for_the_task(child)?;
    let new = pids_named(STAYS)
        .into_iter()
        .filter(|(pid, _)| !before.contains(pid));
    let processes = new
        .map(|(pid, name)| Ok((name, private(pid)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let command = private(i32::try_from(child.id())?)?;
    Ok(Beside {
        driver,
        processes,
        command_kib: command.own_kib + command.image_kib,
    })
}

/// Until a process in a cgroup of ours has become `sleep`, and a moment more.
fn wait_for_the_task(child: &mut Child) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    while !pids_named("sleep")
        .into_iter()
        .any(|(pid, _)| is_in_our_cgroup(pid))
    {
        if let Some(status) = child.try_wait()? {
            return Err(format!("encamp run ended instead of sleeping: {status}").into());
        }
        if Instant::now() > deadline {
            return Err("no task after a long time".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    Ok(())
}

fn is_in_our_cgroup(pid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines().any(|line| line.contains(":/encamp"))
}

/// `Private_Clean` and `Private_Dirty` (proc_pid_smaps(5)), those of the image's read-only mappings apart.
fn private(pid: i32) -> Result<Private, Box<dyn Error>> {
    let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("smaps"))?;
    let mut private = Private::default();
    let mut image = false;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("Private_Clean:" | "Private_Dirty:") => {
                let kib: u64 = words.next().unwrap_or_default().parse()?;
                let sum = if image {
                    &mut private.image_kib
                } else {
                    &mut private.own_kib
                };
                *sum += kib;
            }
            // A mapping's header: addresses, then permissions.
            Some(first) if !first.ends_with(':') => {
                let writable = words.next().is_some_and(|rights| rights.contains('w'));
                image = line.contains("/memfd:encamp-shim") && !writable;
            }
            _ => {}
        }
    }
    Ok(private)
}
