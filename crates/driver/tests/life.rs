//! The life of real tasks, as root: start, wait, stop, signal, exec, stats, recover, destroy, and failed starts that leave nothing.
//!
//! Without root every test says that it was skipped; `ENCAMP_TEST_REQUIRE=1` makes that a failure.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[path = "life/denials.rs"]
mod denials;
#[path = "life/input.rs"]
mod input;
#[path = "life/keyring.rs"]
mod keyring;
#[path = "life/landlock.rs"]
mod landlock;
#[path = "life/recovery.rs"]
mod recovery;
#[path = "life/seccomp.rs"]
mod seccomp;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cgroup::{Cgroup, Host};
use driver::options::{Value, Values};
use driver::task_config::{Resources, TaskConfig};
use driver::{Compute, Driver, ExitResult, Kind, Place, StartError, State, Task};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};

/// One task's directories, cgroup and pipes; all of it goes with it.
struct World {
    kind: Kind,
    root: PathBuf,
    cgroup: cgroup::Paths,
    task: TaskConfig,
    driver: Driver,
}

fn privileged() -> bool {
    need::require(&[need::Need::Root])
}

fn world(kind: Kind, name: &str, config: &[(&str, Value)]) -> World {
    world_at(Path::new("/var/tmp"), kind, name, config)
}

