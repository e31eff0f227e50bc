//! Ways to start the program that does nothing.
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::in_process::InProcess;
use crate::programs::Programs;

/// What a runner does once, and how long it took: what is not part of a start is left out by the runner itself.
type Start<'a> = Box<dyn FnMut() -> Result<Duration, Box<dyn Error>> + 'a>;

/// One way, with what was measured so far.
pub(crate) struct Runner<'a> {
    pub(crate) name: &'static str,
    pub(crate) samples: Vec<Duration>,
    start: Start<'a>,
}

impl<'a> Runner<'a> {
    fn new(name: &'static str, start: Start<'a>) -> Runner<'a> {
        Runner {
            name,
            samples: Vec::new(),
            start,
        }
    }

    fn command(name: &'static str, mut command: Command) -> Runner<'a> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Runner::new(name, Box::new(move || time(&mut command)))
    }

    /// Starts once; counts it or not.
    pub(crate) fn run(&mut self, counted: bool) -> Result<(), Box<dyn Error>> {
        let took = (self.start)()?;
        if counted {
            self.samples.push(took);
        }
        Ok(())
    }
}

fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    let begin = Instant::now();
    let status = command.spawn()?.wait()?;
    let took = begin.elapsed();
    if status.success() {
        Ok(took)
    } else {
        Err(status.to_string().into())
    }
}

/// Every way that this machine has, the yardsticks first.
pub(crate) fn all(programs: &Programs) -> Result<Vec<Runner<'_>>, Box<dyn Error>> {
    let mut floor = Command::new(&programs.floor);
    floor.arg(&programs.nothing);
    let mut runners = vec![
        Runner::command("bare spawn", Command::new(&programs.nothing)),
        Runner::command("floor in C", floor),
    ];
    runners.extend(bwrap(programs)?);
    for (name, driver) in [("driver exec", "exec"), ("driver exec2", "exec2")] {
        let mut in_process = InProcess::new(driver, programs)?;
        runners.push(Runner::new(name, Box::new(move || in_process.start())));
    }
    for (name, driver) in [("encamp run, exec", "exec"), ("encamp run, exec2", "exec2")] {
        let mut command = Command::new(&programs.encamp);
        command
            .arg("run")
            .arg("--data-dir")
            .arg(programs.directory().join("data"))
            .arg("--run-dir")
            .arg(programs.directory().join("run"))
            .arg(programs.job(driver, &programs.nothing.to_string_lossy(), &[])?);
        runners.push(Runner::command(name, command));
    }
    Ok(runners)
}

/// With the namespaces that a task has, and a root, `/proc` and `/dev` of its own.
fn bwrap(programs: &Programs) -> Result<Option<Runner<'static>>, Box<dyn Error>> {
    let mut command = Command::new("bwrap");
    command
        .args([
            "--unshare-pid",
            "--unshare-ipc",
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ])
        .arg(&programs.nothing);
    if Command::new("bwrap")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok()
    {
        return Ok(Some(Runner::command("bwrap", command)));
    }
    // The same switch as the suites': what CI requires is not left out.
    if std::env::var(suite::need::REQUIRE).is_ok_and(|required| {
        required
            .split(',')
            .any(|word| word == "all" || word == "bwrap")
    }) {
        return Err("no bwrap (Debian: bubblewrap), and it is required".into());
    }
    eprintln!("SKIPPED bwrap: not installed (Debian: bubblewrap)");
    Ok(None)
}
