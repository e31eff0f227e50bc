//! The rest of what `exec2` promises: own directories, users, environment, working directory, oom_score_adj, commands beside the task.
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use suite::need::require;
use suite::stage::on_stage;
use suite::{Job, Running, World};

use crate::handed::{Handed, UID, list};
use crate::{NEEDS, errnos, facts};

const ACCES: i64 = 13;

/// What another uid of the pool may try on a path of a task.
const INTRUSIONS: [&[&str]; 4] = [
    &["ls", "@"],
    &["cat", "@/local/file"],
    &["touch", "@/local/new"],
    &["sh", "-c", "cd @/local"],
];

#[test]
fn no_other_uid_enters_lists_reads_or_writes_a_tasks_directories() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = [
        "create",
        "local/file",
        "x",
        ",",
        "chmod",
        "local/file",
        "666",
        ",",
        "create",
        "secrets/file",
        "x",
        ",",
        "env",
        "NOMAD_ALLOC_ID",
        ",",
        "say",
        "up",
        ",",
        "sleep",
        "60",
    ];
    let running = world.start(&world.job("exec2", &words));
    let said = running.wait_for_stdout("up");
    let line: serde_json::Value = serde_json::from_str(said.lines().nth(3).unwrap()).unwrap();
    let alloc = line["value"].as_str().unwrap();
    let top = Path::new("/var/lib/encamp");
    let task = top.join("alloc").join(alloc).join("t");
    assert!(task.join("local/file").exists(), "root sees it");
    for place in [
        task.clone(),
        top.join("alloc").join(alloc),
        top.join("alloc").join(alloc).join("alloc"),
        top.join("alloc_mounts").join(format!("{alloc}-t")),
        task.join("secrets"),
    ] {
        for words in INTRUSIONS {
            let words = words
                .iter()
                .map(|word| word.replace('@', &place.display().to_string()));
            // Neither a neighbour from the pool nor a user with an account.
            for uid in ["80123", "1", "65534"] {
                let tried = Command::new("setpriv")
                    .args([
                        format!("--reuid={uid}"),
                        format!("--regid={uid}"),
                        "--clear-groups".into(),
                    ])
                    .args(words.clone())
                    .output()
                    .unwrap();
                assert!(
                    !tried.status.success(),
                    "{uid} {:?}",
                    words.collect::<Vec<_>>()
                );
            }
        }
    }
    assert!(!task.join("local/new").exists());
    running.signal(Signal::TERM);
    running.signal(Signal::TERM);
    let _ = running.wait();
}

#[test]
fn the_tasks_own_directories_can_be_read_written_executed_and_changed_but_secrets_not_executed() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let script = "for at in $NOMAD_TASK_DIR $NOMAD_ALLOC_DIR $TMPDIR /tmp $NOMAD_SECRETS_DIR; do
          cp /bin/true $at/tool && chmod 755 $at/tool && ls $at >/dev/null && mkdir $at/d && mv $at/tool $at/d/ && ln -s d $at/l &&
          rm $at/l && echo x >$at/f && cat $at/f >/dev/null && rm $at/f || echo broken $at
          $at/d/tool && echo runs || echo no; rm -r $at/d
        done; cd $NOMAD_TASK_DIR && pwd -P && cd .. && ls >/dev/null && mkdir new || echo closed";
    for user in [None, Some("daemon"), Some("root")] {
        let job = Job::new("exec2", "/bin/sh", &["-c", script]);
        let job = user.map_or(job.clone(), |user| job.user(user));
        let outcome = world.run(&job).exited(0);
        let said: Vec<_> = outcome.stdout.lines().collect();
        assert_eq!(
            said[..5],
            ["runs", "runs", "runs", "runs", "no"],
            "{user:?} {outcome}"
        );
        assert!(
            said[5].ends_with("-t/local") && said[6] == "closed",
            "{user:?} {outcome}"
        );
    }
}

