//! An `exec2` task as an attacker: what once went wrong in runtimes, in upstream and in Landlock, tried on this one.
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use suite::host::pids_named;
use suite::need::require;
use suite::{Job, Running, World};

use crate::handed::Handed;
use crate::{NEEDS, errnos};

const NOENT: i64 = 2;
const SRCH: i64 = 3;
const ACCES: i64 = 13;

fn perl(script: &str) -> Job {
    Job::new("exec2", "/usr/bin/perl", &["-e", script])
}

#[test]
fn a_directory_renamed_out_of_its_mount_leads_nowhere() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    // /tmp and the task directory are two mounts of one tree: through the second the first loses a directory that somebody is in.
    let script = format!(
        "mkdir -p /tmp/d/e && cd /tmp/d/e && mv $TMPDIR/d $NOMAD_TASK_DIR/d || echo not moved
        up=..; for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
          ls $up 2>/dev/null | grep -E '^(alloc|etc|usr|users)$' && echo out at $up
          cat $up/etc/shadow $up/etc/passwd 2>/dev/null
          chmod 4777 $up{canary} 2>/dev/null && echo changed
          echo x 2>/dev/null >$up{canary} && echo written
          up=$up/..
        done; echo done",
        canary = canary.path()
    );
    for user in [None, Some("root")] {
        let job = Job::new("exec2", "/bin/sh", &["-c", &script]);
        let job = user.map_or(job.clone(), |user| job.user(user));
        let outcome = world.run(&job).exited(0);
        assert_eq!(outcome.stdout, "done\n", "{user:?} {outcome}");
        canary.assert_untouched();
    }
}

#[test]
fn a_session_keyring_handed_to_the_parent_takes_the_domain_from_nobody() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    // keyctl(2) on x86_64 is 250: JOIN_SESSION_KEYRING is 1, SESSION_TO_PARENT 18.
    let script = "$pid = fork; if (!$pid) { syscall(250, 1, 0); exit(syscall(250, 18) == 0 ? 0 : 1) } waitpid($pid, 0);
        for $n (1..50) { $n .= ''; open(F, '<', '/etc/passwd') and die 'read'; opendir(D, '/') and die 'listed' } print \"$!\\n\"";
    for user in [None, Some("root")] {
        let job = user.map_or(perl(script), |user| perl(script).user(user));
        let outcome = world.run(&job).exited(0);
        assert_eq!(outcome.stdout, "Permission denied\n", "{outcome}");
    }
}

#[test]
fn no_raw_socket_is_to_be_had() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let script = "for ([17, 3, 0], [2, 3, 1], [10, 3, 58]) { socket(S, $_->[0], $_->[1], $_->[2]) and die 'made' } print \"refused\\n\"";
    for user in [None, Some("root")] {
        let job = user.map_or(perl(script), |user| perl(script).user(user));
        assert_eq!(world.run(&job).exited(0).stdout, "refused\n");
    }
}

#[test]
fn two_tasks_of_one_user_know_nothing_of_each_other() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let first = world.start(
        &world
            .job("exec2", &["say", "up", ",", "sleep", "60"])
            .user("daemon"),
    );
    let _ = first.wait_for_stdout("up");
    let own: Vec<_> = pids_named(suite::binaries::PROBE_PREFIX)
        .into_iter()
        .filter(|(pid, _)| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.ends_with(b"sleep\x0060\0"))
        })
        .collect();
    let pid = own.last().expect("the first task runs").0.to_string();
    let words = [
        "kill",
        &pid,
        "0",
        ",",
        "kill",
        &pid,
        "KILL",
        ",",
        "read",
        &format!("/proc/{pid}/environ"),
        ",",
        "list",
        &format!("/proc/{pid}/root"),
        ",",
        "list",
        &format!("/proc/{pid}/fd"),
    ];
    let met = errnos(&world, &world.job("exec2", &words).user("daemon"));
    assert_eq!(
        met,
        [
            Some(SRCH),
            Some(SRCH),
            Some(NOENT),
            Some(NOENT),
            Some(NOENT)
        ]
    );
    first.signal(Signal::TERM);
    first.signal(Signal::TERM);
    let _ = first.wait();
}

