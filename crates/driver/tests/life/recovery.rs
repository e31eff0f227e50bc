//! What a handle must say, and what is done with one that says something else.
use std::fs;
use std::time::Duration;

use driver::task_config::{Device, TaskConfig};
use driver::{Driver, Kind, State, Task};
use serde_json::Value;

use crate::{World, driver, privileged, quietly, sh, values, world};

/// What another driver says to a handle with one thing changed in it.
fn told(world: &World, task: &Task, change: impl Fn(&mut Value)) -> String {
    let mut handle = serde_json::from_slice(&task.handle()).unwrap();
    change(&mut handle);
    let bytes = serde_json::to_vec(&handle).unwrap();
    let other = driver(world.kind, &world.root);
    other.recover(&bytes).unwrap_err().to_string()
}

#[test]
fn a_handle_that_does_not_fit_is_refused_and_touches_nothing() {
    quietly("unfit", &sh("sleep 600"), |world| {
        let task = world.start().unwrap();
        let precious = world.root.join("precious");
        fs::create_dir(&precious).unwrap();
        let (at, gone) = (
            precious.to_str().unwrap(),
            "/sys/fs/cgroup/encamp-test-gone",
        );
        let state = told(world, &task, |handle| handle["state"] = at.into());
        assert!(state.contains("is not its state directory"), "{state}");
        let boot = told(world, &task, |handle| handle["boot_id"] = "another".into());
        assert!(boot.contains("rebooted"), "{boot}");
        let cgroup = told(world, &task, |handle| {
            handle["cgroup"]["unified"] = gone.into()
        });
        assert!(cgroup.contains("its cgroup does not exist"), "{cgroup}");
        let absurd = told(world, &task, |handle| handle["process"] = (-1).into());
        assert!(absurd.contains("failed to decode task state"), "{absurd}");
        driver(world.kind, &world.root)
            .forget_unknown(task.id())
            .unwrap();
        assert_eq!(task.inspect().unwrap().state, State::Running);
        assert!(precious.exists());
        task.destroy(true).unwrap();
    });
}

#[test]
fn what_could_not_be_recovered_leaves_no_record() {
    quietly("unknown", &sh("exit 0"), |world| {
        let task = world.start().unwrap();
        task.wait().unwrap();
        let other = driver(world.kind, &world.root);
        let records = || fs::read_dir(world.root.join("state")).unwrap().count();
        assert_eq!(records(), 1);
        other.forget_unknown(task.id()).unwrap();
        other.forget_unknown(task.id()).unwrap();
        assert_eq!(records(), 0);
        task.destroy(true).unwrap();
    });
}

#[test]
fn behind_a_task_whose_allocation_is_gone_all_is_cleared_up_once_it_has_ended() {
    quietly("orphan", &sh("sleep 600"), |world| {
        let task = world.start().unwrap();
        let other = driver(world.kind, &world.root);
        let forgotten = || other.forget_orphans().unwrap();
        let records = || fs::read_dir(world.root.join("state")).unwrap().count();
        let cgroups = || world.cgroup.added().v1.values().any(|path| path.exists());
        let gone = world.root.join("gone");
        fs::rename(&world.task.alloc_dir, &gone).unwrap();
        assert_eq!((forgotten(), records()), (0, 1), "it runs");
        assert_eq!(task.inspect().unwrap().state, State::Running);
        task.stop("SIGKILL", Duration::from_secs(5)).unwrap();
        task.wait().unwrap();
        fs::rename(&gone, &world.task.alloc_dir).unwrap();
        assert_eq!((forgotten(), records()), (0, 1), "somebody may ask for it");
        fs::rename(&world.task.alloc_dir, &gone).unwrap();
        assert_eq!((forgotten(), records(), cgroups()), (1, 0, false));
        assert_eq!(forgotten(), 0);
        task.destroy(true).unwrap();
    });
}

/// Whether the device is where the task was promised it.
const LOOK: &str = "test -c ${NOMAD_TASK_DIR:-/local}/given";

/// The exit code of the task's next start, which looks for its device; the client does not name one any more.
fn next(world: &World, driver: &Driver) -> i32 {
    let again = TaskConfig {
        id: format!("{}/again", world.task.id),
        devices: Vec::new(),
        driver_config: values(&sh(LOOK)),
        ..world.task.clone()
    };
    let task = driver.start(&again).unwrap();
    let result = task.wait().unwrap();
    task.destroy(true).unwrap();
    result.exit_code
}

#[test]
fn devices_that_the_client_forgets_come_back_with_the_task() {
    if !privileged() {
        return;
    }
    for kind in [Kind::Exec, Kind::Exec2] {
        let name = format!("devices-{}", kind.name());
        let mut world = world(kind, &name, &sh(&format!("{LOOK} && sleep 600"))).quiet();
        let local = world
            .task
            .env
            .get("NOMAD_TASK_DIR")
            .map_or("/local", String::as_str);
        // Nothing is made on the host: something must be there for exec2 to cover.
        fs::write(world.task.alloc_dir.join("web/local/given"), "").unwrap();
        world.task.devices = vec![Device {
            task_path: format!("{local}/given"),
            host_path: "/dev/full".into(),
            cgroup_permissions: "rw".into(),
        }];
        let task = world.start().unwrap();
        let other = driver(kind, &world.root);
        other.recover(&task.handle()).unwrap();
        task.destroy(true).unwrap();
        // Who never heard of the first start knows no device.
        assert_eq!(next(&world, &driver(kind, &world.root)), 1);
        assert_eq!(next(&world, &world.driver), 0);
        assert_eq!(next(&world, &other), 0);
    }
}