#[test]
fn a_data_directory_below_closed_ones_is_reached_by_its_absolute_path() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    // Below the closed directory, and beside it, lies something that is nobody's business.
    let script = "cd / && cd $NOMAD_TASK_DIR && pwd && cd $NOMAD_ALLOC_DIR && echo x >$NOMAD_SECRETS_DIR/x && echo x >$TMPDIR/x && cat $TMPDIR/x;
        cat /encamp-closed/a/secret /tmp/encamp-closed/a/secret; ls /encamp-closed /encamp-closed/a";
    for top in ["/encamp-closed", "/tmp/encamp-closed"] {
        let setup = format!(
            "mkdir -p {top}/a/b; chmod 700 {top} {top}/a; echo secret > {top}/a/secret; chmod 644 {top}/a/secret"
        );
        for user in [None, Some("root"), Some("daemon")] {
            let job = Job::new("exec2", "/bin/sh", &["-c", script]);
            let job = user.map_or(job.clone(), |user| job.user(user));
            let mut command = world.command(&job);
            command.args(["--data-dir", &format!("{top}/a/b/data")]);
            let outcome = Running::start(&mut on_stage(&setup, &command)).wait();
            let said: Vec<_> = outcome.stdout.lines().collect();
            assert!(said.len() == 2 && said[1] == "x", "{user:?} {outcome}");
            assert!(
                said[0].starts_with(top) && said[0].ends_with("-t/local"),
                "{outcome}"
            );
        }
    }
}

#[test]
fn a_user_is_exactly_who_it_names_or_nobody() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    // Accounts whose names are numbers, or look like ids.
    let setup = "printf '1000:x:7:7::/:/bin/sh\\n0x0:x:8:8::/:/bin/sh\\nnomad-81000:x:0:0::/root:/bin/sh\\nnegative:x:-1:-1::/:/bin/sh\\nodd:x:0x0:0::/:/bin/sh\\nhuge:x:4294967296:0::/:/bin/sh\\n' >> /etc/passwd
        printf 'extra:x:99:daemon,1000\\nroot2:x:0:daemon\\n' >> /etc/group";
    let run = |user: &str| {
        let job = world.job("exec2", &["facts"]).user(user);
        Running::start(&mut on_stage(setup, &world.command(&job))).wait()
    };
    for (name, id) in [("1000", 7), ("0x0", 8), ("daemon", 1), ("root", 0)] {
        let facts = run(name).exited(0).line();
        assert_eq!(
            (&facts["uid"], &facts["gid"]),
            (&json!(([id; 4])), &json!(([id; 4]))),
            "{name}"
        );
        assert_eq!(facts["groups"], json!([]), "{name}: supplementary groups");
        assert_eq!(facts["env"]["USER"], name);
    }
    for name in [
        "1000:",
        ":0",
        "0",
        "+0",
        "-1",
        "4294967295",
        "4294967296",
        "01000",
        " root",
        "root ",
        "nobody\n",
        "root:root",
        "0:0",
        "ROOT",
        "negative",
        "odd",
        "huge",
        "nomad-81000",
        "nomad-0",
        "nomad--1",
        "nomad-4294967296",
        "nomad-",
    ] {
        let outcome = run(name).exited(1);
        assert!(outcome.stdout.is_empty(), "{name:?} {outcome}");
        assert!(outcome.stderr.contains(name.trim()), "{name:?} {outcome}");
    }
}

#[test]
fn handed_dynamic_users_are_their_number_and_no_account() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = &Handed::new(&world, &[], &["facts"]).lines()[0];
    assert_eq!(
        (&facts["uid"], &facts["gid"]),
        (&json!(([UID; 4])), &json!(([UID; 4])))
    );
    assert_eq!(
        (&facts["groups"], &facts["env"]["HOME"]),
        (&json!([]), &json!("/nonexistent"))
    );
    assert_eq!(facts["env"]["USER"], format!("nomad-{UID}"));
    for user in [
        "nomad-0",
        "nomad-00",
        "nomad--1",
        "nomad-4294967296",
        "nomad-4294967295",
        "nomad-0x10",
        "0",
        "nomad-1 ",
    ] {
        let told = Handed::new(&world, &[], &[])
            .user(user)
            .refusal()
            .to_string();
        assert!(
            told.contains("failed to lookup user: error looking up user") && told.contains(user),
            "{told}"
        );
    }
}

