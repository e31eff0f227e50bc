//! Host volumes: a directory of the host that the operator lends to tasks, and nothing else of the host through it.
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use suite::need::require;
use suite::{Job, Running, World};

use crate::{DRIVERS, NEEDS};

const EROFS: i64 = 30;
const EACCES: i64 = 13;

/// Where the volume is seen: a directory that every host has, since `exec2` shows the host's tree.
const INSIDE: &str = "/mnt";

/// A directory of the host with a file in it, open to any uid.
fn lent(world: &World) -> PathBuf {
    let path = world.directory().join("lent");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("file"), "of the host").unwrap();
    for (path, mode) in [(&path, 0o777), (&path.join("file"), 0o666)] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
    std::fs::set_permissions(world.directory(), PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A job that runs the probe's verbs, each written `verb:argument:argument`.
fn probing(world: &World, driver: &str, attempts: &[&str]) -> Job {
    let each = attempts
        .iter()
        .map(|attempt| attempt.split(':').collect::<Vec<_>>());
    let words = each.collect::<Vec<_>>().join(&",");
    world.job(driver, &words)
}

fn configuration(path: &Path, line: &str) -> String {
    format!("client {{\n  host_volume \"lent\" {{\n    path = {path:?}\n    {line}\n  }}\n}}\n")
}

fn mounted(job: Job, request: &str, mount: &str) -> Job {
    job.group(&format!(
        "volume \"v\" {{\n type = \"host\"\n source = \"lent\"\n {request}\n}}"
    ))
    .task(&format!(
        "volume_mount {{\n volume = \"v\"\n destination = \"{INSIDE}\"\n {mount}\n}}"
    ))
}

/// The errno that each attempt met on a node with that volume.
#[track_caller]
fn errnos(world: &World, job: &Job, configuration: &str) -> Vec<Option<i64>> {
    let outcome = Running::start(&mut world.configured(job, configuration)).wait();
    let lines = outcome.exited(0).lines();
    lines.iter().map(|line| line["errno"].as_i64()).collect()
}

#[test]
fn a_volume_is_the_hosts_directory() {
    if !require(NEEDS) {
        return;
    }
    for driver in DRIVERS {
        let world = World::shared();
        let path = lent(&world);
        let attempts = ["read:/mnt/file", "create:/mnt/new:from inside"];
        let job = mounted(probing(&world, driver, &attempts), "", "");
        assert_eq!(
            errnos(&world, &job, &configuration(&path, "")),
            [None, None]
        );
        let new = std::fs::read_to_string(path.join("new")).unwrap();
        assert_eq!(new, "from inside", "{driver}");
    }
}

#[test]
fn a_volume_is_read_only_when_anybody_says_so() {
    if !require(NEEDS) {
        return;
    }
    const SAYS: &str = "read_only = true";
    let attempts = [
        "read:/mnt/file",
        "write:/mnt/file:x",
        "truncate:/mnt/file",
        "create:/mnt/new:x",
        "mkdir:/mnt/dir",
        "unlink:/mnt/file",
        "chmod:/mnt/file:4777",
        "chown:/mnt/file:1",
    ];
    for driver in DRIVERS {
        for (host, request, mount) in [(SAYS, "", ""), ("", SAYS, ""), ("", "", SAYS)] {
            let world = World::shared();
            let path = lent(&world);
            let job = mounted(
                probing(&world, driver, &attempts).user("root"),
                request,
                mount,
            );
            let met = errnos(&world, &job, &configuration(&path, host));
            let refused = |errno: &Option<i64>| matches!(errno, Some(EROFS | EACCES));
            assert_eq!(met[0], None, "{driver}");
            assert!(met[1..].iter().all(refused), "{driver} {met:?}");
            let file = std::fs::metadata(path.join("file")).unwrap();
            assert_eq!(
                (file.mode() & 0o7777, file.uid(), file.len()),
                (0o666, 0, 11)
            );
        }
    }
}

#[test]
fn a_read_only_volume_cannot_be_made_writable_by_a_task_that_may_mount() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let path = lent(&world);
    let attempts = ["remount-rw:/mnt", "write:/mnt/file:x"];
    let job = mounted(
        probing(&world, "exec", &attempts).user("root"),
        "read_only = true",
        "",
    );
    let met = errnos(&world, &job, &configuration(&path, ""));
    assert!(met.iter().all(Option::is_some), "{met:?}");
    let text = std::fs::read_to_string(path.join("file")).unwrap();
    assert_eq!(text, "of the host");
}

#[test]
fn a_device_node_in_a_volume_is_no_way_to_the_device() {
    if !require(NEEDS) {
        return;
    }
    for driver in DRIVERS {
        let world = World::shared();
        let path = lent(&world);
        // What /dev/zero is, which would do no harm.
        let device = rustix::fs::makedev(1, 5);
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let node = path.join("zero");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &node,
            rustix::fs::FileType::CharacterDevice,
            mode,
            device,
        )
        .unwrap();
        let job = mounted(probing(&world, driver, &["write:/mnt/zero:x"]), "", "");
        assert_eq!(
            errnos(&world, &job, &configuration(&path, "")),
            [Some(EACCES)],
            "{driver}"
        );
    }
}

#[test]
fn state_and_other_allocations_are_covered_in_a_volume_that_holds_them() {
    if !require(NEEDS) {
        return;
    }
    for driver in DRIVERS {
        let world = World::shared();
        let attempts = [
            "list:/mnt/encamp/alloc",
            "list:/mnt/encamp/users",
            "list:/mnt/encamp/cores",
        ];
        let job = mounted(probing(&world, driver, &attempts).user("root"), "", "");
        let configuration = configuration(Path::new("/var/lib"), "");
        let outcome = Running::start(&mut world.configured(&job, &configuration)).wait();
        for line in outcome.exited(0).lines() {
            let names = line["names"].as_array().map_or(0, Vec::len);
            assert_eq!(names, 0, "{driver} {line}");
        }
    }
}
