//! Mistakes in a job for `exec`: one error that names the value, its place, the reason, in the original's words; the right code; nothing left.
use suite::need::require;
use suite::{HostState, Job, World};

use crate::NEEDS;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// What is wrong: the attribute that is blamed, exit code, and what is said.
struct Mistake {
    job: Job,
    attribute: &'static str,
    code: i32,
    words: &'static [&'static str],
}

fn mistake(
    job: Job,
    attribute: &'static str,
    code: i32,
    words: &'static [&'static str],
) -> Mistake {
    Mistake {
        job,
        attribute,
        code,
        words,
    }
}

fn sh(line: &str) -> Job {
    Job::new("exec", "/bin/sh", &["-c", "exit 0"]).config(line)
}

fn command(command: &str) -> Job {
    Job::new("exec", command, &[])
}

fn mistakes() -> Vec<Mistake> {
    let user = |name: &str| Job::new("exec", "/bin/true", &[]).user(name);
    vec![
        mistake(
            sh("pid_mode = \"nope\""),
            "pid_mode",
            1,
            &[
                "failed driver config validation: pid_mode must be \"private\" or \"host\", got \"nope\"",
            ],
        ),
        mistake(
            sh("ipc_mode = \"Host\""),
            "ipc_mode",
            1,
            &[
                "failed driver config validation: ipc_mode must be \"private\" or \"host\", got \"Host\"",
            ],
        ),
        mistake(
            sh("cap_add = [\"nope\", \"CAP_BAD\"]"),
            "cap_add",
            1,
            &[
                "failed driver config validation: cap_add configured with capabilities not supported by system: bad, nope",
            ],
        ),
        mistake(
            sh("cap_drop = [\"nope\"]"),
            "cap_drop",
            1,
            &["cap_drop configured with capabilities not supported by system: nope"],
        ),
        mistake(
            sh("cap_add = [\"net_raw\", \"SYS_TIME\"]"),
            "cap_add",
            1,
            &["driver does not allow the following capabilities: net_raw, sys_time"],
        ),
        mistake(
            sh("cap_add = \"chown\""),
            "cap_add",
            1,
            &["list of string required"],
        ),
        mistake(sh("cap_add = [1]"), "cap_add", 1, &["cap_add"]),
        mistake(
            sh("work_dir = \"a/b\""),
            "work_dir",
            1,
            &[
                "failed driver config validation: work_dir must be absolute but got relative path \"a/b\"",
            ],
        ),
        mistake(sh("work_dir = \"/a\\u0000b\""), "work_dir", 1, &["NUL"]),
        mistake(
            sh("work_dir = \"/etc/passwd\""),
            "work_dir",
            125,
            &[
                "change the directory to /etc/passwd",
                "Not a directory",
                "work_dir must be a directory inside",
            ],
        ),
        mistake(
            sh("work_dir = \"/proc/self/fd/3\""),
            "work_dir",
            125,
            &["change the directory to /proc/self/fd/3"],
        ),
        mistake(
            sh("no_pivot_root = true"),
            "no_pivot_root",
            1,
            &["\"no_pivot_root\" is not expected here"],
        ),
        mistake(
            sh("unveil = [\"r:/etc\"]"),
            "unveil",
            1,
            &["\"unveil\" is not expected here"],
        ),
        mistake(command(""), "command", 127, &["the command is empty"]),
        mistake(command("a\0b"), "command", 1, &["NUL"]),
        mistake(
            command("/bin/encamp-absent"),
            "command",
            127,
            &[
                "file /bin/encamp-absent not found under path /",
                "/local/bin/encamp-absent",
            ],
        ),
        mistake(
            command("encamp-absent"),
            "command",
            127,
            &[
                "file encamp-absent not found under path /",
                "/usr/local/bin/encamp-absent, /usr/bin/encamp-absent, /bin/encamp-absent",
            ],
        ),
        mistake(
            command("local/encamp-absent"),
            "command",
            127,
            &["/local/encamp-absent"],
        ),
        mistake(
            command("/home/somebody/bin/tool"),
            "command",
            127,
            &["/home/somebody/bin/tool not found"],
        ),
        mistake(
            command("../../../root/x"),
            "command",
            127,
            &["file ../../../root/x not found", "/root/x"],
        ),
        mistake(
            command("/etc"),
            "command",
            126,
            &["/etc cannot be executed: it is a directory"],
        ),
        mistake(
            command("/dev/null"),
            "command",
            126,
            &["/dev/null cannot be executed: it is a device"],
        ),
        mistake(
            command("/proc/self/exe"),
            "command",
            127,
            &["/proc/self/exe"],
        ),
        mistake(
            command("/etc/shadow"),
            "command",
            126,
            &["/etc/shadow: it is neither a program for this machine nor a script with #!"],
        ),
        mistake(
            user("encamp-absent"),
            "user",
            1,
            &[
                "failed host user validation: failed to identify user \"encamp-absent\": user: unknown user encamp-absent",
            ],
        ),
        mistake(user("0"), "user", 1, &["unknown user 0"]),
        mistake(
            user("nobody\n"),
            "user",
            1,
            &["user: unknown user nobody\\n"],
        ),
    ]
}

#[test]
fn each_mistake_is_told_once_with_its_place_and_nothing_is_left() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let _ = world.run(&command("/bin/true")).exited(0);
    let before = HostState::take();
    for Mistake {
        job,
        attribute,
        code,
        words,
    } in mistakes()
    {
        let text = job.text();
        let line = text
            .lines()
            .position(|line| line.trim_start().starts_with(attribute))
            .unwrap()
            + 1;
        let mut run = world.command(&job);
        let outcome = suite::Running::start(run.arg("--rm")).wait().exited(code);
        assert_eq!(outcome.stdout, "", "{outcome}");
        for words in words {
            assert!(outcome.stderr.contains(words), "{words}\n{outcome}");
        }
        let place = [
            format!(".nomad.hcl:{line},"),
            format!(".nomad.hcl:{line}):"),
        ];
        assert!(
            place.iter().any(|place| outcome.stderr.contains(place)),
            "{attribute}, line {line}\n{outcome}"
        );
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn arguments_that_are_too_long_are_the_jobs_mistake() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    // One argument holds 128 KiB (execve(2), MAX_ARG_STRLEN).
    let long = "x".repeat(200_000);
    let outcome = world
        .run(&Job::new("exec", "/bin/echo", &[&long]))
        .exited(126);
    assert!(
        outcome
            .stderr
            .contains("/bin/echo: its arguments and environment are too long"),
        "{}",
        &outcome.stderr[outcome.stderr.len().saturating_sub(500)..]
    );
}
