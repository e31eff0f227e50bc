//! `encamp run -- COMMAND`.
use crate::world::{World, world};

fn run(world: &World, flags: &[&str], command: &[&str]) -> crate::world::Ended {
    let all = [&["run", "-q", "--rm"], flags, &["--"], command].concat();
    world.run(&all)
}

#[test]
fn a_command_runs_and_its_code_and_output_come_back() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let ended = run(
            &world,
            &["--driver", driver, "--env", "A=b=c"],
            &["sh", "-c", "echo $A; id -u; exit 7"],
        );
        let ended = ended.exited(7);
        assert!(ended.stdout.starts_with("b=c\n"), "{}", ended.stdout);
        assert!(!ended.stdout.ends_with("\n0\n"));
    }
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn an_argument_arrives_as_it_was_written_whatever_is_in_it() {
    let Some(world) = world() else { return };
    let strange = [
        "${HOME:-x}",
        "$${HOME}",
        "$$${HOME}",
        "%{http_code}",
        "%%{ if true }",
        "$",
        "$$",
        "%",
        "\"\\\n\t\r",
        "\u{1}\u{7f}\u{85}",
        "<<EOF\nEOF",
        "ä€😀",
        "",
        " ",
        "# // /*",
        "${a${b}}",
        "~}",
        "${",
        "}",
        "${NOMAD_X",
        "$${NOMAD_TASK_NAME}",
    ];
    let ended = run(&world, &[], &[&["printf", "%s|"], &strange[..]].concat()).exited(0);
    let expected: String = strange.iter().map(|text| format!("{text}|")).collect();
    assert_eq!(ended.stdout, expected);
}

#[test]
fn nomads_references_have_their_values() {
    let Some(world) = world() else { return };
    let flags = [
        "--name",
        "named",
        "--env",
        "X=${NOMAD_TASK_NAME}-${HOME:-y}",
    ];
    let command = ["sh", "-c", "echo $0 $X", "${NOMAD_JOB_NAME}"];
    assert_eq!(
        run(&world, &flags, &command).exited(0).stdout,
        "named named-${HOME:-y}\n"
    );
}

#[test]
fn the_job_that_is_printed_runs_the_same() {
    let Some(world) = world() else { return };
    let flags = ["--memory", "64", "--env", "A=%{x}", "--kill-timeout", "1s"];
    let command = ["sh", "-c", "echo ${A} $0; exit 3", "${x}"];
    let direct = run(&world, &flags, &command).exited(3);
    let all = [&["run", "--emit-job"], &flags[..], &["--"], &command].concat();
    let printed = world.run(&all).exited(0).stdout;
    let file = world.dir.join("printed.nomad.hcl");
    std::fs::write(&file, printed).unwrap();
    let again = world
        .run(&["run", "-q", "--rm", file.to_str().unwrap()])
        .exited(3);
    assert_eq!(again.stdout, direct.stdout);
    assert_eq!(direct.stdout, "%{x} ${x}\n");
}

#[test]
fn a_failed_command_is_not_started_again() {
    let Some(world) = world() else { return };
    run(&world, &[], &["false"]).exited(1);
    run(&world, &[], &["/no/such/command"]).exited(127);
}

#[test]
fn wrong_flags_are_told() {
    let Some(world) = world() else { return };
    world.run(&["run"]).exited(1);
    world.run(&["run", "x.nomad.hcl", "--", "true"]).exited(1);
    world
        .run(&["run", "x.nomad.hcl", "--memory", "64"])
        .exited(1);
    run(&world, &["--env", "=x"], &["true"])
        .exited(1)
        .says("write NAME=VALUE");
    run(&world, &["--driver", "docker"], &["true"])
        .exited(1)
        .says("exec, exec2");
    run(&world, &["--kill-timeout", "soon"], &["true"])
        .exited(1)
        .says("<command line>:");
    run(&world, &["--unveil", "z:/x"], &["true"]).exited(1);
    run(&world, &["--user", "no-such-user"], &["true"]).exited(1);
    assert_eq!(world.left(), [""; 0]);
}
