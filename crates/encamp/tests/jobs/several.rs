//! Groups and counts: allocations side by side.
use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::job::{job, task};
use crate::world::world;

#[test]
fn each_count_is_an_allocation_with_index_directory_and_uid_of_its_own() {
    let Some(world) = world() else { return };
    let script = "echo $NOMAD_ALLOC_INDEX $NOMAD_ALLOC_NAME $NOMAD_ALLOC_ID $(id -u); touch $NOMAD_ALLOC_DIR/data/$NOMAD_ALLOC_INDEX; ls \
                  $NOMAD_ALLOC_DIR/data";
    let tasks = [
        task("a", "exec2", script, ""),
        task("b", "exec2", script, ""),
    ];
    let ended = world
        .run_job(&job("count = 3", &tasks), &["--rm"])
        .exited(0);
    let (mut uids, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..3 {
        for name in ["a", "b"] {
            let prefix = format!("g[{index}]/{name} | ");
            let lines: Vec<&str> = ended
                .stdout
                .lines()
                .filter_map(|line| line.strip_prefix(&prefix))
                .collect();
            let words: Vec<&str> = lines[0].split(' ').collect();
            assert_eq!(words[..2], [index.to_string(), format!("j.g[{index}]")]);
            ids.insert(words[2]);
            assert!(uids.insert(words[3]), "{} twice", words[3]);
            assert_eq!(lines[1..], [index.to_string()], "another allocation's data");
        }
    }
    assert_eq!(ids.len(), 3);
    world.assert_clean();
}

#[test]
fn groups_run_side_by_side_and_one_that_fails_leaves_the_others_alone() {
    let Some(world) = world() else { return };
    let one = task("t", "exec", "exit 5", "");
    let two = task("t", "exec2", "sleep 0.5; echo done", "");
    let text = format!(
        "job \"j\" {{\n type = \"batch\"\n group \"one\" {{\n{one}\n }}\n group \"two\" {{\n{two}\n }}\n group \"none\" {{\n count = 0\n{one}\n }}\n}}\n"
    );
    let ended = world.run_job(&text, &["--rm"]).exited(5);
    assert_eq!(ended.stdout, "two[0]/t | done\n");
    ended.says("group one, driver exec; group two, driver exec2; group none ×0");
    world.assert_clean();
}

#[test]
fn a_job_whose_counts_are_all_zero_ends_at_once() {
    let Some(world) = world() else { return };
    let _ = world
        .run_job(&job("count = 0", &[task("t", "exec", "exit 1", "")]), &[])
        .exited(0);
}

#[test]
fn lines_of_several_tasks_stay_whole() {
    let Some(world) = world() else { return };
    let script = |letter: &str| {
        format!(
            "i=0; while test $i -lt 200; do printf {letter}; printf '{letter}%s\\n' {letter}; i=$((i+1)); done"
        )
    };
    let tasks = [
        task("a", "exec", &script("aa"), ""),
        task("b", "exec2", &script("bb"), ""),
    ];
    let ended = world.run_job(&job("", &tasks), &["--rm"]).exited(0);
    let count = |line: &str| ended.stdout.lines().filter(|found| *found == line).count();
    assert_eq!(
        (count("a | aaaaaa"), count("b | bbbbbb")),
        (200, 200),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stdout.lines().count(), 400);
}

#[test]
fn a_lone_task_has_a_prefix_when_that_is_asked_for() {
    let Some(world) = world() else { return };
    let text = job(
        "",
        &[task("t", "exec", "echo out; printf 'no end' >&2", "")],
    );
    let ended = world.run_job(&text, &["--rm", "-q", "--prefix"]).exited(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("t | out\n", "t | no end\n")
    );
}

#[test]
fn other_commands_find_what_runs_in_the_run_directory() {
    let Some(world) = world() else { return };
    let tasks = [
        task("a", "exec2", "echo ready; exec sleep 600", ""),
        task("b", "exec", "echo ready; exec sleep 600", ""),
    ];
    let mut running = world.start_job(&job("", &tasks));
    running.wait_for(&["a | ready", "b | ready"]);
    let entries = std::fs::read_dir(world.dir.join("run")).unwrap().flatten();
    let dir = entries
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .unwrap();
    let read = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(dir.join("alloc.json")).unwrap()).unwrap()
    };
    // What a task says may be faster than what is said of it.
    let both_run = |state: &serde_json::Value| {
        ["a", "b"]
            .iter()
            .all(|name| state["TaskStates"][name]["State"] == "running")
    };
    let state = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        read()
    });
    let state = state.take(500).find(both_run).unwrap();
    assert_eq!(state["Name"], "j.g[0]");
    assert_eq!(state["ClientStatus"], "running");
    assert_eq!(state["Encamp"]["Pid"], running.pid().as_raw_pid());
    for name in ["a", "b"] {
        let task = &state["TaskStates"][name];
        assert_eq!(task["State"], "running");
        let events: Vec<&str> = task["Events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["Type"].as_str().unwrap())
            .collect();
        assert_eq!(events, ["Received", "Task Setup", "Started"]);
        assert!(dir.join(format!("{name}.handle")).exists());
    }
    running.signal(Signal::INT);
    let _ = running.end().exited(130);
    world.assert_clean();
}
