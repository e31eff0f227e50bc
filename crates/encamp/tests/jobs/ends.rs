//! How runs end: by their policy, by the clock, by force.
use rustix::process::Signal;

use crate::job::{hook, job, task};
use crate::world::world;

#[test]
fn a_service_is_restarted_on_success_and_a_batch_is_not() {
    let Some(world) = world() else { return };
    let policy =
        "restart {\n attempts = 2\n delay = \"50ms\"\n interval = \"10m\"\n mode = \"fail\"\n }";
    let counting = task("t", "exec2", "echo x", "").replace(
        "restart {\n        attempts = 0\n        mode = \"fail\"\n      }",
        policy,
    );
    let batch = job("", &[counting]);
    assert_eq!(world.run_job(&batch, &["--rm"]).exited(0).stdout, "x\n");
    let service = batch.replace("\"batch\"", "\"service\"");
    let ended = world.run_job(&service, &["--rm"]).exited(0);
    assert_eq!(ended.stdout, "x\nx\nx\n");
    ended
        .says("not restarting: Exceeded allowed attempts 2 in interval 10m0s and mode is \"fail\"");
}

#[test]
fn a_run_that_takes_too_long_ends_with_124() {
    let Some(world) = world() else { return };
    let tasks = [
        task("slow", "exec", "exec sleep 600", ""),
        task("side", "exec2", "exec sleep 600", &hook("prestart", true)),
        task("after", "exec", "echo never", &hook("poststop", false)),
    ];
    let ended = world
        .run_job(&job("max_run_duration = \"1s\"", &tasks), &["--rm"])
        .exited(124);
    assert_eq!(ended.stdout, "");
    ended.says("max_run_duration 1s is over");
    world.assert_clean();
}

/// Processes whose command line holds this word.
fn processes(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|line| line.contains(word))
        .collect()
}

#[test]
fn a_killed_run_leaves_no_process_and_the_next_one_clears_up() {
    let Some(world) = world() else { return };
    let word = format!("never-ending-{}", std::process::id());
    let script = format!("echo ready; while :; do sleep 0.2; done # {word}");
    let tasks = [
        task("one", "exec", &script, ""),
        task("two", "exec2", &script, ""),
        task("side", "exec2", &script, &hook("prestart", true)),
    ];
    let mut running = world.start_job(&job("count = 2", &tasks));
    let lines =
        ["one", "two", "side"].map(|task| [0, 1].map(|index| format!("g[{index}]/{task} | ready")));
    let lines: Vec<&str> = lines.iter().flatten().map(String::as_str).collect();
    running.wait_for(&lines);
    running.signal(Signal::KILL);
    let _ = running.end();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !processes(&word).is_empty() {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            processes(&word)
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(!world.left().is_empty());
    let _ = world
        .run_job(&job("", &[task("t", "exec", "exit 0", "")]), &["--rm"])
        .exited(0);
    world.assert_clean();
}

#[test]
fn what_a_failed_run_leaves_is_told_for_each_allocation() {
    let Some(world) = world() else { return };
    let fails = task("t", "exec", "exit $NOMAD_ALLOC_INDEX", "");
    let ended = world.run_job(&job("count = 3", &[fails]), &[]).exited(1);
    let kept: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("kept "))
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(
        std::fs::read_dir(world.dir.join("data/alloc"))
            .unwrap()
            .count(),
        2
    );
}

#[test]
fn nothing_is_left_of_a_job_with_one_wrong_task() {
    let Some(world) = world() else { return };
    let wrong = task("wrong", "exec2", "echo x", "").replace("command =", "comand =");
    let ended = world
        .run_job(&job("", &[task("right", "exec", "echo x", ""), wrong]), &[])
        .exited(1);
    assert_eq!(ended.stdout, "");
    ended.says("comand");
    assert!(!world.dir.join("data").exists() && !world.dir.join("run").exists());
}
