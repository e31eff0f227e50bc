//! What goes wrong around a shim for real: rude clients, full disks, hosts that cannot do everything. Needs root and a cgroup hierarchy.
#![deny(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests; a skipped one says so"
)]

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command as Program;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use sandbox::spec::*;
use shim::protocol::{self, Request};
use shim::{End, Enter, Found, Lifetime};

use world::{BOTH, World};

/// More clients than a shim serves at once.
const CROWD: usize = 300;

fn connect(state: &Path) -> OwnedFd {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::connect(&socket, &SocketAddrUnix::new(state.join("socket")).unwrap()).unwrap();
    socket
}

/// Whether this is the run in a mount namespace of its own; the first one has started it and seen it succeed.
fn in_private_mounts(test: &str) -> bool {
    if std::env::var_os("ENCAMP_TEST_PRIVATE").is_some() {
        return true;
    }
    let status = Program::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("ENCAMP_TEST_PRIVATE", "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} in a mount namespace of its own");
    false
}

fn mount(arguments: &[&str]) {
    let status = Program::new("mount").args(arguments).status().unwrap();
    assert!(status.success(), "mount {arguments:?}");
}

fn overlay(dir: &Path, lower: &Path, name: &str) -> std::path::PathBuf {
    let made = ["upper", "work", "merged"].map(|part| dir.join(format!("{name}-{part}")));
    made.iter().for_each(|path| fs::create_dir(path).unwrap());
    let [upper, work, merged] = made;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    mount(&[
        "-t",
        "overlay",
        "overlay",
        "-o",
        &options,
        merged.to_str().unwrap(),
    ]);
    merged
}

fn root() -> Identity {
    Identity {
        uid: 0,
        gid: 0,
        groups: vec![],
    }
}

#[test]
fn rude_clients_change_nothing() {
    let Some(world) = World::new() else { return };
    let spec = world.spec(Init::Process, "/bin/sleep", &["100"]);
    let (shim, _) = world.spawn(&spec).unwrap();
    let talker = connect(&world.state());
    let mut sent = 0;
    // Asks and never reads, until it is let go.
    while protocol::send(talker.as_fd(), &Request::Hello, &[]).is_ok() {
        sent += 1;
        assert!(sent < 1_000_000);
    }
    for garbage in [&b"\xff\xff\xff\xff"[..], &[0; 20_000], b""] {
        let socket = connect(&world.state());
        let _ = rustix::net::send(&socket, garbage, SendFlags::NOSIGNAL);
    }
    let twice = connect(&world.state());
    protocol::send(twice.as_fd(), &Request::Wait, &[]).unwrap();
    protocol::send(twice.as_fd(), &Request::Wait, &[]).unwrap();
    assert!(
        protocol::receive::<protocol::Reply>(twice.as_fd())
            .unwrap()
            .is_none()
    );
    let start = Instant::now();
    assert!(matches!(
        shim::attach(&world.state()).unwrap(),
        Found::Alive(..)
    ));
    shim.stop(9, Duration::ZERO).unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_crowd_of_clients_is_served_in_turn() {
    let Some(world) = World::new() else { return };
    let spec = world.spec(Init::Ours, "/bin/sleep", &["100"]);
    let (shim, _) = world.spawn(&spec).unwrap();
    for _ in 0..2000 {
        drop(connect(&world.state()));
    }
    let crowd: Vec<_> = (0..CROWD).map(|_| connect(&world.state())).collect();
    let state = world.state();
    let late =
        std::thread::spawn(move || matches!(shim::attach(&state).unwrap(), Found::Alive(..)));
    std::thread::sleep(Duration::from_millis(100));
    drop(crowd);
    assert!(late.join().unwrap(), "a full shim is not a dead one");
    shim.stop(9, Duration::ZERO).unwrap();
}

#[test]
fn a_command_whose_client_leaves_while_it_starts_is_killed() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        let before = world.cgroup.processes().unwrap().len();
        let argv = ["sleep".to_owned(), "50".to_owned()];
        for _ in 0..50 {
            let block = sandbox::block::write(&[Path::new("/bin/sleep")], &argv, &BTreeMap::new());
            let null = fs::File::options()
                .read(true)
                .write(true)
                .open("/dev/null")
                .unwrap();
            let (block, null) = (block.unwrap(), null.as_fd());
            let request = Request::Enter {
                cwd: c"/".to_owned(),
                tty: false,
            };
            let socket = connect(&world.state());
            protocol::send(socket.as_fd(), &request, &[block.as_fd(), null, null, null]).unwrap();
        }
        let start = Instant::now();
        // The shim has taken all of them when it has answered a later one.
        shim.signal(0).unwrap();
        while world.cgroup.processes().unwrap().len() > before {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{init:?}: commands survived"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        shim.stop(9, Duration::ZERO).unwrap();
    }
}

