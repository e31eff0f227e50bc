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
    pub(crate) processes: Vec<(String, u64)>,
    /// Of the command that waits in the foreground, once for all of a job's tasks; a plugin has one for all tasks of a node.
    pub(crate) command_kib: u64,
}

/// Starts one sleeping task under each driver and reads `smaps_rollup`.
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
        .map(|(pid, name)| Ok((name, private_kib(pid)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    Ok(Beside {
        driver,
        processes,
        command_kib: private_kib(i32::try_from(child.id())?)?,
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

/// `Private_Clean` and `Private_Dirty` (proc_pid_smaps(5)).
fn private_kib(pid: i32) -> Result<u64, Box<dyn Error>> {
    let path = Path::new("/proc")
        .join(pid.to_string())
        .join("smaps_rollup");
    let text = std::fs::read_to_string(path)?;
    let lines = text
        .lines()
        .filter(|line| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"));
    Ok(lines
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum())
}