#[test]
fn the_environment_is_upstreams_but_for_what_the_job_sets() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut handed = Handed::new(&world, &[], &["facts"]);
    for (name, value) in [
        ("LD_PRELOAD", "/x"),
        ("LD_LIBRARY_PATH", "/x"),
        ("LD_AUDIT", "/x"),
        ("LS_COLORS", "x"),
        ("XAUTHORITY", "x"),
        ("DISPLAY", ":0"),
        ("COLORTERM", "x"),
        ("MAIL", "x"),
        ("EMPTY", ""),
        ("LDX", "kept"),
        ("PATH", "/own:/bin"),
    ] {
        handed = handed.env(name, value);
    }
    let env = handed.lines()[0]["env"].clone();
    for dropped in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "LS_COLORS",
        "XAUTHORITY",
        "DISPLAY",
        "COLORTERM",
        "MAIL",
    ] {
        assert_eq!(env[dropped], json!(null), "{dropped}");
    }
    for (name, value) in [("EMPTY", ""), ("LDX", "kept"), ("PATH", "/own:/bin")] {
        assert_eq!(env[name], value, "{name}");
    }
    let tmp = env["NOMAD_TASK_DIR"]
        .as_str()
        .unwrap()
        .replace("/local", "/tmp");
    assert_eq!(env["TMPDIR"], tmp);
    // mktemp(1) uses it, and it is the task's by that path.
    let job = Job::new(
        "exec2",
        "/bin/sh",
        &["-c", "f=$(mktemp) && echo $f && [ -w $f ]"],
    );
    let outcome = world.run(&job).exited(0);
    assert!(outcome.stdout.contains("-t/tmp/tmp."), "{outcome}");
}

#[test]
fn oom_score_adj_is_what_the_job_says_from_the_start_and_in_children() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for value in ["0", "1", "500", "1000"] {
        let job = Job::new("exec2", "/bin/sh", &["-c", "cat /proc/self/oom_score_adj"])
            .config(&format!("oom_score_adj = {value}"));
        assert_eq!(world.run(&job).exited(0).stdout.trim(), value);
    }
    assert_eq!(facts(&world, &world.job("exec2", &[]))["oom_score_adj"], 0);
}

#[test]
fn the_working_directory_is_the_task_directory_or_the_one_that_is_asked_for() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (work_dir, ends_with) in [
        ("local", "-t/local"),
        ("./alloc/../local/.", "-t/local"),
        ("alloc/data", "-t/alloc/data"),
        ("tmp", "-t/tmp"),
    ] {
        let job = world.job("exec2", &["facts", ",", "make", "here"]);
        let lines = world
            .run(&job.config(&format!("work_dir = {work_dir:?}")))
            .exited(0)
            .lines();
        let cwd = lines[0]["cwd"].as_str().unwrap();
        assert!(cwd.ends_with(ends_with), "{work_dir}: {cwd}");
        assert_eq!(
            (&lines[0]["env"]["NOMAD_WORK_DIR"], &lines[1]["ok"]),
            (&json!(cwd), &json!(true))
        );
    }
    let facts = facts(&world, &world.job("exec2", &[]));
    assert_eq!(
        format!("{}/local", facts["cwd"].as_str().unwrap()),
        facts["env"]["NOMAD_TASK_DIR"]
    );
}

#[test]
fn a_root_task_without_capabilities_is_root_of_nothing() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    let path = canary.path();
    let words = [
        "chmod",
        path,
        "4777",
        ",",
        "chown",
        path,
        "1",
        ",",
        "chmod",
        "/etc/hosts",
        "666",
        ",",
        "chown",
        "/usr",
        "1",
        ",",
        "mknod",
        "local/disk",
        "b",
        "8",
        "0",
        ",",
        "mknod",
        "local/mem",
        "c",
        "1",
        "1",
        ",",
        "mount",
        "/mnt",
        ",",
        "remount-rw",
        "/",
        ",",
        "setuid",
        "12345",
        ",",
        "listen",
        "127.0.0.1:83",
        ",",
        "read",
        "/etc/shadow",
        ",",
        "open",
        "/dev/mem",
        ",",
        "open",
        "/dev/kmsg",
        ",",
        "write",
        "/proc/sysrq-trigger",
        "h",
        ",",
        "write",
        "/proc/sys/kernel/core_pattern",
        "x",
        ",",
        "read",
        "/proc/kcore",
        ",",
        "write",
        "/proc/1/oom_score_adj",
        "1",
        ",",
        "read",
        "/proc/1/mem",
        ",",
        "write",
        "/sys/fs/cgroup/cgroup.procs",
        "1",
    ];
    let met = errnos(&world, &world.job("exec2", &words).user("root"));
    for (number, errno) in met.iter().enumerate() {
        // kcore is masked by an empty file of /dev/null's, which reads as nothing.
        let harmless = number == 15;
        assert!(errno.is_some() || harmless, "attempt {number}: {met:?}");
    }
    canary.assert_untouched();
}

