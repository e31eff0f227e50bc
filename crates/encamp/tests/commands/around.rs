//! `encamp ps`, `exec` and `signal` on real tasks.
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::running::job;
use crate::world::{Ended, until, world};

const WAIT: &str = "while :; do sleep 0.1; done";

#[test]
fn what_runs_is_listed_and_nothing_else() {
    let Some(world) = world() else { return };
    assert_eq!(world.run(&["ps"]).exited(0).stdout.lines().count(), 1);
    assert_eq!(world.run(&["ps", "--json"]).exited(0).stdout, "[]\n");
    let tasks = [("server", "exec2", WAIT, ""), ("proxy", "exec", WAIT, "")];
    let run = world.start(&job("api", 2, &tasks));
    let listed = world.run(&["status"]).exited(0).stdout;
    let mut lines = listed.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("JOB  TASK           ALLOC     STATE    UP")
    );
    for place in [
        "web[0]/proxy",
        "web[0]/server",
        "web[1]/proxy",
        "web[1]/server",
    ] {
        let line = lines.next().unwrap();
        assert!(line.starts_with(&format!("api  {place}")), "{listed}");
        assert!(line.contains("/300 MiB"), "{listed}");
    }
    assert_eq!(world.run(&["ps", "-q"]).stdout.lines().count(), 2);
    assert_eq!(world.run(&["ps", "api/web[1]"]).stdout.lines().count(), 3);
    let text = world.run(&["ps", "--json", "api/web[1]/server"]).stdout;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["JobID"], "api");
    assert_eq!(json[0]["TaskStates"]["server"]["State"], "running");
    let usage = &json[0]["ResourceUsage"]["Tasks"]["server"]["ResourceUsage"];
    assert!(usage["MemoryStats"]["RSS"].is_u64(), "{text}");
    world.run(&["stop", "api"]).exited(0);
    run.end();
    assert_eq!(world.run(&["ps"]).stdout.lines().count(), 1);
}

#[test]
fn a_killed_run_is_not_listed_and_the_next_one_sweeps_it() {
    let Some(world) = world() else { return };
    let run = world.start(&job("killed", 1, &[("t", "exec2", WAIT, "")]));
    rustix::process::kill_process(run.pid(), rustix::process::Signal::KILL).unwrap();
    run.end();
    assert_eq!(world.run(&["ps"]).exited(0).stdout.lines().count(), 1);
    world
        .run(&["stop", "killed"])
        .exited(1)
        .says("nothing is running");
    world.run(&["gc"]).exited(0);
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_command_runs_beside_its_task_in_the_same_sandbox() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let script = format!("id -u > $NOMAD_TASK_DIR/uid; {WAIT}");
        let run = world.start(&job("api", 1, &[("t", driver, &script, "")]));
        let seen = "id -u; cat $NOMAD_TASK_DIR/uid; cat /proc/self/cgroup | tail -1; cat /proc/1/cgroup | tail -1; echo err >&2";
        until(|| {
            world
                .run(&["exec", "t", "test", "-s", "local/uid"])
                .code
                .is_some()
        });
        let ended = world
            .run(&["exec", "api/t", "--", "sh", "-c", seen])
            .exited(0);
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(lines[0], lines[1], "{driver}");
        assert_eq!(lines[2], lines[3], "{driver}");
        assert_eq!(ended.stderr, "err\n");
        world.run(&["exec", "api", "sh", "-c", "exit 7"]).exited(7);
        world
            .run(&["exec", "api", "sh", "-c", "kill -TERM $$"])
            .exited(143);
        world.run(&["exec", "api", "no-such-command"]).exited(127);
        world.run(&["exec", "api", "/etc/hostname"]).exited(126);
        world
            .run(&["exec", "-it", "api", "true"])
            .exited(1)
            .says("no terminal");
        world.run(&["alloc", "exec", "-i", "api", "true"]).exited(0);
        world.run(&["stop", "api"]).exited(0);
        run.end();
    }
}

#[test]
fn input_reaches_the_command_only_when_it_is_asked_for() {
    let Some(world) = world() else { return };
    let _run = world.start(&job("api", 1, &[("t", "exec2", WAIT, "")]));
    let sent = vec![b'x'; 300_000];
    for (flags, expected) in [
        (&["exec", "-i", "t", "wc", "-c"][..], "300000\n"),
        (&["exec", "t", "wc", "-c"], "0\n"),
    ] {
        let mut command = world.encamp(flags);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        // Nobody may be reading it.
        let _ = child.stdin.take().unwrap().write_all(&sent);
        let ended = Ended::of(child.wait_with_output().unwrap()).exited(0);
        assert_eq!(ended.stdout, expected);
    }
}

#[test]
fn many_may_enter_at_once_and_a_child_left_behind_holds_nobody_up() {
    let Some(world) = world() else { return };
    let _run = world.start(&job("api", 1, &[("t", "exec", WAIT, "")]));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let world = &world;
            scope.spawn(move || {
                let script = format!("sleep 300 & echo {number}");
                let ended = world.run(&["exec", "t", "sh", "-c", &script]).exited(0);
                assert_eq!(ended.stdout, format!("{number}\n"));
            });
        }
    });
}

#[test]
fn signals_arrive_by_name_and_by_number() {
    let Some(world) = world() else { return };
    let script = format!("trap 'echo usr1' USR1; trap 'echo hup' HUP; echo ready; {WAIT}");
    let run = world.start(&job("api", 1, &[("t", "exec", &script, "")]));
    let has_said = |words: &str| until(|| world.run(&["logs", "t"]).stdout.contains(words));
    has_said("ready");
    world.run(&["signal", "-s", "SIGUSR1", "t"]).exited(0);
    has_said("usr1");
    world.run(&["signal", "-s", "1", "api/web[0]/t"]).exited(0);
    has_said("hup");
    world
        .run(&["signal", "-s", "SIGNOSUCH", "t"])
        .exited(1)
        .says("no such signal");
    world.run(&["signal", "-s", "TERM", "api"]).exited(0);
    world.run(&["stop", "-t", "0", "api"]).exited(0);
    run.end();
}

#[test]
fn what_nobody_has_or_several_have_is_told() {
    let Some(world) = world() else { return };
    let tasks = [("one", "exec", WAIT, ""), ("two", "exec", WAIT, "")];
    let _run = world.start(&job("api", 1, &tasks));
    for command in [
        &["exec", "nosuch", "true"][..],
        &["stop", "nosuch"],
        &["signal", "nosuch"],
        &["logs", "nosuch"],
        &["ps", "nosuch"],
    ] {
        let told = "no job, task or allocation \"nosuch\"; running: api";
        world.run(command).exited(1).says(told);
    }
    world
        .run(&["exec", "api", "true"])
        .exited(1)
        .says("\"api\" may be api/web[0]/one or api/web[0]/two: say which");
    for strange in [
        "",
        "/",
        "..",
        "../../etc",
        "api/web[9]/one",
        "\n",
        "%s",
        "-",
    ] {
        world.run(&["exec", "--", strange, "true"]).exited(1);
    }
}
