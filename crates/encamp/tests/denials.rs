//! What the sandbox denies is told with the line to add, and kernel audit is as it was.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use driver::denials::{Error, LOCK, Outlook, is_marked, outlook};
use rustix::process::{Pid, Signal, kill_process};
use world::{Ended, World, world};

/// Kernel audit before the first run of these tests. `None`: somebody else was reading all the time.
static BEFORE: OnceLock<Option<Outlook>> = OnceLock::new();

/// `None`, loudly, where nothing is named: on a kernel before 6.15, or where audit is off on purpose.
fn named() -> Option<World> {
    let world = world()?;
    match outlook() {
        Ok(_) => {
            BEFORE.get_or_init(alone);
            Some(world)
        }
        Err(error @ Error::Abi { .. }) => {
            need::elsewhere(&error.to_string());
            None
        }
        Err(error @ Error::OffOnPurpose) => {
            need::unmet("audit", &error.to_string());
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// What audit is while nobody has switched it on and nobody's mark is left; `None`: somebody has it all the time.
fn alone() -> Option<Outlook> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let found = (!Path::new(LOCK).exists()).then(|| (outlook().unwrap(), is_marked().unwrap()));
        // Whoever switches it on has the lock before that.
        match found {
            Some((outlook, false)) if !Path::new(LOCK).exists() => return Some(outlook),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    None
}

fn job(script: &str, more: &str) -> String {
    format!(
        r#"job "a" {{
  type = "batch"
  task "t" {{
    driver = "exec2"
    config {{
      command = "sh"
      args    = ["-c", "{script}"]
{more}    }}
    restart {{
      attempts = 0
      mode     = "fail"
    }}
  }}
}}
"#
    )
}

impl World {
    fn job(&self, script: &str, more: &str) -> Ended {
        let path = self.dir.join("a.hcl");
        std::fs::write(&path, job(script, more)).unwrap();
        self.run(&["run", "--rm", path.to_str().unwrap()])
    }

    /// A file that no default grants.
    fn secret(&self, name: &str) -> String {
        let path = self.dir.join(name);
        std::fs::write(&path, "text\n").unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts it and waits for its first line.
    fn beside(&self, script: &str) -> Child {
        let arguments = ["run", "--rm", "--", "sh", "-c", script];
        let mut command = self.encamp(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.as_mut().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "on\n");
        child
    }
}

fn end(child: Child) -> Ended {
    Ended::of(child.wait_with_output().unwrap())
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Others on this machine may be reading: then they hold the lock, and the last one puts audit back.
fn audit_is_as_it_was() {
    match (alone(), BEFORE.get().unwrap()) {
        (Some(now), Some(before)) => assert_eq!(now, *before),
        (None, Some(_)) => {
            let is_held = File::open(LOCK).is_ok_and(|file| file.try_lock().is_err());
            assert!(is_held, "{LOCK} or a rule was left: {:?}", outlook());
        }
        (_, None) => {}
    }
}

#[test]
fn the_line_that_is_told_makes_the_job_succeed() {
    let Some(world) = named() else { return };
    let (one, two) = (world.secret("one"), world.secret("two"));
    let script = format!("cat {one} && cat {two}");
    let first = world.job(&script, "").exited(1);
    let line = |file: &str| {
        format!(
            "add  unveil = [\"r:{file}\"]   ({}:5)",
            world.dir.join("a.hcl").display()
        )
    };
    let first = first.says("==> the sandbox denied t ").says(&line(&one));
    assert!(!first.stderr.contains(&two), "{}", first.stderr);
    let second = world
        .job(&script, &format!("      unveil = [\"r:{one}\"]\n"))
        .exited(1);
    let told = format!(
        "add  \"r:{two}\" to unveil   ({}:8)",
        world.dir.join("a.hcl").display()
    );
    second.says(&told);
    let third = world.job(
        &script,
        &format!("      unveil = [\"r:{one}\", \"r:{two}\"]\n"),
    );
    assert!(!third.exited(0).stderr.contains("denied"));
    audit_is_as_it_was();
}

#[test]
fn what_a_shell_may_not_execute_is_126_and_named() {
    let Some(world) = named() else { return };
    let tool = world.secret("tool");
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ended = world.run(&["run", "--rm", "--", "sh", "-c", &format!("exec {tool}")]);
    ended
        .exited(126)
        .says(&format!("execute  {tool}"))
        .says(&format!("add  --unveil rx:{tool}"));
}

#[test]
fn runs_at_once_are_told_apart() {
    let Some(world) = named() else { return };
    let files: Vec<String> = (0..4)
        .map(|number| world.secret(&format!("file{number}")))
        .collect();
    let script = |file: &String| {
        format!("echo on; for i in 1 2 3 4 5; do cat {file}; sleep 0.05; done; exit 3")
    };
    let children: Vec<Child> = files
        .iter()
        .map(|file| world.beside(&script(file)))
        .collect();
    for (own, child) in children.into_iter().enumerate() {
        let ended = end(child).exited(3);
        ended.says(&format!("{}  ×5", files[own]));
        for (other, file) in files.iter().enumerate().filter(|(other, _)| *other != own) {
            let told = ended
                .stderr
                .lines()
                .any(|line| line.starts_with("      ") && line.contains(file));
            assert!(!told, "{own} was told of {other}: {}", ended.stderr);
        }
    }
    audit_is_as_it_was();
}

#[test]
fn who_is_stopped_is_told_nothing_but_with_v_everything() {
    let Some(world) = named() else { return };
    let file = world.secret("file");
    let script = format!("cat {file}; echo on; sleep 60");
    let child = world.beside(&script);
    signal(&child, Signal::INT);
    assert!(!end(child).stderr.contains("the sandbox denied"));
    let script = format!("cat {file}; exit 0");
    let quiet = world
        .run(&["run", "--rm", "--", "sh", "-c", &script])
        .exited(0);
    assert!(!quiet.stderr.contains("the sandbox denied"));
    world
        .run(&["run", "-v", "--rm", "--", "sh", "-c", &script])
        .exited(0)
        .says(&file);
}

#[test]
fn a_killed_run_leaves_audit_to_the_next_one() {
    let Some(world) = named() else { return };
    for next in [&["gc"][..], &["run", "--driver", "exec", "--", "true"][..]] {
        let child = world.beside("echo on; sleep 60");
        assert!(matches!(outlook(), Ok(Outlook::On | Outlook::Others(_))));
        signal(&child, Signal::KILL);
        end(child);
        world.run(next).exited(0);
        audit_is_as_it_was();
    }
}

#[test]
fn audit_that_was_on_stays_on_and_off_stays_off() {
    let Some(world) = named() else { return };
    world.run(&["run", "--rm", "--", "true"]).exited(0);
    world
        .run(&["run", "--rm", "--no-audit", "--", "true"])
        .exited(0);
    audit_is_as_it_was();
}
