//! Log files below `alloc/logs`.
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::job::{job, task};
use crate::world::{World, world};

/// The log files of the only allocation that was kept, by name, with their sizes.
fn logs(world: &World) -> Vec<(String, u64)> {
    let alloc = std::fs::read_dir(world.dir.join("data/alloc"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let entries = std::fs::read_dir(alloc.path().join("alloc/logs"))
        .unwrap()
        .flatten();
    let mut logs: Vec<_> = entries
        .map(|entry| {
            let meta = entry.metadata().unwrap();
            assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, 0o644));
            (entry.file_name().into_string().unwrap(), meta.len())
        })
        .collect();
    logs.sort();
    logs
}

#[test]
fn output_is_kept_and_rotated_and_told_as_well() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let script = "head -c 3500000 /dev/zero | tr '\\0' x; echo; echo err >&2";
        let text = job(
            "",
            &[task(
                "t",
                driver,
                script,
                "logs {\n max_files = 2\n max_file_size = 1\n }",
            )],
        );
        let ended = world.run_job(&text, &["--keep"]).exited(0);
        assert_eq!(ended.stdout.len(), 3_500_001);
        let mib = 1 << 20;
        let expected = [
            ("t.stderr.0", 4),
            ("t.stdout.2", mib),
            ("t.stdout.3", 3_500_001 - 3 * mib),
        ];
        assert_eq!(
            logs(&world),
            expected.map(|(name, size)| (name.to_owned(), size)),
            "{driver}"
        );
        std::fs::remove_dir_all(world.dir.join("data/alloc")).unwrap();
    }
}

#[test]
fn disabled_logs_are_not_kept() {
    let Some(world) = world() else { return };
    let quiet = task("quiet", "exec", "echo x", "logs {\n disabled = true\n }");
    let text = job("", &[quiet, task("loud", "exec2", "echo x", "")]);
    let _ = world.run_job(&text, &["--keep"]).exited(0);
    assert_eq!(logs(&world), [("loud.stdout.0".to_owned(), 2)]);
}

#[test]
fn a_task_sees_the_logs_of_its_allocation_and_writes_them_only_with_a_capability() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let script = "echo one; sleep 0.3; head -n 1 $NOMAD_ALLOC_DIR/logs/t.stdout.0; echo x 2>/dev/null >> $NOMAD_ALLOC_DIR/logs/t.stdout.0 && echo \
                      written || echo refused";
        let ended = world
            .run_job(&job("", &[task("t", driver, script, "")]), &["--rm"])
            .exited(0);
        // An exec task has dac_override unless its job drops it.
        let last = if driver == "exec" {
            "written"
        } else {
            "refused"
        };
        assert_eq!(ended.stdout, format!("one\none\n{last}\n"), "{driver}");
    }
}

/// A file of root's beside everything, which no log may ever reach.
fn canary(world: &World) -> PathBuf {
    let path = world.dir.join("canary");
    std::fs::write(&path, "secret\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

#[test]
fn links_in_the_place_of_log_files_gain_a_task_nothing() {
    let Some(world) = world() else { return };
    let canary = canary(&world);
    let before = std::fs::metadata(&canary).unwrap();
    for driver in ["exec", "exec2"] {
        // First the next files' names, then the directory itself, each followed by more output than a file holds.
        let plant = "cd $NOMAD_ALLOC_DIR/logs; for n in 1 2 3; do ln -s CANARY t.stdout.$n; done; rm t.stdout.0; ln -s CANARY t.stdout.0";
        let swap = "cd $NOMAD_ALLOC_DIR; mv logs old; mkdir logs; for n in 4 5 6 7; do ln -s CANARY logs/t.stdout.$n; done";
        let write = "head -c 2500000 /dev/zero | tr '\\0' x; echo";
        let script = format!("{write}; {plant}; {write}; {swap}; {write}; exit 1")
            .replace("CANARY", canary.to_str().unwrap());
        let restart = "logs {\n max_files = 20\n max_file_size = 1\n }";
        let text = job("", &[task("t", driver, &script, restart)]).replace(
            "attempts = 0\n        mode = \"fail\"",
            "attempts = 1\n delay = \"50ms\"\n interval = \"10m\"\n mode = \"fail\"",
        );
        let ended = world.run_job(&text, &["--rm"]).exited(1);
        assert!(!ended.stdout.contains("secret"));
        let after = std::fs::metadata(&canary).unwrap();
        assert_eq!(
            std::fs::read_to_string(&canary).unwrap(),
            "secret\n",
            "{driver}"
        );
        let facts =
            |meta: &std::fs::Metadata| (meta.mode(), meta.uid(), meta.nlink(), meta.mtime_nsec());
        assert_eq!(facts(&before), facts(&after), "{driver}");
        world.assert_clean();
    }
}

#[test]
fn a_full_disk_stops_no_task_and_what_is_lost_is_counted() {
    let Some(world) = world() else { return };
    let data = world.dir.join("data");
    std::fs::create_dir(&data).unwrap();
    mount(
        "tmpfs",
        &data,
        "tmpfs",
        MountFlags::empty(),
        Some(c"size=1m,mode=711"),
    )
    .unwrap();
    let text = job(
        "",
        &[task(
            "t",
            "exec2",
            "head -c 3000000 /dev/zero; echo end >&2",
            "",
        )],
    );
    let ended = world.run_job(&text, &["--rm"]);
    unmount(&data, UnmountFlags::DETACH).unwrap();
    let ended = ended.exited(0);
    assert_eq!(ended.stdout.len(), 3_000_000);
    ended
        .says("cannot keep the task's stdout in its log files, the task goes on: No space left on device")
        .says("bytes of the task's stdout are not in its log files");
}
