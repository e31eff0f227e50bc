//! The program as its users have it: `encamp run` with real tasks, and with everything that can be wrong.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, geteuid};

use world::{Ended, Running, World, root};

const DRIVERS: [&str; 2] = ["exec", "exec2"];
/// Nothing that should be at once takes this long.
const SOON: Duration = Duration::from_secs(4);

impl World {
    fn run_text(&self, text: &str) -> Ended {
        self.run_job(text, &["--rm"])
    }
}

fn encamp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
    command.stdin(Stdio::null());
    command
}

/// A batch job of one task that is not restarted; `more` goes into the task.
fn job(driver: &str, command: &str, args: &[&str], more: &str) -> String {
    restarting_job(driver, command, args, more, "attempts = 0")
}

fn restarting_job(driver: &str, command: &str, args: &[&str], more: &str, restart: &str) -> String {
    let args: Vec<String> = args.iter().map(|arg| format!("{arg:?}")).collect();
    format!(
        "job \"j\" {{\n  type = \"batch\"\n  group \"g\" {{\n    restart {{\n      {restart}\n      interval = \"10m\"\n      delay = \"100ms\"\n      \
         mode = \"fail\"\n    }}\n    task \"t\" {{\n      driver = {driver:?}\n      config {{\n        command = {command:?}\n        args = \
         [{}]\n      }}\n      {more}\n    }}\n  }}\n}}\n",
        args.join(", ")
    )
}

fn shell(driver: &str, script: &str, more: &str) -> String {
    job(driver, "/bin/sh", &["-c", script], more)
}

#[test]
fn the_environment_is_the_tasks_and_not_the_callers() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let text = job(
            driver,
            "/usr/bin/env",
            &[],
            "env {\n GREETING = \"hello\"\n }",
        );
        let mut command = world.job_command(&text, &[]);
        command
            .env("GITHUB_TOKEN", "secret")
            .env("TZ", "Europe/Vienna");
        let ended = Ended::of(command.output().unwrap()).exited(0);
        for line in [
            "GREETING=hello",
            "TZ=Europe/Vienna",
            "NOMAD_ALLOC_NAME=j.g[0]",
            "NOMAD_CPU_LIMIT=100",
            "NOMAD_MEMORY_LIMIT=300",
            "PATH=/usr/local/bin:/usr/bin:/bin",
        ] {
            assert!(
                ended.stdout.lines().any(|found| found == line),
                "{driver}: {line} in\n{}",
                ended.stdout
            );
        }
        assert!(!ended.stdout.contains("GITHUB_TOKEN"), "{driver}");
        world.assert_clean();
    }
}

#[test]
fn the_tasks_exit_code_is_the_commands() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        for code in [0, 7, 255] {
            let _ = world
                .run_text(&shell(driver, &format!("exit {code}"), ""))
                .exited(code);
        }
        world.assert_clean();
    }
}

#[test]
fn output_is_separate_complete_and_byte_for_byte() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let script = "printf 'a\\000b\\377'; echo err >&2; head -c 300000 /dev/zero";
        let output = world
            .job_command(&shell(driver, script, ""), &["-q"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(&output.stdout[..4], b"a\0b\xff", "{driver}");
        assert_eq!(output.stdout.len(), 300_004, "{driver}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n", "{driver}");
    }
}

#[test]
fn only_those_who_ask_are_told_what_the_kernel_lacks() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let text = shell(driver, "exit 0", "");
        let said = |flags: &[&str]| {
            let ended = world.run_job(&text, flags).exited(0);
            ended.stderr
        };
        let (usual, all) = (said(&["--rm"]), said(&["--rm", "-v"]));
        for word in ["lacks", "Landlock", "memory.oom.group"] {
            assert!(!usual.contains(word), "{usual}");
        }
        assert_eq!(all.contains("Landlock ABI"), driver == "exec2", "{all}");
    }
}

#[test]
fn output_is_live() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let mut running = world.start_job(&shell(driver, "echo one; sleep 600", ""));
        assert_eq!(running.line(), "one\n", "{driver}");
        running.signal(Signal::TERM);
        let _ = running.end();
        world.assert_clean();
    }
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_task() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let script = "head -c 1000000 /dev/zero; exit 5";
        let mut command = world.job_command(&shell(driver, script, ""), &["--rm"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        assert_eq!(child.wait().unwrap().code(), Some(5), "{driver}");
    }
}

