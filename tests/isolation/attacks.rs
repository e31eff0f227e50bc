//! The task, the author of the job and the caller's shell as attackers: what once went wrong in software of this kind, tried on this one.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use suite::host::pids_named;
use suite::need::require;
use suite::{HostState, Outcome, Running, World};

use crate::{DRIVERS, EXEC_NEEDS, NEEDS, errnos};

/// How long the kernel may take to end the last mount or cgroup.
const PATIENCE: Duration = Duration::from_secs(10);

/// encamp itself has failed, or the host.
const FAILED: i32 = 125;

/// Descriptors that a launch might have open: more than it ever has.
const DESCRIPTORS: std::ops::Range<i32> = 3..40;

const EXIST: i64 = 17;
const BUSY: i64 = 16;
const ACCES: i64 = 13;
const PERM: i64 = 1;

/// What a shell makes of a job: `$RUN` there is `encamp run` of it. Nothing is kept: where it would be cannot be told to closed streams.
fn shell(world: &World, job: &suite::Job, script: &str) -> Outcome {
    let run = world.command(job);
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let mut words: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
    words.push("--rm");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script])
        .env("RUN", words.join(" "))
        .current_dir(world.directory());
    Running::start(&mut shell).wait()
}

/// The shim that a command has started.
fn shim_of(command: i32) -> i32 {
    let is_child = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parent == Some(command)
    };
    let shims = pids_named("encamp-shim");
    let own = shims.iter().find(|(pid, _)| is_child(*pid));
    own.unwrap_or_else(|| panic!("no shim of {command} in {shims:?}"))
        .0
}

/// Where the descriptors of a process lead.
fn descriptors(pid: i32) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .collect()
}

#[test]
fn a_working_directory_is_never_a_link_of_procfs() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let links = DESCRIPTORS
        .map(|number| format!("/proc/self/fd/{number}"))
        .chain(["/proc/self/root", "/proc/self/cwd", "/proc/1/root/etc"].map(str::to_owned));
    for link in links {
        for driver in DRIVERS {
            let job = world
                .job(driver, &["list", "."])
                .config(&format!("work_dir = {link:?}"));
            let outcome = world.run(&job).exited(FAILED);
            assert!(
                outcome.stdout.is_empty() && outcome.stderr.contains(&link),
                "{driver} {link}\n{outcome}"
            );
        }
    }
}

#[test]
fn a_working_directory_that_the_task_made_a_link_of_procfs_is_refused_at_the_restart() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let swap = [
        "rename",
        "/local/at",
        "/local/old",
        ",",
        "symlink",
        "/proc/self/root",
        "/local/at",
        ",",
        "exit",
        "1",
    ];
    let job = world
        .job("exec", &swap)
        .config("work_dir = \"/local/at\"")
        .attempts(1);
    let outcome = world.run(&job).exited(FAILED);
    assert!(
        outcome.stderr.contains("change the directory to /local/at"),
        "{outcome}"
    );
    assert!(
        outcome.lines().iter().all(|line| line["ok"] == true),
        "{outcome}"
    );
}

#[test]
fn what_the_caller_left_open_is_closed_in_the_shim_and_in_the_task() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let secret = world.directory().join("secret");
    std::fs::write(&secret, "").unwrap();
    for driver in DRIVERS {
        let run = world.command(&world.job(driver, &["list", "/proc/self/fd", ",", "sleep", "60"]));
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "exec 9<\"$0\"; exec \"$@\""])
            .arg(&secret)
            .arg(run.get_program())
            .args(run.get_args());
        let running = Running::start(&mut shell);
        let listed = running.wait_for_stdout("names");
        assert!(!listed.contains("\"9\""), "{driver}: {listed}");
        assert!(
            descriptors(running.pid()).contains(&secret),
            "the caller left it open"
        );
        let shim = shim_of(running.pid());
        assert!(
            !descriptors(shim).contains(&secret),
            "{driver}: {:?}",
            descriptors(shim)
        );
        running.signal(Signal::TERM);
        running.signal(Signal::TERM);
        let _ = running.wait();
    }
}