#[test]
fn a_setuid_program_gives_nobody_anything() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let top = std::path::PathBuf::from(format!("/var/tmp/encamp-setuid-{}", std::process::id()));
    fs::create_dir(&top).unwrap();
    let program = top.join("program");
    fs::copy(suite::binaries::probe(), &program).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).unwrap();
    let words = ["exec", program.to_str().unwrap(), "facts"];
    let entry = format!("unveil = [\"rwxc:{}\"]", top.display());
    let line = world
        .run(&world.job("exec2", &words).config(&entry))
        .exited(0)
        .line();
    let _ = fs::remove_dir_all(&top);
    let inner: serde_json::Value = serde_json::from_str(line["stdout"].as_str().unwrap()).unwrap();
    assert!(inner["uid"][0].as_u64().unwrap() >= 80_000, "{inner}");
    assert_eq!(
        (&inner["uid"][0], &inner["euid"]),
        (&inner["uid"][1], &inner["uid"][1])
    );
    // One that the task leaves is gone with it, and out of everybody's reach while it lasts; its uid rests.
    let script = "cp /bin/true local/left && chmod 6755 local/left && ls -l local/left";
    let outcome = world
        .run(&Job::new("exec2", "/bin/sh", &["-c", script]))
        .exited(0);
    assert!(outcome.stdout.starts_with("-rwsr-sr-x"), "{outcome}");
}

#[test]
fn what_is_entered_shares_the_tasks_domain_and_lacks_what_it_lacks() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let handed = Handed::new(&world, &[], &["catch", "USR1", "7"]);
    let (task, _pipes) = handed.start().unwrap();
    // Into a file: what is kept of a command's output is its end.
    let local = handed.task.alloc_dir.join("t/local/out");
    let probe = |words: &[&str]| {
        let script = "probe=$1; shift; exec \"$probe\" \"$@\" >local/out";
        let argv: Vec<String> = ["/bin/sh", "-c", script, "sh", world.probe()]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect();
        let _ = task.exec(&argv, Some(Duration::from_secs(30))).unwrap();
        let text = fs::read_to_string(&local).unwrap();
        let parse = |line| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect::<Vec<serde_json::Value>>()
    };
    let lines = probe(&[
        "facts",
        ",",
        "read",
        "/etc/passwd",
        ",",
        "list",
        "/",
        ",",
        "make",
        "local/beside",
    ]);
    let facts = &lines[0];
    assert_eq!(
        (&facts["uid"], &facts["no_new_privs"]),
        (&json!(([UID; 4])), &json!(true))
    );
    assert_eq!(facts["capabilities"]["bounding"], "0000000000000000");
    let descriptors: Vec<_> = facts["descriptors"].as_object().unwrap().keys().collect();
    assert_eq!(descriptors, ["0", "1", "2"]);
    let met: Vec<_> = lines[1..]
        .iter()
        .map(|line| line["errno"].as_i64())
        .collect();
    assert_eq!(met, [Some(ACCES), Some(ACCES), None]);
    // The same domain: an equal one applied separately could neither signal the task nor read its memory map.
    let main = facts["pids"].as_array().unwrap()[1].to_string();
    let lines = probe(&[
        "read",
        &format!("/proc/{main}/environ"),
        ",",
        "kill",
        &main,
        "0",
        ",",
        "kill",
        &main,
        "USR1",
    ]);
    assert!(lines.iter().all(|line| line["ok"] == true), "{lines:?}");
    assert_eq!(task.wait().unwrap().exit_code, 7);
    task.destroy(false).unwrap();
}

#[test]
fn a_terminal_of_an_entered_command_is_a_pty_of_ours_whatever_the_task_puts_in_its_way() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let handed = Handed::new(&world, &[("unveil_by_task", true.into())], &["sleep", "60"])
        .config("unveil", list(&["rwc:/dev/pts"]));
    let (task, _pipes) = handed.start().unwrap();
    let script = "tty; stat -L -c '%t %F' /proc/self/fd/0; ls /proc/self/fd | wc -l";
    for _ in 0..20 {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let mut session = task.exec_streaming(&argv, true).unwrap();
        let Some(shim::Streams::Terminal(master)) = session.streams.take() else {
            panic!("no terminal");
        };
        let mut text = String::new();
        // The end of a pty is an error (EIO).
        let _ = fs::File::from(master).read_to_string(&mut text);
        assert_eq!(session.wait().unwrap().exit_code, 0, "{text}");
        assert!(text.contains("88 character special file"), "{text}");
    }
    task.destroy(true).unwrap();
}