#[test]
fn ctrl_c_ends_sleep_at_once_with_130() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut running = world.start_job(&shell(
                driver,
                "echo ready; exec sleep 600",
                "kill_timeout = \"20s\"",
            ));
            assert_eq!(running.line(), "ready\n");
            std::thread::sleep(Duration::from_millis(200));
            let began = Instant::now();
            running.signal(signal);
            // Whatever ends us, the task gets its own kill_signal, SIGINT.
            running
                .end()
                .exited(130)
                .says_all(&["stopping: SIGINT, then SIGKILL after 20s"]);
            assert!(
                began.elapsed() < SOON,
                "{driver} {signal:?}: {:?}",
                began.elapsed()
            );
            world.assert_clean();
        }
    }
}

#[test]
fn kill_signal_reaches_a_task_that_may_choose_its_code() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let script = "trap 'exit 42' USR1; echo ready; while :; do sleep 0.05; done";
        let mut running = world.start_job(&shell(driver, script, "kill_signal = \"SIGUSR1\""));
        assert_eq!(running.line(), "ready\n");
        running.signal(Signal::INT);
        let _ = running.end().exited(42);
    }
}

#[test]
fn a_task_that_does_not_listen_is_killed_after_its_time() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let mut running = world.start_job(&shell(driver, DEAF, "kill_timeout = \"1s\""));
        assert_eq!(running.line(), "ready\n");
        let began = Instant::now();
        running.signal(Signal::INT);
        let _ = running.end().exited(137);
        assert!(
            began.elapsed() >= Duration::from_secs(1) && began.elapsed() < SOON,
            "{driver}: {:?}",
            began.elapsed()
        );
    }
}

const DEAF: &str = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";

#[test]
fn the_second_signal_kills_at_once() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let mut running = world.start_job(&shell(driver, DEAF, "kill_timeout = \"25s\""));
        assert_eq!(running.line(), "ready\n");
        let began = Instant::now();
        running.signal(Signal::INT);
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::INT);
        let _ = running.end().exited(137);
        assert!(began.elapsed() < SOON, "{driver}: {:?}", began.elapsed());
        world.assert_clean();
    }
}

#[test]
fn a_failing_task_is_restarted_as_its_policy_says() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let script = "echo x >> $NOMAD_TASK_DIR/count; wc -l < $NOMAD_TASK_DIR/count; exit 9";
        let text = restarting_job(driver, "/bin/sh", &["-c", script], "", "attempts = 2");
        let ended = world.run_text(&text).exited(9);
        let counts: Vec<&str> = ended.stdout.lines().map(str::trim).collect();
        assert_eq!(
            counts,
            ["1", "2", "3"],
            "{driver}: the same directories every time"
        );
        ended.says_all(&[
            "restarting in 0.1s (attempt 1 of 2 in 10m0s",
            "attempt 2 of 2",
            "not restarting: Exceeded allowed attempts 2 in interval 10m0s and mode is \"fail\"",
        ]);
        world.assert_clean();
    }
}

#[test]
fn no_restart_means_one_start() {
    if !root() {
        return;
    }
    let world = World::new();
    let text = restarting_job(
        "exec",
        "/bin/sh",
        &["-c", "echo x; exit 9"],
        "",
        "attempts = 2",
    );
    let ended = world.run_job(&text, &["--rm", "--no-restart"]).exited(9);
    assert_eq!(ended.stdout, "x\n");
}

#[test]
fn a_signal_between_two_starts_ends_the_run() {
    if !root() {
        return;
    }
    let world = World::new();
    let text = restarting_job(
        "exec",
        "/bin/sh",
        &["-c", "echo x; exit 9"],
        "",
        "attempts = 2",
    )
    .replace("100ms", "60s");
    let mut running = world.start_job(&text);
    assert_eq!(running.line(), "x\n");
    std::thread::sleep(Duration::from_secs(1));
    running.signal(Signal::TERM);
    let _ = running.end().exited(143);
    world.assert_clean();
}

