//! `encamp logs` on real tasks.
use std::io::Read;
use std::process::Stdio;

use crate::running::job;
use crate::world::{Running, until, world};

#[test]
fn both_streams_come_out_where_they_belong() {
    let Some(world) = world() else { return };
    let script = "echo out; echo err >&2; while :; do sleep 0.1; done";
    let _run = world.start(&job("api", 1, &[("t", "exec2", script, "")]));
    until(|| world.run(&["logs", "t"]).stderr == "err\n");
    let both = world.run(&["logs", "api"]).exited(0);
    assert_eq!(
        (both.stdout.as_str(), both.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(world.run(&["logs", "-stderr", "t"]).exited(0).stdout, "");
    assert_eq!(world.run(&["logs", "--stdout", "t"]).exited(0).stderr, "");
}

#[test]
fn several_tasks_are_told_apart_and_the_last_lines_are_enough() {
    let Some(world) = world() else { return };
    let script = "for n in 1 2 3; do echo $n; done; while :; do sleep 0.1; done";
    let _run = world.start(&job("api", 2, &[("t", "exec", script, "")]));
    let expected = [
        "web[0]/t | 2",
        "web[0]/t | 3",
        "web[1]/t | 2",
        "web[1]/t | 3",
    ];
    until(|| {
        world
            .run(&["logs", "-n", "2", "api"])
            .stdout
            .lines()
            .eq(expected)
    });
    assert_eq!(world.run(&["logs", "-n", "0", "api"]).exited(0).stdout, "");
    assert_eq!(
        world
            .run(&["logs", "--tail=1", "api/web[1]"])
            .exited(0)
            .stdout,
        "3\n"
    );
}

#[test]
fn following_goes_on_over_restarts_to_the_end_of_the_run() {
    let Some(world) = world() else { return };
    let again =
        "restart {\n        delay = \"1s\"\n        attempts = 1\n        mode = \"fail\"\n      }";
    let script = "echo start; sleep 1; echo end; exit 1";
    let run = world.start(&job("api", 1, &[("t", "exec", script, again)]));
    let follower = Running::start(&mut world.encamp(&["logs", "-f", "t"]));
    run.end().exited(1);
    assert_eq!(follower.end().exited(0).stdout, "start\nend\nstart\nend\n");
}

#[test]
fn what_a_task_plants_among_its_logs_is_not_shown() {
    let Some(world) = world() else { return };
    let script = "rm -f $NOMAD_ALLOC_DIR/logs/t.stdout.0; ln -s /etc/shadow $NOMAD_ALLOC_DIR/logs/t.stdout.0; \
                  mkfifo $NOMAD_ALLOC_DIR/logs/t.stdout.1; echo own > $NOMAD_ALLOC_DIR/logs/t.stdout.2; while :; do sleep 0.1; done";
    let _run = world.start(&job("api", 1, &[("t", "exec2", script, "")]));
    until(|| {
        world
            .run(&[
                "exec",
                "t",
                "sh",
                "-c",
                "test -e $NOMAD_ALLOC_DIR/logs/t.stdout.2",
            ])
            .code
            == Some(0)
    });
    assert_eq!(world.run(&["logs", "t"]).exited(0).stdout, "");
}

#[test]
fn what_comes_last_is_followed_although_the_run_removes_it() {
    let Some(world) = world() else { return };
    let script =
        "echo begin; while [ ! -e $NOMAD_TASK_DIR/go ]; do sleep 0.05; done; echo last >&2";
    let once = "restart {\n        attempts = 0\n      }";
    let run = world.start(&job("api", 1, &[("t", "exec", script, once)]));
    let mut command = world.encamp(&["logs", "-f", "t"]);
    let pipes = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = pipes.spawn().unwrap();
    let mut begin = [0; 6];
    let mut stdout = follower.stdout.take().unwrap();
    stdout.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"begin\n");
    // The task's end may be that of the command beside it, too.
    world.run(&["exec", "t", "sh", "-c", "touch $NOMAD_TASK_DIR/go"]);
    run.end().exited(0);
    let mut last = String::new();
    follower
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut last)
        .unwrap();
    assert_eq!(last, "last\n");
    assert!(follower.wait().unwrap().success());
    assert_eq!(world.left(), [""; 0]);
}