#[test]
fn patience_may_be_endless_and_end_all_the_same() {
    let Some(mut world) = World::new() else {
        return;
    };
    let script = "trap '' INT; echo up; while :; do sleep 1; done";
    let (shim, _) = world
        .spawn(&world.spec(Init::Ours, "/bin/sh", &["-c", script]))
        .unwrap();
    while !world.output().contains("up") {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| shim.stop(libc::SIGINT, Duration::MAX).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        assert!(matches!(
            shim::attach(&world.state()).unwrap(),
            Found::Alive(..)
        ));
        shim.stop(libc::SIGINT, Duration::from_millis(100)).unwrap();
    });
    let end = shim.wait().unwrap().unwrap();
    assert!(
        end.forced && end.stopped_by == Some(libc::SIGINT),
        "{end:?}"
    );
}

#[test]
fn a_command_that_cannot_start_yet_does_not_hold_a_stop_up() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let Some(freeze) = world
            .cgroup
            .paths()
            .unified
            .as_ref()
            .map(|dir| dir.join("cgroup.freeze"))
        else {
            return need::elsewhere("there is no v2 hierarchy on this host");
        };
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        fs::write(freeze, "1").unwrap();
        let argv = ["/bin/true".to_owned()];
        let enter = Enter {
            argv: &argv,
            env: &BTreeMap::new(),
            cwd: Path::new("/"),
            tty: false,
        };
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| shim.enter(&enter).map(|_| ()));
            std::thread::sleep(Duration::from_millis(100));
            let start = Instant::now();
            shim.stop(9, Duration::ZERO).unwrap();
            assert!(start.elapsed() < Duration::from_secs(2), "{init:?}");
            // Whether it counts as started is the shim's affair: it ends.
            drop(entered.join().unwrap());
        });
        assert_eq!(shim.wait().unwrap().unwrap().end, End::Signal(9));
    }
}

#[test]
fn the_end_is_heard_without_a_state_directory() {
    let Some(world) = World::new() else { return };
    let spec = world.spec(Init::Process, "/bin/sh", &["-c", "sleep 0.5; exit 3"]);
    let (shim, _) = world.spawn(&spec).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| shim.wait().unwrap().unwrap().end);
        std::thread::sleep(Duration::from_millis(100));
        fs::remove_dir_all(world.state()).unwrap();
        assert_eq!(waiting.join().unwrap(), End::Code(3));
    });
}

#[test]
fn what_a_start_that_was_broken_off_left_is_gone_after_the_next() {
    let Some(world) = World::new() else { return };
    let spec = world.spec(Init::Process, "/bin/true", &[]);
    let unfinished = world.state().with_extension("new");
    let leave = || {
        fs::create_dir(&unfinished).unwrap();
        fs::write(unfinished.join("exit.new"), "").unwrap();
    };
    leave();
    let (shim, _) = world.spawn(&spec).unwrap();
    assert!(!unfinished.exists());
    shim.wait().unwrap();
    leave();
    shim::forget(&world.state()).unwrap();
    assert!(!unfinished.exists() && !world.state().exists());
}

#[test]
fn a_starting_process_is_never_taken_for_lost() {
    let Some(world) = World::new() else { return };
    let spec = world.spec(Init::Ours, "/bin/sleep", &["100"]);
    for _ in 0..20 {
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while !world.state().exists() {
                    std::hint::spin_loop();
                }
                shim::attach(&world.state()).unwrap()
            });
            let (shim, _) = world.spawn(&spec).unwrap();
            let found = looking.join().unwrap();
            assert!(matches!(found, Found::Alive(..)), "{found:?}");
            shim.stop(9, Duration::ZERO).unwrap();
        });
        shim::forget(&world.state()).unwrap();
    }
}

#[test]
fn a_cgroup_that_was_killed_can_be_used_again() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let spec = world.spec(init, "/bin/sleep", &["100"]);
        for _ in 0..3 {
            let (shim, _) = world.spawn(&spec).unwrap();
            let argv = ["sh", "-c", "exit 43"].map(str::to_owned);
            let enter = Enter {
                argv: &argv,
                env: &BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
                cwd: Path::new("/"),
                tty: false,
            };
            let mut entered = shim.enter(&enter).unwrap();
            assert_eq!(entered.wait().unwrap(), End::Code(43), "{init:?}");
            let found = shim::attach(&world.state()).unwrap();
            assert!(matches!(found, Found::Alive(..)), "{init:?} {found:?}");
            shim.stop(9, Duration::ZERO).unwrap();
            shim::forget(&world.state()).unwrap();
        }
    }
}