#[test]
fn a_failed_tasks_alloc_directory_is_kept_and_named() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let script = "echo d > $NOMAD_TASK_DIR/d; echo s > $NOMAD_SECRETS_DIR/s; exit 3";
        let text = shell(driver, script, "");
        let ended = world.run_job(&text, &[]).exited(3);
        let kept = ended
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("==> kept ")?.split(' ').next());
        let kept = Path::new(kept.unwrap());
        assert_eq!(
            std::fs::read_to_string(kept.join("t/local/d")).unwrap(),
            "d\n",
            "{driver}"
        );
        assert_eq!(
            std::fs::read_dir(kept.join("t/secrets")).unwrap().count(),
            0,
            "{driver}"
        );
        assert_eq!(
            std::fs::metadata(kept).unwrap().mode() & 0o7777,
            0o700,
            "{driver}"
        );
        let id = kept.file_name().unwrap().to_str().unwrap();
        assert_eq!(world.left(), [format!("data/alloc/{id}")], "{driver}");
        let _ = world.run_text(&shell(driver, "exit 0", "")).exited(0);
        assert!(kept.exists(), "{driver}: a kept directory is not swept");
        std::fs::remove_dir_all(kept).unwrap();
    }
}

#[test]
fn keep_and_rm_decide() {
    if !root() {
        return;
    }
    let world = World::new();
    let _ = world
        .run_job(&shell("exec", "exit 3", ""), &["--rm"])
        .exited(3);
    world.assert_clean();
    let _ = world
        .run_job(&shell("exec", "exit 0", ""), &["--keep"])
        .exited(0);
    assert_eq!(world.left().len(), 1);
}

#[test]
fn a_killed_run_is_cleared_by_the_next() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        let mut running = world.start_job(&shell(driver, "echo ready; exec sleep 600", ""));
        assert_eq!(running.line(), "ready\n");
        running.signal(Signal::KILL);
        let _ = running.end();
        assert!(!world.left().is_empty(), "{driver}");
        let _ = world.run_text(&shell(driver, "exit 0", "")).exited(0);
        world.assert_clean();
    }
}

#[test]
fn many_runs_at_once_all_have_their_own() {
    if !root() {
        return;
    }
    let world = World::new();
    let text = job("exec2", "/usr/bin/id", &["-u"], "");
    let running: Vec<Running> = (0..20).map(|_| world.start_job(&text)).collect();
    let uids: Vec<String> = running
        .into_iter()
        .map(|one| one.end().exited(0).stdout)
        .collect();
    assert_eq!(uids.iter().collect::<BTreeSet<_>>().len(), 20, "{uids:?}");
    world.assert_clean();
}

#[test]
fn a_command_that_is_missing_is_127_and_leaves_nothing() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        world
            .run_text(&job(driver, "/no/such/command", &[], ""))
            .exited(127)
            .says_all(&["Error: task \"t\"", ".nomad.hcl:", "/no/such/command"]);
        world.assert_clean();
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126_and_leaves_nothing() {
    if !root() {
        return;
    }
    let world = World::new();
    for driver in DRIVERS {
        world
            .run_text(&job(driver, "/etc/passwd", &[], ""))
            .exited(126)
            .says_all(&["/etc/passwd"]);
        world.assert_clean();
    }
}

#[test]
fn bad_job_files_are_1_with_their_place_and_make_nothing() {
    let world = World::new();
    let right = job("exec", "/bin/true", &[], "");
    let wrong = [
        ("job \"x\" {".to_owned(), ":1,"),
        (
            right.replace("\"exec\"", "\"docker\""),
            "driver \"docker\" is not available here",
        ),
        (right.replace("command =", "comand ="), "comand"),
        (right.replace("\"/bin/true\"", "[1]"), "command"),
        (
            job("exec", "/bin/true", &[], "kill_signal = \"SIGNOTHING\""),
            "SIGNOTHING",
        ),
        (
            job("exec", "/bin/true", &[], "user = \"encamp-nobody-at-all\""),
            "encamp-nobody-at-all",
        ),
        (
            right.replace("mode = \"fail\"", "mode = \"maybe\""),
            "maybe",
        ),
    ];
    for (text, words) in wrong {
        if !geteuid().is_root() && words.contains("nobody-at-all") {
            continue;
        }
        let ended = world.run_text(&text).exited(1);
        ended.says_all(&[".nomad.hcl:", words]);
        assert_eq!(ended.stdout, "", "{text}");
    }
    assert!(!world.dir.join("data").exists() && !world.dir.join("run").exists());
}

