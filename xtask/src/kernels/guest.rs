//! A virtual machine: boot it, and read what it says on its serial ports.
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::image::PROGRAMS;
use super::log::{DONE, EXIT, Log, tail};
use super::packages::Kernel;
use super::programs::{PLUGIN_HOST, Programs, SUITE};
use super::rows::{Guest, Init, Row, Runs};
use super::{Result, Store, image};

/// How long a guest may take, from its boot to its end. It takes less than half of that where nothing else runs on two processors.
const DEADLINE: Duration = Duration::from_secs(20 * 60);

/// Processors and memory in MiB. One task of the suite is one process and a shim; emulated processors are threads of qemu.
const PROCESSORS: &str = "2";
const MEMORY: &str = "2048";

/// How many tests run at once. Never one: the harness would run it on the main thread, and a skipped test is known by its thread's name.
const THREADS: &str = "4";

/// A guest that is emulated takes this much longer.
const PATIENCE: &str = "20";

/// The crowds of the plugin's host, and how much longer than usual it waits there.
const CROWDS: &str = "SMOKE_MANY=4 SMOKE_CALLERS=100 SMOKE_PATIENCE=10";

/// Without the mitigations, which change page tables at every system call, emulation is a third faster. Nothing but the end of the kernel is
/// said on the console. A panic restarts, which `-no-reboot` makes the end.
const KERNEL: &str = "console=ttyS0 loglevel=1 panic=-1 rdinit=/init mitigations=off";

/// Boots a guest and waits for its end.
pub(crate) fn play(store: &Store, programs: &Programs, row: &Row, guest: &Guest) -> Result<Log> {
    let kernel = Kernel::fetch(store, guest.series)?;
    println!("xtask kernels: {}: {}", row.name, kernel.image.display());
    let image = image::make(store, programs, &kernel, row.name, guest)?;
    let logs = store.kept("logs")?;
    let console = logs.join(format!("{}.console", row.name));
    let results = logs.join(row.name);
    for file in [&console, &results] {
        std::fs::write(file, "")?;
    }
    let words = words(row, guest);
    let mut machine = boot(&kernel.image, &image, &words, [&console, &results])?;
    let ended = wait(&mut machine)?;
    let said = String::from_utf8_lossy(&std::fs::read(results)?).into_owned();
    let broken = broken(&said, ended).map(|why| {
        let console =
            String::from_utf8_lossy(&std::fs::read(&console).unwrap_or_default()).into_owned();
        format!("{why}; the end of its console:\n{}", tail(&console))
    });
    Ok(runs(&said, broken))
}

/// The words of the kernel's command line; those that it does not know become variables of init.
fn words(row: &Row, guest: &Guest) -> String {
    let pid_1 = match guest.init {
        Init::Script => "script",
        Init::Systemd => "systemd",
    };
    let program = match guest.runs {
        Runs::Suite(only) => suite(row, only),
        Runs::PluginHost => {
            format!("SUITE_PROGRAM={PLUGIN_HOST} SUITE_ARGS={PROGRAMS}/encamp {CROWDS}")
        }
    };
    format!("{KERNEL} SUITE_INIT={pid_1} {program}")
}

fn suite(row: &Row, only: &[&str]) -> String {
    let skip: Vec<_> = row
        .left_out
        .iter()
        .map(|(name, _)| format!("--skip {name}"))
        .collect();
    format!(
        "SUITE_PROGRAM={SUITE} ENCAMP_TEST_PATIENCE={PATIENCE} SUITE_ARGS=\"--test-threads={THREADS} {} {}\"",
        only.join(" "),
        skip.join(" ")
    )
}

fn boot(kernel: &Path, image: &Path, words: &str, serial: [&Path; 2]) -> Result<Child> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        PROCESSORS,
        "-m",
        MEMORY,
    ]);
    qemu.args([
        "-nodefaults",
        "-display",
        "none",
        "-monitor",
        "none",
        "-nic",
        "none",
        "-no-reboot",
    ]);
    for port in serial {
        qemu.arg("-serial").arg(format!("file:{}", port.display()));
    }
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(image);
    qemu.args(["-append", words]).stdin(Stdio::null());
    Ok(qemu
        .spawn()
        .map_err(|error| format!("qemu-system-x86_64: {error}"))?)
}

/// Whether it ended by itself.
fn wait(machine: &mut Child) -> Result<bool> {
    let begin = Instant::now();
    while begin.elapsed() < DEADLINE {
        if machine.try_wait()?.is_some() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    machine.kill()?;
    machine.wait()?;
    Ok(false)
}

fn broken(said: &str, ended: bool) -> Option<String> {
    if !ended {
        return Some(format!(
            "the guest was not done after {} s",
            DEADLINE.as_secs()
        ));
    }
    let last = said
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(EXIT));
    match last {
        _ if !said.contains(DONE) => Some("the guest ended before the suite".to_owned()),
        Some("0" | "101") => None,
        Some(code) => Some(format!("the suite ended with {code}")),
        None => Some("the guest ran nothing".to_owned()),
    }
}

/// The run on the ramdisk and the one after it; each ends with a line of its own.
fn runs(said: &str, mut broken: Option<String>) -> Log {
    let mut log: Option<Log> = None;
    for part in said.split(EXIT) {
        match &mut log {
            None => log = Some(Log::new(part, broken.take())),
            Some(log) => log.add(Log::new(part, None)),
        }
    }
    log.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::rows::{Place, ROWS};

    #[test]
    fn a_guest_that_hangs_dies_or_ends_badly_is_told_from_one_that_is_done() {
        assert_eq!(broken("kernels: exit 0\r\nkernels: done\r\n", true), None);
        assert_eq!(broken("kernels: exit 101\nkernels: done", true), None);
        assert!(
            broken("kernels: exit 0\n", false)
                .unwrap()
                .contains("not done")
        );
        assert!(
            broken("kernels: exit 0\ntest a ... ok\n", true)
                .unwrap()
                .contains("before")
        );
        assert!(
            broken("kernels: exit 134\nkernels: done", true)
                .unwrap()
                .contains("134")
        );
    }

    #[test]
    fn each_guest_is_told_its_program() {
        let told = |name: &str| {
            let row = ROWS.iter().find(|row| row.name == name).unwrap();
            match &row.place {
                Place::Guest(guest) => words(row, guest),
                Place::Here(_) => panic!("{name} is no guest"),
            }
        };
        assert!(told("systemd").contains("SUITE_INIT=systemd SUITE_PROGRAM=isolation "));
        assert!(told("6.1").contains("--skip users::"));
        assert!(told("plugin").contains("SUITE_PROGRAM=nomad-host SUITE_ARGS=/opt/encamp/encamp "));
        // The kernel passes no more than 2048 bytes on.
        assert!(
            ROWS.iter()
                .all(|row| matches!(&row.place, Place::Here(_)) || told(row.name).len() < 2048)
        );
    }
}