#[test]
fn a_full_disk_does_not_cost_the_record() {
    let Some(world) = World::new() else { return };
    if !in_private_mounts("a_full_disk_does_not_cost_the_record") {
        return;
    }
    let full = world.dir.join("full");
    fs::create_dir(&full).unwrap();
    mount(&[
        "-t",
        "tmpfs",
        "-o",
        "size=64k",
        "tmpfs",
        full.to_str().unwrap(),
    ]);
    let spec = world.spec(Init::Process, "/bin/sh", &["-c", "sleep 0.5; exit 4"]);
    let (shim, _) = world
        .spawn_in(&full.join("state"), &spec, Lifetime::Detached)
        .unwrap();
    let mut filler = fs::File::create(full.join("filler")).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
    drop(filler);
    assert_eq!(shim.wait().unwrap().unwrap().end, End::Code(4));
    let found = shim::attach(&full.join("state")).unwrap();
    assert!(
        matches!(&found, Found::Ended(status) if status.end == End::Code(4)),
        "{found:?}"
    );
    shim::forget(&full.join("state")).unwrap();
    assert!(
        Program::new("umount")
            .arg(&full)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn layers_fall_back_to_memory_and_then_to_reading() {
    let Some(mut world) = World::new() else {
        return;
    };
    if !in_private_mounts("layers_fall_back_to_memory_and_then_to_reading") {
        return;
    }
    let lower = world.dir.join("lower");
    fs::create_dir(&lower).unwrap();
    // An overlay can hold no upper layer, and two on each other no third.
    let one = overlay(&world.dir, &lower, "one");
    let two = overlay(&world.dir, &one, "two");
    let script = "echo lost > /etc/new && cat /etc/new && ! echo x > /deep/new";
    let mut spec = world.spec(Init::Process, "/bin/sh", &["-c", script]);
    spec.identity = root();
    spec.root = Root::Directory {
        scratch: one.join("scratch"),
        no_pivot_root: false,
    };
    spec.mounts.push(Mount {
        target: "/deep".into(),
        source: Source::Layer { path: two.clone() },
        flags: MountFlags::default(),
        missing: Missing::Refuse,
    });
    for _ in 0..2 {
        let (shim, running) = world.spawn(&spec).unwrap();
        let said = running.refusals.join("\n");
        assert!(
            said.contains("writes below /etc are lost at a restart"),
            "{said}"
        );
        assert!(
            said.contains(&format!("{} is read-only", two.display())),
            "{said}"
        );
        assert_eq!(
            shim.wait().unwrap().unwrap().end,
            End::Code(0),
            "{}",
            world.errors()
        );
        assert_eq!(world.output(), "lost\n");
        shim::forget(&world.state()).unwrap();
    }
    assert!(!Path::new("/etc/new").exists());
    for mounted in [two, one] {
        assert!(
            Program::new("umount")
                .arg(mounted)
                .status()
                .unwrap()
                .success()
        );
    }
}

#[test]
fn a_root_process_changes_no_attribute_of_a_host_file() {
    let Some(mut world) = World::new() else {
        return;
    };
    let name = world.dir.file_name().unwrap().to_owned();
    // On the root's file system, and on one mounted below it.
    let victims = [world.dir.join("victim"), Path::new("/dev/shm").join(name)];
    let see = |path: &Path| {
        let stat = fs::metadata(path).unwrap();
        (
            stat.mode(),
            stat.uid(),
            stat.gid(),
            stat.mtime(),
            stat.ctime(),
        )
    };
    for victim in &victims {
        fs::write(victim, "").unwrap();
    }
    let before = victims.each_ref().map(|victim| see(victim));
    let script = "for f; do for c in 'chmod 4777' 'chown 0:1' 'touch -d @0' 'setfattr -n user.x -v y'; do $c $f && echo $c $f; done; done; exit 0";
    let args: Vec<_> = ["-c", script, "sh"]
        .into_iter()
        .chain(victims.iter().map(|path| path.to_str().unwrap()))
        .collect();
    let mut spec = world.spec(Init::Ours, "/bin/sh", &args);
    spec.identity = root();
    assert_eq!(
        spec.root,
        Root::Host {
            read_only: true,
            slave: true
        }
    );
    let (shim, _) = world.spawn(&spec).unwrap();
    assert_eq!(shim.wait().unwrap().unwrap().end, End::Code(0));
    let after = victims.each_ref().map(|victim| see(victim));
    let errors = world.errors();
    fs::remove_file(&victims[1]).unwrap();
    assert_eq!(world.output(), "");
    assert!(
        errors.matches("Read-only file system").count() >= 6,
        "{errors}"
    );
    assert_eq!(before, after);
}