#[test]
fn without_root_it_says_so_and_makes_nothing() {
    if !root() {
        return;
    }
    let world = World::new();
    let program = world.dir.join("encamp");
    std::fs::copy(env!("CARGO_BIN_EXE_encamp"), &program).unwrap();
    let file = world.file(&job("exec", "/bin/true", &[], ""));
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(program)
        .arg("run")
        .arg(file);
    command
        .arg("--data-dir")
        .arg(world.dir.join("data"))
        .arg("--run-dir")
        .arg(world.dir.join("run"));
    Ended::of(command.output().unwrap()).exited(2).says_all(&[
        "* Constraint \"missing drivers\": 1 nodes excluded by filter",
        "driver \"exec\": Driver must run as root",
        "sudo",
    ]);
    assert!(!world.dir.join("data").exists() && !world.dir.join("run").exists());
}

#[test]
fn validate_needs_no_root_and_finds_what_the_driver_would() {
    let world = World::new();
    let validate = |text: &str| {
        Ended::of(
            encamp()
                .arg("validate")
                .arg(world.file(text))
                .output()
                .unwrap(),
        )
    };
    for driver in DRIVERS {
        validate(&job(driver, "/bin/true", &[], ""))
            .exited(0)
            .says_all(&["is valid"]);
        validate(&job(driver, "/bin/true", &[], "").replace("command =", "comand ="))
            .exited(1)
            .says_all(&["comand"]);
    }
}

#[test]
fn usage_is_1_and_help_is_0() {
    for arguments in [&["run"][..], &["nosuch"], &["run", "x", "--nosuch"], &[]] {
        let _ = Ended::of(encamp().args(arguments).output().unwrap()).exited(1);
    }
    for arguments in [
        &["--help"][..],
        &["run", "-help"],
        &["--version"],
        &["version"],
    ] {
        let _ = Ended::of(encamp().args(arguments).output().unwrap()).exited(0);
    }
    let missing = Ended::of(encamp().args(["run", "/no/such/file"]).output().unwrap()).exited(1);
    missing.says_all(&[
        "Error: cannot read the job file /no/such/file",
        "No such file",
    ]);
}

#[test]
fn help_tells_the_exit_codes() {
    let help = Ended::of(encamp().args(["run", "--help"]).output().unwrap())
        .exited(0)
        .stdout;
    for words in ["125", "126", "127", "128+n", "Ctrl-C"] {
        assert!(help.contains(words), "{words} in {help}");
    }
}

#[test]
fn a_plugin_that_is_started_by_hand_explains_itself() {
    let world = World::new();
    let plugin = world.dir.join("nomad-driver-exec2");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_encamp"), &plugin).unwrap();
    let output = Command::new(plugin)
        .env_remove("NOMAD_PLUGIN_MAGIC_COOKIE")
        .output()
        .unwrap();
    Ended::of(output)
        .exited(64)
        .says_all(&["This is a Nomad driver plugin", "encamp --help"]);
}

#[test]
fn a_job_can_come_from_standard_input() {
    if !root() {
        return;
    }
    let world = World::new();
    let mut command = encamp();
    command
        .args(["run", "-", "--data-dir"])
        .arg(world.dir.join("data"))
        .arg("--run-dir")
        .arg(world.dir.join("run"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(shell("exec", "echo hello", "").as_bytes())
        .unwrap();
    assert_eq!(
        Ended::of(child.wait_with_output().unwrap())
            .exited(0)
            .stdout,
        "hello\n"
    );
}

#[test]
fn a_relative_data_directory_is_below_the_working_directory() {
    if !root() {
        return;
    }
    let world = World::new();
    let file = world.file(&shell("exec2", "echo $NOMAD_TASK_DIR", ""));
    let mut command = encamp();
    command.current_dir(&world.dir).arg("run").arg(file);
    command.args(["-data-dir", "data", "-run-dir", "run"]);
    let ended = Ended::of(command.output().unwrap()).exited(0);
    let expected = world.dir.join("data/alloc_mounts");
    assert!(
        ended.stdout.starts_with(expected.to_str().unwrap()),
        "{}",
        ended.stdout
    );
}

#[test]
fn output_that_cannot_be_written_is_told_and_the_task_goes_on() {
    if !root() {
        return;
    }
    let world = World::new();
    let mut command = world.job_command(&shell("exec", "echo x; exit 4", ""), &["--rm"]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command.stdout(full).output().unwrap();
    Ended::of(output)
        .exited(4)
        .says_all(&["cannot write the task's stdout", "No space left on device"]);
}