#[test]
fn a_task_that_swaps_its_log_pipes_or_their_directory_leads_the_next_start_nowhere() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    let secret = world.directory().join("secret");
    fs::write(&secret, "secret").unwrap();
    for user in ["nomad-80900", "root"] {
        for (words, target) in [
            (
                &[
                    "unlink",
                    "alloc/logs/.t.stdout.fifo",
                    ",",
                    "symlink",
                    "@",
                    "alloc/logs/.t.stdout.fifo",
                ][..],
                canary.path(),
            ),
            (
                &[
                    "unlink",
                    "alloc/logs/.t.stderr.fifo",
                    ",",
                    "symlink",
                    "@",
                    "alloc/logs/.t.stderr.fifo",
                ],
                secret.to_str().unwrap(),
            ),
            (
                &[
                    "unlink",
                    "alloc/logs/.t.stdout.fifo",
                    ",",
                    "create",
                    "alloc/logs/.t.stdout.fifo",
                    "x",
                ],
                "",
            ),
            (
                &[
                    "rename",
                    "alloc/logs",
                    "alloc/old",
                    ",",
                    "symlink",
                    "@",
                    "alloc/logs",
                ],
                "/usr/local/bin",
            ),
            (
                &[
                    "rename",
                    "alloc/logs/.t.stdout.fifo",
                    "alloc/logs/x",
                    ",",
                    "link",
                    "alloc/logs/x",
                    "alloc/logs/.t.stdout.fifo",
                ],
                "",
            ),
        ] {
            let words: Vec<String> = words.iter().map(|word| word.replace('@', target)).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let handed = Handed::new(&world, &[], &words).user(user);
            assert!(handed.lines().iter().all(|line| line["ok"] == true));
            // The client would make the pipes anew; here they are what the task has left.
            let before = fs::metadata(&secret).unwrap();
            let error = handed
                .driver
                .start(&handed.task)
                .expect_err("it was started");
            assert!(!format!("{error:?}").contains("panicked"), "{error:?}");
            let after = fs::metadata(&secret).unwrap();
            assert_eq!(
                (before.uid(), before.mode(), before.mtime()),
                (after.uid(), after.mode(), after.mtime())
            );
            canary.assert_untouched();
            assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
        }
    }
}

#[test]
fn a_working_directory_that_the_task_made_a_link_is_not_followed_out_of_the_view_at_the_next_start()
{
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for leads_to in ["/proc/self/root", "/proc/self/fd/3", "/proc/1/cwd", "/root"] {
        let words = [
            "rename", "../at", "../old", ",", "symlink", leads_to, "../at", ",", "list", ".",
        ];
        let handed = Handed::new(&world, &[], &words).config("work_dir", "local/at".into());
        let at = handed.task.alloc_dir.join("t/local/at");
        fs::create_dir(&at).unwrap();
        let lines = handed.lines();
        assert!(
            lines[..2].iter().all(|line| line["ok"] == true),
            "{lines:?}"
        );
        match handed.start() {
            // A plain link is one of the view; nothing there is granted.
            Ok((task, [stdout, _])) => {
                task.wait().unwrap();
                task.destroy(false).unwrap();
                let text = stdout.join().unwrap();
                let last: serde_json::Value =
                    serde_json::from_str(text.lines().last().unwrap()).unwrap();
                assert!(
                    leads_to == "/root" && last["errno"] == ACCES,
                    "{leads_to}: {text}"
                );
            }
            Err(error) => assert!(leads_to != "/root", "{error:?}"),
        }
    }
}

/// What would make a library of a privileged program open a file of the task's choice.
const LURES: [&str; 16] = [
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_DEBUG_OUTPUT",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "MALLOC_TRACE",
    "TZDIR",
    "TZ",
    "HOSTALIASES",
    "RES_OPTIONS",
    "BASH_ENV",
    "ENV",
    "PATH",
    "RUST_LOG",
];

#[test]
fn no_privileged_process_sees_the_tasks_environment_or_opens_what_it_names() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let lure = std::path::PathBuf::from(format!("/var/tmp/encamp-lure-{}", std::process::id()));
    fs::create_dir(&lure).unwrap();
    for name in [
        "evil.so",
        "gconv-modules",
        "LC_IDENTIFICATION",
        "locale-archive",
        "hosts",
        "UTC",
    ] {
        fs::write(lure.join(name), "x").unwrap();
    }
    fs::create_dir(lure.join("xx_XX")).unwrap();
    symlink("../LC_IDENTIFICATION", lure.join("xx_XX/LC_IDENTIFICATION")).unwrap();
    let mut job = world
        .job("exec2", &["say", "up", ",", "sleep", "60"])
        .env("LC_ALL", "xx_XX")
        .env("LANG", "xx_XX")
        .env("OUTPUT_CHARSET", "EVIL")
        .env("GLIBC_TUNABLES", "glibc.malloc.check=3");
    for name in LURES {
        let value = match name {
            "LD_PRELOAD" | "LD_AUDIT" => lure.join("evil.so"),
            "HOSTALIASES" | "BASH_ENV" | "ENV" => lure.join("hosts"),
            "MALLOC_TRACE" | "LD_DEBUG_OUTPUT" => lure.join("trace"),
            _ => lure.clone(),
        };
        job = job.env(name, value.to_str().unwrap());
    }
    // A read moves the time of access past that of a change (relatime, mount(8)).
    let long_ago = SystemTime::now() - Duration::from_secs(1000);
    let age = |path: &Path| {
        let times = fs::FileTimes::new().set_accessed(long_ago);
        let _ = fs::File::open(path).map(|file| file.set_times(times));
    };
    let entries = || {
        fs::read_dir(&lure)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let names: Vec<_> = entries().collect();
    names.iter().for_each(|path| age(path));
    let running = world.start(&job);
    let _ = running.wait_for_stdout("up");
    let shims = pids_named("encamp-shim");
    for (pid, _) in &shims {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&environ).contains("encamp-lure"),
            "shim {pid}"
        );
    }
    running.signal(Signal::TERM);
    running.signal(Signal::TERM);
    let _ = running.wait();
    for path in &names {
        let read =
            fs::metadata(path).unwrap().accessed().unwrap() > long_ago + Duration::from_secs(500);
        assert!(!read, "{} was read", path.display());
    }
    assert_eq!(
        entries().count(),
        names.len(),
        "something was written there"
    );
    let _ = fs::remove_dir_all(&lure);
}

