//! Whole cores: a task has the ones it claimed, and nobody else's task runs on them.
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use suite::need::require;
use suite::{Job, Running, World};

use crate::{DRIVERS, NEEDS};

/// Cgroups of a test's own, so that nobody else's tasks are moved; gone with it.
struct Parent(String);

impl Parent {
    fn new(name: &str) -> Parent {
        Parent(format!("encamp-cores-{name}-{}", std::process::id()))
    }

    /// A node with two cores left, whatever this host has.
    fn configuration(&self) -> String {
        let spare: Vec<String> = usable().split_off(2).iter().map(u32::to_string).collect();
        let reserved = match spare.as_slice() {
            [] => String::new(),
            spare => format!("reserved {{\n cores = \"{}\"\n }}", spare.join(",")),
        };
        format!(
            "client {{\n cgroup_parent = {:?}\n {reserved}\n}}\n",
            self.0
        )
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        if let Ok(host) = cgroup::Host::detect() {
            let _ = host.sweep(Some(&self.0));
        }
    }
}

fn usable() -> Vec<u32> {
    let host = cgroup::Host::detect().unwrap();
    host.usable_cpus().unwrap().iter().collect()
}

/// True where processors can be reserved, of which two are needed to see anything.
fn two_cores() -> bool {
    require(NEEDS) && usable().len() >= 2
}

/// `encamp run` with a data directory of this test's own, where nobody else claims cores.
fn command(world: &World, job: &Job, configuration: &str) -> Command {
    let mut command = world.configured(job, configuration);
    command.arg("--data-dir").arg(data_dir(world)).arg("--rm");
    command
}

fn data_dir(world: &World) -> std::path::PathBuf {
    let name = world.directory().file_name().unwrap().to_string_lossy();
    Path::new("/var/tmp").join(name.as_ref())
}

/// A job that tells where it may run, and stays until it is killed.
fn staying(driver: &str) -> Job {
    let script = "grep Cpus_allowed_list /proc/self/status; echo cores=$NOMAD_CPU_CORES; echo there; exec sleep 60";
    Job::new(driver, "/bin/sh", &["-c", script]).task("kill_timeout = \"1s\"")
}

fn with_cores(job: Job, cores: u32) -> Job {
    job.task(&format!("resources {{\n cores = {cores}\n }}"))
}

/// The cores that a task says it may run on.
#[track_caller]
fn allowed(output: &str) -> String {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_else(|| panic!("no cores in {output}"))
        .trim()
        .to_owned()
}

struct World2 {
    world: World,
    parent: Parent,
}

impl World2 {
    fn new(name: &str) -> World2 {
        World2 {
            world: World::shared(),
            parent: Parent::new(name),
        }
    }

    fn start(&self, job: &Job) -> Running {
        Running::start(&mut command(&self.world, job, &self.parent.configuration()))
    }
}

impl Drop for World2 {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(data_dir(&self.world));
    }
}

#[test]
fn two_tasks_have_different_cores_and_a_third_has_none() {
    if !two_cores() {
        return;
    }
    for driver in DRIVERS {
        let world = World2::new("third");
        let one = world.start(&with_cores(staying(driver), 1));
        let first = one.wait_for_stdout("there");
        let two = world.start(&with_cores(staying(driver), 1));
        let second = two.wait_for_stdout("there");
        for output in [&first, &second] {
            assert!(
                output.contains(&format!("cores={}\n", allowed(output))),
                "{output}"
            );
        }
        let mut both = [allowed(&first), allowed(&second)];
        both.sort();
        let expected = usable()[..2].iter().map(u32::to_string).collect::<Vec<_>>();
        assert_eq!(both.as_slice(), expected);

        let third = world
            .start(&with_cores(staying(driver), 1))
            .wait()
            .exited(2);
        for words in [
            "* Dimension \"cores\" exhausted on 1 nodes",
            "1 cores asked for, 0 of",
            "is held by task \"t\" of job \"suite\"",
            &format!("pid {}", one.pid()),
            &format!("pid {}", two.pid()),
        ] {
            assert!(third.stderr.contains(words), "{words:?} in\n{third}");
        }
        let shared = world.start(&staying(driver)).wait().exited(2);
        assert!(
            shared.stderr.contains("all cores are reserved: core"),
            "{shared}"
        );
        for run in [one, two] {
            run.signal(Signal::TERM);
            let _ = run.wait();
        }
    }
}

