//! Nothing is left of a task: not of two hundred, and not of those that failed.
use std::time::Duration;

use suite::need::require;
use suite::{HostState, Job, World};

use crate::{EXEC_NEEDS, NEEDS};

/// Half of them fail.
const STARTS: usize = 200;

/// How long the kernel may take to end the last mount or cgroup.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ways to fail, with the exit code where it is promised.
fn failing(world: &World) -> Vec<(Job, Option<i32>)> {
    vec![
        (world.job("exec", &["exit", "3"]), Some(3)),
        (world.job("exec2", &["exit", "3"]), Some(3)),
        (
            Job::new("exec", "/bin/encamp-no-such-command", &[]),
            Some(127),
        ),
        (
            Job::new("exec2", "/bin/encamp-no-such-command", &[]),
            Some(127),
        ),
        (world.job("exec", &[]).user("encamp-nobody-at-all"), None),
        (
            world
                .job("exec2", &[])
                .config("unveil = [\"r:/encamp/no/such\"]"),
            None,
        ),
        (
            world.job("exec", &[]).config("cap_add = [\"sys_admin\"]"),
            None,
        ),
        (world.job("exec2", &["raise", "KILL"]), Some(137)),
        (
            world.job("exec", &["fork-orphans", "2", "600", ",", "exit", "4"]),
            Some(4),
        ),
        (
            world
                .job("exec2", &["eat-memory", "64"])
                .task("resources { memory = 20 }"),
            Some(137),
        ),
    ]
}

#[test]
fn two_hundred_starts_half_of_them_failing_leave_the_host_as_it_was() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    // What is made once for all tasks (parents of cgroups, directories) is there after one of each.
    for driver in crate::DRIVERS {
        let _ = world.run(&world.job(driver, &["exit", "0"])).exited(0);
    }
    let before = HostState::take();
    let failing = failing(&world);
    for start in 0..STARTS / 2 {
        let driver = if start % 2 == 0 { "exec" } else { "exec2" };
        let _ = world.run(&world.job(driver, &["say", "fine"])).exited(0);
        let (job, code) = &failing[start % failing.len()];
        let outcome = world.run(job);
        match code {
            Some(code) => drop(outcome.exited(*code)),
            None => assert_ne!(outcome.code, Some(0), "{outcome}"),
        }
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn bad_input_leaves_nothing() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    let bad = [
        "job \"x\" {",
        "",
        "job \"x\" { group \"g\" { task \"t\" { driver = \"docker\" config { command = \"x\" } } } }",
        "job \"x\" { group \"g\" { task \"t\" { driver = \"exec\" config { comand = \"x\" } } } }",
        "job \"x\" { group \"g\" { task \"t\" { driver = \"exec\" config { command = 1, args = true } } } }",
        "job \"x\" { group \"g\" { task \"t\" { driver = \"exec\" config { command = \"x\" } surprise = 1 } } }",
        "job \"x\" { group \"g\" { task \"t\" { driver = \"exec\" config { command = \"${attr.kernel.name}\" } } } }",
    ];
    for text in bad {
        let outcome = suite::Running::start(&mut world.command_of_text(text)).wait();
        assert_eq!(outcome.code, Some(1), "{text}\n{outcome}");
        assert!(
            outcome.stderr.contains("nomad.hcl") && outcome.stdout.is_empty(),
            "{text}\n{outcome}"
        );
    }
    before.assert_restored(PATIENCE);
}
