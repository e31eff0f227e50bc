//! Mistakes in an `exec2` task: one error with value, place, reason and way out, the right exit code, nothing started and nothing left.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use suite::need::require;
use suite::stage::on_stage;
use suite::{HostState, Job, Outcome, Running, World};

use crate::NEEDS;

/// A mistake in the job.
const JOB: i32 = 1;
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// How long the kernel may take to end the last mount or cgroup.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options of `config {}`, and what the error says; every one of them names the option's line.
const OPTIONS: [(&str, &[&str]); 24] = [
    (
        "unveil = [\"/etc\"]",
        &["path \"/etc\" does not contain mode prefix", "r:/etc"],
    ),
    (
        "unveil = [\"\"]",
        &["path \"\" does not contain mode prefix"],
    ),
    ("unveil = [\"r:\"]", &["\"r:\"", "names no path"]),
    (
        "unveil = [\":/etc\"]",
        &["\":/etc\"", "letters r, w, x and c"],
    ),
    (
        "unveil = [\"q:/etc\"]",
        &["\"q:/etc\"", "letters r, w, x and c"],
    ),
    (
        "unveil = [\"R:/etc\"]",
        &["\"R:/etc\"", "letters r, w, x and c"],
    ),
    (
        "unveil = [\"r w:/etc\"]",
        &["\"r w:/etc\"", "letters r, w, x and c"],
    ),
    (
        "unveil = [\"r:/a:/etc\"]",
        &["\"r:/a:/etc\"", "letters r, w, x and c"],
    ),
    (
        "unveil = [\"r:/encamp/no/such\"]",
        &["unveil path /encamp/no/such does not exist"],
    ),
    (
        "unveil = [\"r:/etc/hosts/x\"]",
        &["unveil path /etc/hosts/x", "Not a directory"],
    ),
    (
        "unveil = [\"r:/proc/no/such\"]",
        &["unveil path /proc/no/such does not exist"],
    ),
    ("unveil = [\"r:no/such\"]", &["no/such does not exist"]),
    (
        "unveil = [\"r:/var/lib/encamp/alloc\"]",
        &["\"r:/var/lib/encamp/alloc\"", "which no task may see"],
    ),
    ("unveil = \"r:/etc\"", &["unveil", "list"]),
    ("unveil = [1]", &["path \"1\" does not contain mode prefix"]),
    (
        "oom_score_adj = -1",
        &["oom_score_adj must be a positive integer", "-1"],
    ),
    (
        "oom_score_adj = 1001",
        &["oom_score_adj must be a positive integer", "1001"],
    ),
    (
        "oom_score_adj = 1.5",
        &["oom_score_adj", "a whole number is required", "1.5"],
    ),
    (
        "oom_score_adj = \"x\"",
        &["oom_score_adj: a number is required"],
    ),
    (
        "work_dir = \"/encamp/no/such\"",
        &["work_dir \"/encamp/no/such\" does not exist"],
    ),
    (
        "work_dir = \"local/none\"",
        &["work_dir \"local/none\" does not exist"],
    ),
    (
        "work_dir = \"/etc/hosts\"",
        &["work_dir \"/etc/hosts\" is not a directory"],
    ),
    (
        "cap_add = [\"sys_admin\"]",
        &["task requested capability \"sys_admin\" not in driver allow_caps"],
    ),
    (
        "cap_add = [\"cap_nosuch\"]",
        &["invalid capability \"nosuch\" in cap_add"],
    ),
];

/// `<file>:<line>,` of the line that holds `text`.
#[track_caller]
fn assert_names_the_line(outcome: &Outcome, job: &Job, text: &str) {
    let line = job
        .text()
        .lines()
        .position(|line| line.contains(text))
        .unwrap()
        + 1;
    assert!(
        outcome.stderr.contains(&format!(".nomad.hcl:{line},")),
        "line {line}\n{outcome}"
    );
}

#[track_caller]
fn assert_says(outcome: &Outcome, words: &[&str]) {
    assert!(outcome.stdout.is_empty(), "{outcome}");
    for word in words {
        assert!(outcome.stderr.contains(word), "no {word:?}\n{outcome}");
    }
    // Neither a panic nor a start.
    for word in ["panicked", ": started, pid"] {
        assert!(!outcome.stderr.contains(word), "{outcome}");
    }
}