#[test]
fn others_are_moved_off_a_claimed_core_and_may_return() {
    if !two_cores() {
        return;
    }
    for driver in DRIVERS {
        let world = World2::new("moved");
        let script = "show() { grep Cpus_allowed_list /proc/self/status; echo $1; }; show one; \
                      until test -e /alloc/two -o -e $NOMAD_ALLOC_DIR/two; do sleep 0.05; done; show two; exec sleep 60";
        let other = Job::new(driver, "/bin/sh", &["-c", script]).task("kill_timeout = \"1s\"");
        let other = world.start(&other);
        let before = allowed(&other.wait_for_stdout("one"));
        let claimed = world.start(&with_cores(staying(driver), 1));
        let its = allowed(&claimed.wait_for_stdout("there"));
        let alloc = std::fs::read_dir(data_dir(&world.world).join("alloc")).unwrap();
        for alloc in alloc.flatten() {
            std::fs::write(alloc.path().join("alloc/two"), "").unwrap();
        }
        let output = other.wait_for_stdout("two");
        let during = allowed(output.split_once("one\n").unwrap().1);
        assert_ne!(before, during, "{driver}");
        assert_ne!(during, its, "{driver}");
        claimed.signal(Signal::TERM);
        let _ = claimed.wait();
        let after = world.start(&staying(driver));
        assert_eq!(allowed(&after.wait_for_stdout("there")), before, "{driver}");
        for run in [after, other] {
            run.signal(Signal::TERM);
            let _ = run.wait();
        }
    }
}

#[test]
fn the_last_core_is_not_taken_from_a_running_task() {
    if !two_cores() {
        return;
    }
    let world = World2::new("last");
    let other = world.start(&staying("exec"));
    let _ = other.wait_for_stdout("there");
    let greedy = world
        .start(&with_cores(staying("exec"), 2))
        .wait()
        .exited(2);
    assert!(greedy.stderr.contains("tasks without cores"), "{greedy}");
    other.signal(Signal::TERM);
    let _ = other.wait();
    let both = world.start(&with_cores(staying("exec"), 2));
    let output = both.wait_for_stdout("there");
    assert_eq!(allowed(&output).len(), 3, "{output}");
    both.signal(Signal::TERM);
    let _ = both.wait();
}

#[test]
fn the_cores_of_a_killed_run_are_free_at_once() {
    if !two_cores() {
        return;
    }
    let world = World2::new("killed");
    for _ in 0..5 {
        let run = world.start(&with_cores(staying("exec"), 2));
        let _ = run.wait_for_stdout("there");
        run.signal(Signal::KILL);
        let _ = run.wait();
    }
    let run = world.start(&staying("exec2"));
    let _ = run.wait_for_stdout("there");
    run.signal(Signal::TERM);
    let _ = run.wait();
    let mut left: Vec<_> = std::fs::read_dir(data_dir(&world.world).join("cores"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".left")
        .collect();
    left.sort();
    assert_eq!(left, [".lock", ".sharing"]);
}

#[test]
fn cores_that_the_operator_keeps_are_nobodys() {
    if !two_cores() {
        return;
    }
    let world = World2::new("kept");
    let kept = usable()[1..]
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let configuration = format!(
        "client {{\n cgroup_parent = {:?}\n reserved {{\n cores = \"{kept}\"\n }}\n}}\n",
        world.parent.0
    );
    let first = usable()[0].to_string();
    let run = |job: &Job| Running::start(&mut command(&world.world, job, &configuration));
    let shared = run(&staying("exec"));
    assert_eq!(allowed(&shared.wait_for_stdout("there")), first);
    shared.signal(Signal::TERM);
    let _ = shared.wait();
    let many = run(&with_cores(staying("exec"), 2)).wait().exited(2);
    assert!(
        many.stderr.contains("client.reserved.cores keeps"),
        "{many}"
    );
}