#[test]
fn entering_commands_shows_a_task_neither_our_program_nor_our_descriptors() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let program = fs::metadata(suite::binaries::encamp()).unwrap();
    let script = "echo up; n=0; while [ ! -e local/stop ] && [ $n -lt 2000 ]; do n=$((n+1))
          ls -l /proc/[0-9]*/exe /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/root 2>/dev/null | grep -e '->' >>local/seen
          for exe in /proc/[0-9]*/exe; do (echo x >>$exe) 2>/dev/null && echo $exe >>local/written; done
        done";
    for user in ["nomad-80900", "root"] {
        let handed = Handed::new(&world, &[], &[])
            .user(user)
            .config("command", "/bin/sh".into())
            .config("args", crate::handed::list(&["-c", script]));
        let (task, _pipes) = handed.start().unwrap();
        for _ in 0..60 {
            let argv = ["/bin/sh", "-c", "exit 3"].map(str::to_owned);
            let end = task.exec(&argv, Some(Duration::from_secs(30))).unwrap();
            assert_eq!(end.result.exit_code, 3);
        }
        let local = handed.task.alloc_dir.join("t/local");
        fs::write(local.join("stop"), "").unwrap();
        task.wait().unwrap();
        task.destroy(true).unwrap();
        assert!(!local.join("written").exists());
        let seen = fs::read_to_string(local.join("seen")).unwrap();
        assert!(seen.contains("/bin/"), "it saw itself: {seen}");
        for line in seen.lines() {
            let leads_to = line.rsplit(" -> ").next().unwrap();
            let ours = [
                "memfd",
                "encamp-shim",
                "socket:",
                "anon_inode",
                "/state/",
                "/dev/vda",
            ];
            assert!(
                !ours.iter().any(|word| leads_to.contains(word)),
                "{user}: {line}"
            );
        }
    }
    let after = fs::metadata(suite::binaries::encamp()).unwrap();
    assert_eq!(
        (program.len(), program.mtime(), program.mode()),
        (after.len(), after.mtime(), after.mode())
    );
}

#[test]
fn with_too_few_descriptors_a_start_fails_cleanly_or_not_at_all() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut both = [false; 2];
    for limit in [5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 30, 64, 128] {
        let inner = world.command(&world.job("exec2", &["say", "ran"]));
        let mut command = Command::new("prlimit");
        command
            .arg(format!("--nofile={limit}"))
            .arg(inner.get_program())
            .args(inner.get_args());
        let outcome = Running::start(&mut command).wait();
        let ran = outcome.code == Some(0);
        assert!(
            ran || (outcome.code != Some(0) && outcome.stdout.is_empty()),
            "{limit}: {outcome}"
        );
        assert!(!outcome.stderr.contains("panicked"), "{limit}: {outcome}");
        assert!(!ran || outcome.stdout == "ran\n", "{limit}: {outcome}");
        both[usize::from(ran)] = true;
    }
    assert_eq!(both, [true; 2], "one of them must fail, one run");
}

#[test]
fn a_program_of_ours_is_neither_command_nor_interpreter() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for command in ["/proc/self/exe", "/proc/1/exe", "/proc/self/fd/3"] {
        let _ = world.run(&Job::new("exec2", command, &[])).exited(127);
    }
    let script = world.directory().join("script");
    fs::write(&script, "#!/proc/../proc/self/exe\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let command = script.to_str().unwrap();
    let job = Job::new("exec2", command, &[]).config(&format!("unveil = [\"rx:{command}\"]"));
    let outcome = world.run(&job).exited(126);
    assert!(outcome.stderr.contains("is a link of procfs"), "{outcome}");
    // From inside it is whoever executes it.
    let script = "printf '#!/proc/self/exe\\n' >local/x; chmod 755 local/x; exec local/x";
    let _ = world
        .run(&Job::new("exec2", "/bin/sh", &["-c", script]))
        .exited(0);
}
