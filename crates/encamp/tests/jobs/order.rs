//! Which task starts when, and which ends when.
use rustix::process::Signal;

use crate::job::{hook, job, task};
use crate::world::world;

const NOTE: &str = "umask 0; note() { echo $NOMAD_TASK_NAME $1 >> $NOMAD_ALLOC_DIR/data/order; }; ";

fn noting(script: &str) -> String {
    format!("{NOTE}{script}")
}

/// A sidecar that says when it is stopped.
fn sidecar() -> String {
    noting("trap 'note stopped; exit 3' INT; note began; echo ready; while :; do sleep 0.05; done")
}

#[test]
fn the_order_of_hooks_is_seen_from_inside() {
    let Some(world) = world() else { return };
    for (driver, other) in [("exec", "exec2"), ("exec2", "exec")] {
        let wait_for_side =
            "while ! grep -q side $NOMAD_ALLOC_DIR/data/order; do sleep 0.05; done; ";
        let wait_for_greet =
            "while ! grep -q greet $NOMAD_ALLOC_DIR/data/order; do sleep 0.05; done; ";
        let tasks = [
            task(
                "after",
                driver,
                "cat $NOMAD_ALLOC_DIR/data/order",
                &hook("poststop", false),
            ),
            task(
                "greet",
                other,
                &noting("note began"),
                &hook("poststart", false),
            ),
            task(
                "main",
                driver,
                &noting(&format!("note began; {wait_for_greet}note ended")),
                "",
            ),
            task("side", driver, &sidecar(), &hook("prestart", true)),
            task(
                "before",
                other,
                &noting(&format!("{wait_for_side}note began; sleep 0.3; note ended")),
                &hook("prestart", false),
            ),
        ];
        let ended = world.run_job(&job("", &tasks), &["--rm"]).exited(0);
        let order: Vec<&str> = ended
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("after | "))
            .collect();
        assert_eq!(
            order,
            [
                "side began",
                "before began",
                "before ended",
                "main began",
                "greet began",
                "main ended",
                "side stopped"
            ],
            "{driver}"
        );
        ended.says("side: ends: the main tasks have ended");
        world.assert_clean();
    }
}

#[test]
fn a_leaders_end_ends_the_others_and_its_code_is_the_runs() {
    let Some(world) = world() else { return };
    let tasks = [
        task(
            "web",
            "exec2",
            "trap 'echo bye; exit 0' INT; echo up > $NOMAD_ALLOC_DIR/data/up; while :; do sleep 0.05; done",
            "",
        ),
        task(
            "lead",
            "exec",
            "while ! test -e /alloc/data/up; do sleep 0.05; done; exit 0",
            "leader = true",
        ),
    ];
    let ended = world.run_job(&job("", &tasks), &["--rm"]).exited(0);
    assert_eq!(ended.stdout, "web | bye\n");
    ended.says("web: ends: its leader has ended");
    world.assert_clean();
}

#[test]
fn a_main_task_that_fails_ends_its_siblings_and_poststop_still_runs() {
    let Some(world) = world() else { return };
    let tasks = [
        task("good", "exec", "exec sleep 600", ""),
        task("bad", "exec2", "exit 7", ""),
        task("after", "exec", "echo cleaning", &hook("poststop", false)),
    ];
    let ended = world.run_job(&job("", &tasks), &["--rm"]).exited(7);
    assert_eq!(ended.stdout, "after | cleaning\n");
    ended
        .says("bad: not restarting: Policy allows no restarts")
        .says("good: ends: bad failed");
    world.assert_clean();
}

#[test]
fn a_prestart_task_that_fails_lets_no_main_task_start() {
    let Some(world) = world() else { return };
    let tasks = [
        task("before", "exec", "exit 9", &hook("prestart", false)),
        task("main", "exec2", "echo never", ""),
        task("after", "exec2", "echo cleaning", &hook("poststop", false)),
    ];
    let ended = world.run_job(&job("", &tasks), &["--rm"]).exited(9);
    assert_eq!(ended.stdout, "after | cleaning\n");
    world.assert_clean();
}

#[test]
fn a_command_that_does_not_exist_ends_the_run_with_its_reason() {
    let Some(world) = world() else { return };
    let missing = task("bad", "exec", "", "").replace("/bin/sh", "no-such-command");
    let tasks = [task("good", "exec", "exec sleep 600", ""), missing];
    let ended = world.run_job(&job("", &tasks), &["--rm"]).exited(127);
    ended
        .says("task \"bad\"")
        .says("no-such-command")
        .says("good: ends: bad failed");
    world.assert_clean();
}

#[test]
fn a_stopped_run_ends_main_tasks_then_sidecars_and_runs_poststop() {
    let Some(world) = world() else { return };
    let main = noting(
        "trap 'note stopped; exit 42' INT; note began; echo ready; while :; do sleep 0.05; done",
    );
    let wait = "while ! grep -q main $NOMAD_ALLOC_DIR/data/order; do sleep 0.05; done; ";
    let tasks = [
        task("main", "exec", &main, "shutdown_delay = \"300ms\""),
        task(
            "side",
            "exec2",
            &format!("{wait}{}", sidecar()),
            &hook("poststart", true),
        ),
        task(
            "after",
            "exec2",
            "cat $NOMAD_ALLOC_DIR/data/order",
            &hook("poststop", false),
        ),
    ];
    let mut running = world.start_job(&job("shutdown_delay = \"200ms\"", &tasks));
    running.wait_for(&["main | ready", "side | ready"]);
    running.signal(Signal::TERM);
    let ended = running.end().exited(42);
    let order =
        "after | main began\nafter | side began\nafter | main stopped\nafter | side stopped\n";
    assert_eq!(ended.stdout, order);
    ended
        .says("stopping in 200ms, the group's shutdown_delay")
        .says("stopping main in 300ms, its shutdown_delay");
    world.assert_clean();
}

#[test]
fn a_second_signal_kills_them_all_at_once() {
    let Some(world) = world() else { return };
    let deaf = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";
    let tasks = [
        task("one", "exec", deaf, "kill_timeout = \"25s\""),
        task("two", "exec2", deaf, "shutdown_delay = \"1h\""),
        task("after", "exec", "echo never", &hook("poststop", false)),
    ];
    let mut running = world.start_job(&job("", &tasks));
    running.wait_for(&["one | ready", "two | ready"]);
    running.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.signal(Signal::INT);
    let ended = running.end().exited(137);
    assert_eq!(ended.stdout, "");
    world.assert_clean();
}