#[test]
fn a_task_cannot_take_away_what_root_opens_at_the_next_start() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let places = [
        "/local", "/secrets", "/tmp", "/alloc", "/proc", "/dev", "/sys", "/usr",
    ];
    let words: Vec<&str> = places
        .iter()
        .flat_map(|place| {
            ["rename", place, "/gone", ","]
                .into_iter()
                .chain(["symlink", "/root", place, ","])
        })
        .collect();
    for user in ["root", "nobody"] {
        let met = errnos(&world, &world.job("exec", &words).user(user));
        let expected = [Some(BUSY), Some(EXIST)].repeat(places.len());
        assert_eq!(met, expected, "{user}");
    }
}

#[test]
fn an_exec2_task_cannot_change_the_entries_of_its_task_directory() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let names = ["local", "secrets", "tmp", "alloc", "private"];
    let words: Vec<&str> = names
        .iter()
        .flat_map(|name| ["rename", name, "gone", ","])
        .chain(["symlink", "/etc", "new", ",", "mkdir", ".encamp"])
        .collect();
    for user in [None, Some("root")] {
        let job = world.job("exec2", &words);
        let job = user.map_or(job.clone(), |user| job.user(user));
        let met = errnos(&world, &job);
        assert_eq!(met, [Some(ACCES)].repeat(names.len() + 2), "{user:?}");
    }
}

#[test]
fn init_gives_nothing_away_to_a_root_task() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = [
        "write",
        "/proc/1/exe",
        "x",
        ",",
        "read",
        "/proc/1/environ",
        ",",
        "read",
        "/proc/1/mem",
        ",",
        "list",
        "/proc/1/root/",
        ",",
        "list",
        "/proc/1/cwd/",
        ",",
        "write",
        "/proc/1/oom_score_adj",
        "0",
    ];
    let met = errnos(&world, &world.job("exec2", &words).user("root"));
    assert!(
        met.iter()
            .all(|errno| [Some(ACCES), Some(PERM)].contains(errno)),
        "{met:?}"
    );
}

#[test]
fn init_does_not_die_or_stop_by_the_hand_of_a_root_task() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = [
        "kill", "1", "KILL", ",", "kill", "1", "STOP", ",", "kill", "1", "SEGV", ",", "exit", "5",
    ];
    let _ = world
        .run(&world.job("exec2", &words).user("root"))
        .exited(5);
    let _ = world.run(&world.job("exec", &words).user("root")).exited(5);
}

#[test]
fn no_task_has_a_terminal_to_push_input_into() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        for user in ["root", "nobody"] {
            let met = errnos(&world, &world.job(driver, &["read", "/dev/tty"]).user(user));
            assert!(met[0].is_some(), "{driver} {user}");
        }
    }
}

#[test]
fn a_job_cannot_ask_for_a_uid_of_the_pool() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for user in [
        "nomad-80000",
        "nomad-1",
        "nomad-0",
        "0",
        "+0",
        "root:",
        ":0",
        " root",
        "4294967296",
    ] {
        for driver in DRIVERS {
            let outcome = world.run(&world.job(driver, &[]).user(user)).exited(1);
            assert!(
                outcome.stdout.is_empty() && outcome.stderr.contains(user),
                "{outcome}"
            );
        }
    }
}

#[test]
fn a_name_that_is_no_directorys_is_refused_before_anything_is_made() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    let long = "n".repeat(300);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../../etc",
        "alloc",
        "a\\nb",
        "a\\u0000b",
        &long,
    ] {
        for driver in DRIVERS {
            let text = world.job(driver, &[]).text();
            let text = text.replace("task \"t\"", &format!("task \"{name}\""));
            let outcome = Running::start(&mut world.command_of_text(&text)).wait();
            let _ = outcome.exited(1);
        }
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn closed_and_full_streams_change_neither_the_run_nor_its_end() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let redirections = [
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&- 2>&-",
        ">/dev/full",
        "2>/dev/full",
        ">/dev/full 2>&1",
        "1</dev/null",
    ];
    for driver in DRIVERS {
        let job = world.job(driver, &["say", "a", ",", "warn", "b", ",", "exit", "7"]);
        for redirection in redirections {
            let _ = shell(&world, &job, &format!("$RUN {redirection}")).exited(7);
        }
        let early = shell(
            &world,
            &job,
            "{ $RUN; echo $? >code; } | head -c 0; cat code",
        )
        .exited(0);
        assert_eq!(early.stdout, "7\n");
        let alone = shell(&world, &job, "exec setsid -w $RUN </dev/null").exited(7);
        assert_eq!(alone.stdout.lines().count(), 1, "{alone}");
    }
}