fn world_at(data: &Path, kind: Kind, name: &str, config: &[(&str, Value)]) -> World {
    let uid = 80_900;
    let alloc = format!("{name}-{}", std::process::id());
    let root = data.join(format!("encamp-driver-{alloc}"));
    let alloc_dir = root.join("alloc").join(&alloc);
    let (task_dir, inside) = (
        alloc_dir.join("web"),
        root.join("mounts").join(format!("{alloc}-web")),
    );
    for directory in ["local", "secrets", "private", "tmp"] {
        fs::create_dir_all(task_dir.join(directory)).unwrap();
    }
    fs::create_dir_all(alloc_dir.join("alloc/logs")).unwrap();
    fs::create_dir_all(&inside).unwrap();
    for path in [
        task_dir.join("local"),
        task_dir.join("tmp"),
        alloc_dir.join("alloc"),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    chown(&task_dir, Some(uid), Some(uid)).unwrap();
    let (paths, handed) = Host::detect()
        .unwrap()
        .standalone(Some(&parent(&alloc)), &format!("{alloc}.web"))
        .unwrap();
    Cgroup::create(&paths).unwrap();
    let env = match kind {
        Kind::Exec => BTreeMap::new(),
        Kind::Exec2 => BTreeMap::from([(
            "NOMAD_TASK_DIR".to_owned(),
            inside.join("local").display().to_string(),
        )]),
    };
    let task = TaskConfig {
        id: format!("{alloc}/web/12345678"),
        name: "web".into(),
        alloc_id: alloc.clone(),
        driver_config: values(config),
        env,
        resources: Resources {
            cpu_shares: 500,
            memory_mb: 64,
            cpuset_cgroup: handed.display().to_string(),
            ..Resources::default()
        },
        user: if kind == Kind::Exec2 {
            format!("nomad-{uid}")
        } else {
            String::new()
        },
        alloc_dir,
        stdout_path: fifo(&root, "stdout"),
        stderr_path: fifo(&root, "stderr"),
        ..TaskConfig::default()
    };
    World {
        kind,
        driver: driver(kind, &root),
        cgroup: paths,
        task,
        root,
    }
}

/// A parent of its own for each, so that it can go with it.
fn parent(alloc: &str) -> String {
    format!("encamp-test-{alloc}")
}

fn driver(kind: Kind, root: &Path) -> Driver {
    let operator: &[(&str, Value)] = if kind == Kind::Exec2 {
        &[("unveil_by_task", Value::Bool(true))]
    } else {
        &[]
    };
    driver_under(kind, root, operator)
}

fn driver_under(kind: Kind, root: &Path, operator: &[(&str, Value)]) -> Driver {
    Driver::new(kind, &values(operator), place(root)).unwrap()
}

fn place(root: &Path) -> Place {
    Place {
        state_dir: root.join("state"),
        lifetime: shim::Lifetime::Detached,
        compute: Compute {
            total_mhz: 4000,
            cores: 2,
        },
        hidden: Vec::new(),
        agent_env: None,
    }
}

fn values(pairs: &[(&str, Value)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn fifo(root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    path
}

/// Reads a FIFO to its end in a thread. It is open when this returns, as a log reader's is before a task is started.
fn reader(path: &Path) -> std::thread::JoinHandle<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fifo = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    std::thread::spawn(move || {
        // Before the first writer a read would tell the end at once; hanging up, which poll waits for, takes one that has been there.
        let mut fds = [PollFd::new(&fifo, PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
        rustix::fs::fcntl_setfl(&fifo, OFlags::empty()).unwrap();
        let mut text = String::new();
        fs::File::from(fifo).read_to_string(&mut text).unwrap();
        text
    })
}

fn sh(script: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("command", "/bin/sh".into()),
        ("args", ["-c", script].as_slice().into()),
    ]
}

impl World {
    /// Waits for the task's file `local/ready`.
    fn until_ready(&self) {
        let ready = self.task.alloc_dir.join("web/local/ready");
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !ready.exists() {
            assert!(std::time::Instant::now() < deadline, "it is never ready");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start(&self) -> Result<Task, StartError> {
        self.driver.start(&self.task)
    }

    /// Starts, waits, destroys.
    fn run(&self) -> (ExitResult, String, String) {
        let (stdout, stderr) = (
            reader(&self.task.stdout_path),
            reader(&self.task.stderr_path),
        );
        let task = self.start().unwrap_or_else(|error| {
            panic!(
                "{error}: {:?}",
                std::error::Error::source(&error).map(ToString::to_string)
            )
        });
        let result = task.wait().unwrap();
        task.destroy(false).unwrap();
        (result, stdout.join().unwrap(), stderr.join().unwrap())
    }

    /// Runs with nobody reading: output goes nowhere.
    fn quiet(mut self) -> World {
        self.task.stdout_path = "/dev/null".into();
        self.task.stderr_path = "/dev/null".into();
        self
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let cgroup = Cgroup::at(&self.cgroup);
        let _ = cgroup.empty(Duration::from_secs(5));
        let _ = cgroup.remove();
        let _ = Host::detect()
            .unwrap()
            .sweep(Some(&parent(&self.task.alloc_id)));
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn both(name: &str, config: &[(&'static str, Value)], check: impl Fn(&World)) {
    if !privileged() {
        return;
    }
    for kind in [Kind::Exec, Kind::Exec2] {
        check(&world(kind, &format!("{name}-{}", kind.name()), config));
    }
}

fn quietly(name: &str, config: &[(&'static str, Value)], check: impl Fn(&World)) {
    if !privileged() {
        return;
    }
    for kind in [Kind::Exec, Kind::Exec2] {
        check(&world(kind, &format!("{name}-{}", kind.name()), config).quiet());
    }
}

#[test]
fn a_task_runs_and_its_code_and_output_come_back() {
    both(
        "runs",
        &sh("echo out; echo err >&2; echo again > /dev/stdout; id -u; id -G; exit 7"),
        |world| {
            let (result, stdout, stderr) = world.run();
            let id = if world.kind == Kind::Exec {
                "65534\n65534\n"
            } else {
                "80900\n80900\n"
            };
            assert_eq!(
                (result.exit_code, result.signal, result.error),
                (7, 0, None),
                "{stderr}"
            );
            assert_eq!(stdout, format!("out\nagain\n{id}"));
            assert_eq!(stderr, "err\n");
        },
    );
}

#[test]
fn nothing_is_left_of_a_destroyed_task() {
    quietly("left", &sh("exit 0"), |world| {
        let task = world.start().unwrap();
        task.wait().unwrap();
        task.destroy(false).unwrap();
        task.destroy(false).unwrap();
        assert_eq!(fs::read_dir(world.root.join("state")).unwrap().count(), 0);
        assert!(world.cgroup.added().v1.values().all(|path| !path.exists()));
        assert_eq!(task.wait().unwrap().exit_code, 0);
    });
}

#[test]
fn a_stop_is_polite_then_hard() {
    quietly(
        "polite",
        &sh("trap 'exit 3' TERM; echo >local/ready; while :; do sleep 0.05; done"),
        |world| {
            let task = world.start().unwrap();
            world.until_ready();
            task.stop("SIGTERM", Duration::from_secs(5)).unwrap();
            assert_eq!(task.wait().unwrap().exit_code, 3);
            task.destroy(false).unwrap();
        },
    );
    quietly(
        "hard",
        &sh("trap '' TERM; echo >local/ready; while :; do sleep 0.05; done"),
        |world| {
            let task = world.start().unwrap();
            world.until_ready();
            task.stop("term", Duration::from_millis(200)).unwrap();
            let result = task.wait().unwrap();
            assert_eq!((result.exit_code, result.signal), (137, 9));
            task.destroy(false).unwrap();
        },
    );
}

#[test]
fn a_task_that_cannot_hear_a_signal_ends_by_it_at_once() {
    quietly(
        "deaf",
        &[
            ("command", "/bin/sleep".into()),
            ("args", ["600"].as_slice().into()),
        ],
        |world| {
            let task = world.start().unwrap();
            let before = Instant::now();
            task.stop("", Duration::from_secs(20)).unwrap();
            let result = task.wait().unwrap();
            assert_eq!((result.exit_code, result.signal), (130, 2));
            assert!(before.elapsed() < Duration::from_secs(5));
            task.destroy(false).unwrap();
        },
    );
}

#[test]
fn a_running_task_is_destroyed_by_force_only() {
    quietly("force", &sh("sleep 600 & sleep 600"), |world| {
        let task = world.start().unwrap();
        assert_eq!(task.inspect().unwrap().state, State::Running);
        assert!(matches!(
            task.destroy(false),
            Err(driver::Error::StillRunning)
        ));
        task.destroy(true).unwrap();
        assert!(Cgroup::at(&world.cgroup).processes().unwrap().is_empty());
        assert_eq!(task.inspect().unwrap().state, State::Exited);
    });
}

#[test]
fn a_task_is_recovered_from_its_handle_while_it_runs_and_after() {
    quietly(
        "recover",
        &sh("trap 'exit 4' INT; while :; do sleep 0.05; done"),
        |world| {
            let handle = world.start().unwrap().handle();
            let again = driver(world.kind, &world.root);
            let task = again.recover(&handle).unwrap();
            assert_eq!(task.inspect().unwrap().state, State::Running);
            std::thread::sleep(Duration::from_millis(300));
            task.stop("", Duration::from_secs(5)).unwrap();
            let ended = again.recover(&handle).unwrap();
            assert_eq!(ended.wait().unwrap().exit_code, 4);
            ended.destroy(false).unwrap();
            assert!(
                again
                    .recover(&handle)
                    .unwrap_err()
                    .to_string()
                    .contains("is gone")
            );
        },
    );
}

#[test]
fn a_task_dies_with_its_shim_and_that_is_told() {
    quietly("lost", &sh("sleep 600"), |world| {
        let task = world.start().unwrap();
        kill_shim(&task.handle());
        let result = task.wait().unwrap();
        assert_eq!(
            result.error.as_deref(),
            Some("the shim was killed and took the task with it")
        );
        assert_eq!(result.exit_code, 137);
        assert!(Cgroup::at(&world.cgroup).processes().unwrap().is_empty());
        task.destroy(false).unwrap();
    });
}

#[test]
fn a_command_runs_beside_the_task_as_the_task() {
    quietly("beside", &sh("sleep 600"), |world| {
        let task = world.start().unwrap();
        let command = |argv: &[&str]| argv.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let output = task
            .exec(&command(&["sh", "-c", "id -u; echo err >&2; exit 5"]), None)
            .unwrap();
        let uid = if world.kind == Kind::Exec {
            "65534"
        } else {
            "80900"
        };
        let text = String::from_utf8(output.output).unwrap();
        assert!(text.contains(uid) && text.contains("err"), "{text}");
        assert_eq!(output.result.exit_code, 5);
        let late = task.exec(
            &command(&["sleep", "600"]),
            Some(Duration::from_millis(100)),
        );
        assert!(matches!(late, Err(driver::Error::Timeout(_))));
        assert!(matches!(
            task.exec(&[], None),
            Err(driver::Error::NoCommand)
        ));
        task.destroy(true).unwrap();
    });
}

#[test]
fn usage_is_measured() {
    quietly("usage", &sh("while :; do :; done"), |world| {
        let task = world.start().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let usage = task.stats().unwrap();
        assert!(
            usage.percent.unwrap() > 1.0 && usage.usage_bytes.unwrap() > 0,
            "{usage:?}"
        );
        task.destroy(true).unwrap();
    });
}

#[test]
fn a_task_that_takes_too_much_memory_is_told_as_such() {
    quietly("oom", &sh("tail /dev/zero"), |world| {
        let task = world.start().unwrap();
        let result = task.wait().unwrap();
        assert!(result.oom_killed && result.exit_code != 0, "{result:?}");
        task.destroy(false).unwrap();
    });
}

#[test]
fn a_failed_start_leaves_nothing_and_nobody_waiting() {
    both(
        "failed",
        &[("command", "/bin/no-such-command".into())],
        |world| {
            let stdout = reader(&world.task.stdout_path);
            let stderr = reader(&world.task.stderr_path);
            let error = world.start().unwrap_err();
            assert!(matches!(error, StartError::NotFound(_)), "{error:?}");
            assert_eq!(stdout.join().unwrap() + &stderr.join().unwrap(), "");
            assert_eq!(
                fs::read_dir(world.root.join("state")).map_or(0, Iterator::count),
                0
            );
            assert!(world.cgroup.added().v1.values().all(|path| !path.exists()));
        },
    );
}

#[test]
fn a_command_that_is_not_unveiled_is_refused_with_the_way_out() {
    if !privileged() {
        return;
    }
    let world = world(Kind::Exec2, "veiled", &[("command", "/sbin/init".into())]).quiet();
    let opt = world.root.join("tool");
    fs::copy("/bin/true", &opt).unwrap();
    let mut task = world.task.clone();
    task.driver_config = values(&[("command", opt.display().to_string().as_str().into())]);
    let error = world.driver.start(&task).unwrap_err();
    assert!(
        matches!(&error, StartError::NotExecutable(told) if told.contains(&format!("unveil = [\"rx:{}\"]", opt.display()))),
        "{error:?}"
    );
}

#[test]
fn ids_with_slashes_and_two_starts_of_one_id_are_told_apart() {
    quietly("twice", &sh("sleep 600"), |world| {
        let task = world.start().unwrap();
        let in_foreground = Place {
            lifetime: shim::Lifetime::Foreground,
            ..place(&world.root)
        };
        let operator = values(&[]);
        let second = Driver::new(world.kind, &operator, in_foreground).unwrap();
        let told = second.start(&world.task).unwrap_err().to_string();
        assert_eq!(
            told,
            format!("task with ID {:?} already started", world.task.id)
        );
        assert_eq!(task.inspect().unwrap().state, State::Running);
        task.destroy(true).unwrap();
    });
}

#[test]
fn a_detached_start_ends_what_an_earlier_one_of_its_id_left_running() {
    // As many processes whenever one looks: the shell makes no child.
    quietly("again", &sh("exec sleep 600"), |world| {
        let processes = || Cgroup::at(&world.cgroup).processes().unwrap();
        let first = world.start().unwrap();
        let before = processes();
        let second = world.start().unwrap();
        let after = processes();
        assert!(!before.is_empty() && before.len() == after.len());
        assert!(!after.iter().any(|pid| before.contains(pid)), "{after:?}");
        assert_eq!(second.inspect().unwrap().state, State::Running);
        drop(first);
        second.destroy(true).unwrap();
    });
}

#[test]
fn a_predecessor_is_ended_even_when_the_start_fails() {
    if !privileged() {
        return;
    }
    let world = world(Kind::Exec2, "again-failed", &sh("sleep 600")).quiet();
    let _first = world.start().unwrap();
    let mut missing = world.task.clone();
    missing
        .driver_config
        .insert("unveil".to_owned(), ["r:/no/such/path"].as_slice().into());
    world.driver.start(&missing).unwrap_err();
    assert!(Cgroup::at(&world.cgroup).processes().unwrap().is_empty());
}

#[test]
fn a_data_directory_below_tmp_shows_inside_the_private_one() {
    if !privileged() {
        return;
    }
    let world = world_at(
        Path::new("/tmp"),
        Kind::Exec2,
        "below-tmp",
        &sh("ls /tmp; pwd; echo x > local/x && cat \"$NOMAD_TASK_DIR/x\""),
    );
    let closed = world.root.join("alloc");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let (result, stdout, stderr) = world.run();
    assert_eq!(result.exit_code, 0, "{stderr}");
    let inside = world.task.env["NOMAD_TASK_DIR"]
        .trim_end_matches("/local")
        .to_owned();
    let name = world
        .root
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert_eq!(stdout, format!("{name}\n{inside}\nx\n"));
}

#[test]
fn what_a_template_placed_shows_at_the_same_place_inside() {
    if !privileged() {
        return;
    }
    let world = world(Kind::Exec, "placed", &[("command", "placed-tool".into())]);
    let task_dir = world.task.alloc_dir.join("web");
    for (path, text) in [
        (
            "usr/local/bin/placed-tool",
            "#!/bin/sh\ncat /conf/c /alloc/rendered\n",
        ),
        ("conf/c", "one\n"),
        ("alloc/rendered", "two\n"),
    ] {
        fs::create_dir_all(task_dir.join(path).parent().unwrap()).unwrap();
        fs::write(task_dir.join(path), text).unwrap();
    }
    let (result, stdout, stderr) = world.run();
    assert_eq!(
        (result.exit_code, stdout.as_str()),
        (0, "one\ntwo\n"),
        "{stderr}"
    );
}

#[test]
fn what_is_unveiled_must_exist() {
    if !privileged() {
        return;
    }
    let config = [
        sh("true"),
        vec![("unveil", ["r:/no/such/path"].as_slice().into())],
    ]
    .concat();
    let error = world(Kind::Exec2, "missing", &config)
        .quiet()
        .start()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unveil path /no/such/path does not exist"
    );
}

#[test]
fn a_task_in_the_hosts_pid_namespace_dies_at_recovery_when_its_shim_is_gone() {
    if !privileged() {
        return;
    }
    let config = [
        sh("sleep 600 & sleep 600"),
        vec![("pid_mode", "host".into())],
    ]
    .concat();
    let world = world(Kind::Exec, "host-pid", &config).quiet();
    let handle = world.start().unwrap().handle();
    kill_shim(&handle);
    let task = driver(world.kind, &world.root).recover(&handle).unwrap();
    assert!(Cgroup::at(&world.cgroup).processes().unwrap().is_empty());
    assert_eq!(task.wait().unwrap().signal, 9);
    task.destroy(false).unwrap();
}

/// And waits until it is gone.
fn kill_shim(handle: &[u8]) {
    let handle: serde_json::Value = serde_json::from_slice(handle).unwrap();
    let shim = i32::try_from(handle["process"]["shim_pid"].as_i64().unwrap()).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(shim).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let gone = || {
        fs::read_to_string(format!("/proc/{shim}/stat")).map_or(true, |stat| stat.contains(") Z "))
    };
    while !gone() {
        std::thread::sleep(Duration::from_millis(5));
    }
}
