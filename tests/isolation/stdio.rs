//! Descriptors: three, clean, and byte for byte.
use serde_json::json;
use suite::need::require;
use suite::{Job, Running, World};

use crate::{DRIVERS, EXEC_NEEDS, facts};

/// More than any pipe or buffer on the way holds.
const MANY: usize = 3 << 20;

#[test]
fn a_task_has_descriptors_0_1_and_2_and_no_others() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let inner = world.command(&world.job(driver, &[]));
        let mut shell = std::process::Command::new("/bin/sh");
        shell
            .args(["-c", "exec \"$0\" \"$@\" 8</etc/passwd 9</"])
            .arg(inner.get_program())
            .args(inner.get_args());
        let facts = Running::start(&mut shell).wait().exited(0).line();
        let numbers: Vec<_> = facts["descriptors"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        assert_eq!(
            numbers,
            ["0", "1", "2"],
            "{driver}: {}",
            facts["descriptors"]
        );
    }
}

#[test]
fn standard_input_is_dev_null_and_the_outputs_are_not_the_callers() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let descriptors = facts(&world, &world.job(driver, &[]))["descriptors"].clone();
        assert_eq!(descriptors["0"], json!("/dev/null"), "{driver}");
        for number in ["1", "2"] {
            let target = descriptors[number].as_str().unwrap();
            assert!(
                !target.starts_with("/dev/") && !target.starts_with("socket:"),
                "{driver} {number}: {target}"
            );
        }
    }
}

#[test]
fn output_goes_to_output_and_errors_to_errors() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let outcome = world
            .run(&world.job(driver, &["say", "an", "output", ",", "warn", "an", "error"]))
            .exited(0);
        assert_eq!(outcome.stdout, "an output\n", "{driver}");
        assert!(
            outcome.stderr.contains("an error\n") && !outcome.stderr.contains("an output"),
            "{driver}: {outcome}"
        );
    }
}

#[test]
fn every_byte_arrives_and_nothing_is_added() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let outcome = world
            .run(&Job::new(
                driver,
                "/usr/bin/head",
                &["-c", &MANY.to_string(), "/dev/zero"],
            ))
            .exited(0);
        assert_eq!(outcome.stdout.len(), MANY, "{driver}");
        assert!(outcome.stdout.bytes().all(|byte| byte == 0), "{driver}");
    }
}

#[test]
fn output_without_a_line_end_arrives_while_the_task_runs() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let running = world.start(&Job::new(
            driver,
            "/bin/sh",
            &["-c", "printf prompt; exec sleep 600"],
        ));
        assert_eq!(running.wait_for_stdout("prompt"), "prompt", "{driver}");
        running.signal(rustix::process::Signal::INT);
        let _ = running.wait().exited(130);
    }
}

#[test]
fn exit_codes_come_through() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        for code in [0, 1, 42, 255] {
            let _ = world
                .run(&world.job(driver, &["exit", &code.to_string()]))
                .exited(code);
        }
    }
}