#[test]
fn a_lost_task_is_told_even_to_those_who_want_it_quiet() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    for driver in DRIVERS {
        let running = Running::start(
            world
                .command(&world.job(driver, &["say", "up", ",", "sleep", "60"]))
                .args(["--quiet", "--rm"]),
        );
        let _ = running.wait_for_stdout("up");
        let shim = Pid::from_raw(shim_of(running.pid())).unwrap();
        rustix::process::kill_process(shim, Signal::KILL).unwrap();
        let outcome = running.wait().exited(FAILED);
        assert!(outcome.stderr.contains("shim"), "{driver}: {outcome}");
    }
}

#[test]
fn fifty_runs_at_once_half_of_them_failing_leave_the_host_as_it_was() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    for driver in DRIVERS {
        let _ = world.run(&world.job(driver, &["exit", "0"])).exited(0);
    }
    let before = HostState::take();
    let kinds = [
        (world.job("exec", &["exit", "0"]), 0),
        (world.job("exec2", &["exit", "3"]), 3),
        (world.job("exec2", &["exit", "0"]), 0),
        (suite::Job::new("exec", "/no/such/command", &[]), 127),
    ];
    let runs: Vec<(Running, i32)> = (0..50)
        .map(|number| {
            let (job, code) = &kinds[number % kinds.len()];
            (Running::start(world.command(job).arg("--rm")), *code)
        })
        .collect();
    for (running, code) in runs {
        let _ = running.wait().exited(code);
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn a_command_killed_at_any_moment_leaves_nothing_that_the_next_run_does_not_sweep() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    for driver in DRIVERS {
        let _ = world.run(&world.job(driver, &["exit", "0"])).exited(0);
    }
    let before = HostState::take();
    for round in 0..40u64 {
        let driver = if round % 2 == 0 { "exec" } else { "exec2" };
        let job = world.job(driver, &["orphan", "600", ",", "sleep", "600"]);
        let running = world.start(&job);
        // Moments all over a start, in no order.
        std::thread::sleep(Duration::from_millis(round * 37 % 120));
        running.signal(Signal::KILL);
        let _ = running.wait();
        let _ = world.run(&world.job(driver, &["exit", "0"])).exited(0);
        before.assert_restored(PATIENCE);
    }
}

#[test]
fn a_stranger_on_the_host_sees_nothing_of_a_task() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let running =
            world.start(&world.job(driver, &["env", "NOMAD_ALLOC_ID", ",", "sleep", "60"]));
        let said = running.wait_for_stdout("value");
        let said: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
        let alloc = Path::new("/var/lib/encamp/alloc").join(said["value"].as_str().unwrap());
        let shim = shim_of(running.pid());
        assert!(alloc.is_dir());
        for path in [
            alloc,
            "/var/lib/encamp/alloc".into(),
            "/var/lib/encamp/users".into(),
            "/run/encamp".into(),
            format!("/proc/{shim}/fd").into(),
            format!("/proc/{shim}/root/").into(),
        ] {
            let listed = Command::new("/usr/bin/setpriv")
                .args(["--reuid=12345", "--regid=12345", "--clear-groups", "ls"])
                .arg(&path)
                .output()
                .unwrap();
            assert!(!listed.status.success(), "{driver}: {}", path.display());
        }
        running.signal(Signal::TERM);
        running.signal(Signal::TERM);
        let _ = running.wait();
    }
}