#[test]
fn a_wrong_option_is_one_error_at_its_place_and_nothing_is_started_or_left() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let _ = world.run(&world.job("exec2", &["exit", "0"])).exited(0);
    let before = HostState::take();
    for (option, words) in OPTIONS {
        let job = world.job("exec2", &["say", "started"]).config(option);
        let outcome = world.run(&job).exited(JOB);
        assert_says(&outcome, words);
        assert_names_the_line(&outcome, &job, option);
    }
    for user in ["no-such-user", "1000:", "nobody\n", "0", "-1", "4294967296"] {
        let job = world.job("exec2", &["say", "started"]).user(user);
        let outcome = world.run(&job).exited(JOB);
        assert_says(&outcome, &[user.trim()]);
        assert_names_the_line(&outcome, &job, "user = ");
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn a_command_that_cannot_be_run_is_one_error_with_the_originals_words_and_nothing_is_left() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let top = world.directory().join("commands");
    fs::create_dir(&top).unwrap();
    let at = |name: &str| top.join(name).display().to_string();
    let script = |name: &str, text: &str| {
        fs::write(top.join(name), text).unwrap();
        fs::set_permissions(top.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("no-interpreter", "#!/encamp/no/such\n");
    script("veiled-interpreter", "#!/usr/sbin/ldconfig\n");
    script("noise", "\u{1}\u{2}no program\n");
    script("for-root", "#!/bin/sh\n");
    fs::set_permissions(top.join("for-root"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(top.join("text"), "").unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        top.join("fifo"),
        rustix::fs::FileType::Fifo,
        0o777.into(),
        0,
    )
    .unwrap();
    let absent = at("absent");
    let cases: Vec<(String, i32, Vec<String>)> = vec![
        (String::new(), NOT_FOUND, vec!["the command is empty".into()]),
        (
            absent.clone(),
            NOT_FOUND,
            vec![format!("failed to locate command {absent:?}: exec: {absent:?}: stat {absent}: no such file or directory")],
        ),
        (
            "encamp-no-such".into(),
            NOT_FOUND,
            vec!["failed to locate command \"encamp-no-such\": exec: \"encamp-no-such\": executable file not found in $PATH".into(), "/usr/local/bin, /usr/bin, /bin".into()],
        ),
        ("local/absent".into(), NOT_FOUND, vec!["exec: \"local/absent\": stat ".into()]),
        (at("dangling"), NOT_FOUND, vec![at("dangling"), "no such file or directory".into()]),
        (at("text"), NOT_EXECUTABLE, vec![format!("exec: {:?}: permission denied", at("text")), "chmod +x".into()]),
        (at("fifo"), NOT_EXECUTABLE, vec!["FIFO".into(), at("fifo")]),
        ("/dev/null".into(), NOT_EXECUTABLE, vec!["exec: \"/dev/null\": permission denied".into()]),
        ("/usr/bin".into(), NOT_EXECUTABLE, vec!["exec: \"/usr/bin\": is a directory".into()]),
        ("/proc/self/exe".into(), NOT_FOUND, vec!["/proc/self/exe".into()]),
        ("/usr/sbin/ldconfig".into(), NOT_EXECUTABLE, vec!["not unveiled for execution; add unveil = [\"rx:/usr/sbin/ldconfig\"]".into()]),
        (at("no-interpreter"), NOT_EXECUTABLE, vec!["its interpreter /encamp/no/such does not exist".into()]),
        (at("veiled-interpreter"), NOT_EXECUTABLE, vec!["its interpreter /usr/sbin/ldconfig".into(), "add unveil = [\"rx:/usr/sbin/ldconfig\"]".into()]),
        (at("noise"), NOT_EXECUTABLE, vec!["neither a program for this machine nor a script".into()]),
        (at("for-root"), NOT_EXECUTABLE, vec![at("for-root"), "may not be executed".into()]),
    ];
    let _ = world.run(&world.job("exec2", &["exit", "0"])).exited(0);
    let before = HostState::take();
    for (command, code, words) in cases {
        let entry = format!("unveil = [\"rx:{}\"]", top.display());
        let job = Job::new("exec2", &command, &[]).config(&entry);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_says(&world.run(&job).exited(code), &words);
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn a_command_is_looked_for_along_the_tasks_own_path_and_never_where_it_happens_to_be() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let setup = "mkdir -p /opt/first /opt/second
        echo '#!/bin/sh' > /opt/first/tool; chmod 644 /opt/first/tool
        printf '#!/bin/sh\\necho second $0\\n' > /opt/second/tool; chmod 755 /opt/second/tool
        mkdir /opt/first/other; cp /opt/second/tool /opt/second/other";
    let run = |command: &str, path: &str, entries: &str| {
        let job = Job::new("exec2", command, &[]).env("PATH", path);
        let job = job.config(&format!("unveil = [{entries}]"));
        let staged = on_stage(setup, &world.command(&job));
        Running::start(&mut { staged }).wait()
    };
    let both = "\"rx:/opt/first\", \"rx:/opt/second\"";
    // What is no executable file is passed over, as a search does.
    for command in ["tool", "other"] {
        let outcome = run(command, "/nonexistent:/opt/first:/opt/second:/bin", both).exited(0);
        assert_eq!(outcome.stdout, format!("second /opt/second/{command}\n"));
    }
    // The first that is one wins, unveiled or not.
    let outcome = run("tool", "/opt/second:/bin", "\"rx:/opt/first\"").exited(NOT_EXECUTABLE);
    assert_says(
        &outcome,
        &[
            "/opt/second/tool is not unveiled for execution",
            "rx:/opt/second/tool",
        ],
    );
    let outcome = run("true", "/opt/first", both).exited(NOT_FOUND);
    assert_says(
        &outcome,
        &["executable file not found in $PATH", "looked in /opt/first"],
    );
    // Relative elements find nothing but a refusal.
    for element in ["../../../../../../../../opt/second", "."] {
        let entries = format!("{both}, \"rwx:.\"");
        let outcome = run("tool", &format!("{element}:/bin"), &entries);
        let outcome = outcome.exited(NOT_FOUND);
        let words = if element == "." {
            "executable file not found in $PATH"
        } else {
            "exec: \"tool\": cannot run executable found relative to current directory"
        };
        assert_says(&outcome, &[words]);
    }
    // The way out that the refusal names: the script and its interpreter, both.
    let outcome = run("/opt/second/tool", "/bin", "\"rx:/opt/second/tool\"").exited(0);
    assert_eq!(outcome.stdout, "second /opt/second/tool\n");
}
