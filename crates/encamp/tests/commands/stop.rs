//! `encamp stop` on real tasks.
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::running::job;
use crate::world::{Running, until, world};

const DEAF: &str = "trap '' INT; while :; do sleep 0.1; done";
const POLITE: &str = "trap 'exit 3' INT; echo ready; while :; do sleep 0.1; done";

#[test]
fn a_stopped_run_ends_as_after_ctrl_c_and_starts_nothing_again() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let run = world.start(&job("api", 1, &[("t", driver, POLITE, "")]));
        until(|| world.run(&["logs", "t"]).stdout.contains("ready"));
        let told = world.run(&["stop", "api"]).exited(0);
        assert!(
            told.stderr
                .starts_with("==> api: stopping t (SIGINT, 5s) … exit 3 in "),
            "{}",
            told.stderr
        );
        let ended = run.end().exited(3);
        assert!(!ended.stderr.contains("restarting"), "{}", ended.stderr);
        assert_eq!(world.left(), [""; 0]);
    }
}

#[test]
fn the_jobs_own_signal_and_patience_count_unless_another_time_is_given() {
    let Some(world) = world() else { return };
    let own = "kill_signal = \"SIGTERM\"\n      kill_timeout = \"300ms\"";
    let run = world.start(&job("own", 1, &[("t", "exec2", DEAF, own)]));
    world
        .run(&["stop", "own"])
        .exited(0)
        .says("(SIGTERM, 300ms) … exit 143");
    run.end();
    let long = "kill_timeout = \"10m\"";
    for time in ["0", "100ms"] {
        let run = world.start(&job("long", 1, &[("t", "exec2", DEAF, long)]));
        let began = Instant::now();
        world
            .run(&["stop", "-t", time, "long"])
            .exited(0)
            .says("exit 137");
        assert!(began.elapsed() < Duration::from_secs(60));
        run.end().exited(137);
    }
    world
        .run(&["stop", "-t", "soon", "long"])
        .exited(1)
        .says("write a time");
}

#[test]
fn a_second_stop_can_hasten_the_first() {
    let Some(world) = world() else { return };
    let patient = "kill_timeout = \"10m\"\n      shutdown_delay = \"10m\"";
    let run = world.start(&job("api", 1, &[("t", "exec", DEAF, patient)]));
    let first = Running::start(&mut world.encamp(&["stop", "api"]));
    until(|| {
        world
            .run(&["ps", "--json"])
            .stdout
            .contains("Waiting for shutdown delay")
    });
    world
        .run(&["stop", "--no-shutdown-delay", "-t", "0", "api"])
        .exited(0);
    first.end().exited(0);
    run.end().exited(137);
}

#[test]
fn one_task_can_be_stopped_and_the_others_go_on() {
    let Some(world) = world() else { return };
    let tasks = [("one", "exec2", POLITE, ""), ("two", "exec", POLITE, "")];
    let run = world.start(&job("api", 1, &tasks));
    world.run(&["stop", "api/one"]).exited(0);
    until(|| world.run(&["ps", "api/one"]).stdout.contains("exited"));
    assert!(world.run(&["ps", "api/two"]).stdout.contains("running"));
    world
        .run(&["exec", "api/one", "true"])
        .exited(1)
        .says("web[0]/one is dead");
    world
        .run(&["stop", "api"])
        .exited(0)
        .says("stopping web[0]/two");
    run.end();
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_run_whose_terminal_is_held_up_or_that_was_suspended_stops_all_the_same() {
    let Some(world) = world() else { return };
    // Its output is a pipe that nobody reads.
    let noisy = "trap 'exit 3' INT; yes & while :; do sleep 0.1; done";
    let run = world.start(&job("noisy", 1, &[("t", "exec", noisy, "")]));
    world.run(&["stop", "noisy"]).exited(0);
    drop(run);
    let run = world.start(&job("asleep", 1, &[("t", "exec", POLITE, "")]));
    kill_process(run.pid(), Signal::STOP).unwrap();
    world.run(&["stop", "asleep"]).exited(0);
    run.end();
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_task_that_waits_for_its_next_start_is_stopped_too() {
    let Some(world) = world() else { return };
    let never =
        "restart {\n        delay = \"5m\"\n        attempts = 2\n        mode = \"fail\"\n      }";
    let text = job("api", 1, &[("t", "exec", "exit 1", never)]);
    let file = world.file(&text);
    let run = Running::start(&mut world.encamp(&["run", "--rm", file.to_str().unwrap()]));
    until(|| world.run(&["ps", "--json"]).stdout.contains("Restarting"));
    world
        .run(&["stop", "api"])
        .exited(0)
        .says("it was not running");
    run.end().exited(130);
}

#[test]
fn a_run_that_does_not_answer_keeps_no_other_from_being_stopped() {
    let Some(world) = world() else { return };
    let text = job("deaf", 1, &[("one", "exec2", POLITE, "")]);
    let deaf = world.start(&text);
    let listed = world.run(&["ps", "-q"]).exited(0).stdout;
    let control = format!("run/{}/control", &listed[..8]);
    std::fs::remove_file(world.dir.join(control)).unwrap();
    let file = world.file(&job("polite", 1, &[("two", "exec2", POLITE, "")]));
    let polite = Running::start(&mut world.encamp(&["run", "--rm", file.to_str().unwrap()]));
    world.until_all_run(2);
    until(|| world.run(&["logs", "two"]).stdout.contains("ready"));
    world
        .run(&["stop", "deaf", "polite"])
        .exited(125)
        .says("polite: stopping two (SIGINT, 5s) … exit 3")
        .says("does not answer");
    polite.end().exited(3);
    kill_process(deaf.pid(), Signal::INT).unwrap();
    deaf.end().exited(3);
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_prestart_task_that_is_stopped_ends_its_allocation() {
    let Some(world) = world() else { return };
    let hook = "lifecycle {\n        hook = \"prestart\"\n      }";
    let tasks = [
        ("before", "exec2", POLITE, hook),
        ("main", "exec2", "exit 9", ""),
    ];
    let file = world.file(&job("api", 1, &tasks));
    let run = Running::start(&mut world.encamp(&["run", "--rm", file.to_str().unwrap()]));
    world.until_all_run(1);
    world.run(&["stop", "api/before"]).exited(0);
    // No main task had an end of its own.
    let ended = run.end().exited(130);
    assert!(!ended.stderr.contains("exit 9"), "{}", ended.stderr);
    assert_eq!(world.left(), [""; 0]);
}
