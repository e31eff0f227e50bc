//! `encamp gc`.
use crate::world::world;

#[test]
fn what_a_failed_run_has_kept_goes() {
    let Some(world) = world() else { return };
    world
        .run(&[
            "run",
            "-q",
            "--",
            "sh",
            "-c",
            "echo x > $NOMAD_TASK_DIR/y; exit 1",
        ])
        .exited(1);
    let [kept] = &world.left()[..] else {
        panic!("{:?}", world.left());
    };
    assert!(kept.starts_with("data/alloc/"));
    let ended = world.run(&["gc", "--older-than", "1h"]).exited(0);
    assert_eq!(ended.stdout, "nothing to remove\n");
    let ended = world.run(&["gc"]).exited(0);
    let path = world.dir.join(kept).display().to_string();
    assert!(
        ended.stdout.starts_with(&format!("removed {path} (")),
        "{}",
        ended.stdout
    );
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn an_id_that_nothing_has_is_told() {
    let Some(world) = world() else { return };
    world
        .run(&["gc", "ffffffff"])
        .exited(1)
        .says("no kept allocation \"ffffffff\"");
    world
        .run(&["gc", "--older-than", "soon"])
        .exited(1)
        .says("write a time");
}
