//! What the sandbox denies is named, and what is advised allows it.
use std::sync::{Arc, OnceLock, RwLock};

use driver::denials::{Advice, Denials, Error, LOCK, Left, Outlook, Watch, is_marked, outlook};
use sandbox::audit::status;

use super::*;

/// A flood makes the kernel lose what others are denied meanwhile, and readers give up; they know, and here nobody reads then.
static FLOOD: RwLock<()> = RwLock::new(());

/// Kernel audit before the first of these tests. `None`: somebody else was reading all the time.
static BEFORE: OnceLock<Option<Outlook>> = OnceLock::new();

/// Switches kernel audit on if it is off. `None`: this host cannot say what is denied.
fn watch() -> Option<Arc<Watch>> {
    if !privileged() {
        return None;
    }
    match outlook() {
        Ok(_) => BEFORE.get_or_init(alone),
        Err(error @ Error::Abi { .. }) => {
            need::elsewhere(&error.to_string());
            return None;
        }
        Err(error @ Error::OffOnPurpose) => {
            need::unmet("audit", &error.to_string());
            return None;
        }
        Err(error) => panic!("{error:?}"),
    };
    Some(Arc::new(Watch::open(Path::new(LOCK), Left::On).unwrap()))
}

/// What audit is while nobody has switched it on and nobody's mark is left; `None`: somebody has it all the time.
fn alone() -> Option<Outlook> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let found = (!Path::new(LOCK).exists()).then(|| (outlook().unwrap(), is_marked().unwrap()));
        // Whoever switches it on has the lock before that.
        match found {
            Some((outlook, false)) if !Path::new(LOCK).exists() => return Some(outlook),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    None
}

/// Directories and files of the host's that no default grants, at a place that is no task's.
struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Ground {
        let name = format!("encamp-denied-{name}-{}", std::process::id());
        let ground = Path::new("/var/tmp").join(name);
        fs::create_dir_all(ground.join("open")).unwrap();
        fs::set_permissions(ground.join("open"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(ground.join("file"), "text").unwrap();
        fs::write(ground.join("tool"), "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(ground.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        Ground(ground)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn entries(denials: &Denials) -> Vec<String> {
    let entries = denials.entries().into_iter();
    entries.map(|entry| entry.text.to_owned()).collect()
}

fn told(world: &World) -> (ExitResult, Denials) {
    let task = world.start().unwrap();
    let result = task.wait().unwrap();
    let denials = task.denials().unwrap();
    task.destroy(false).unwrap();
    (result, denials)
}

fn under(watch: &Arc<Watch>, name: &str, config: &[(&str, Value)]) -> World {
    let world = world(Kind::Exec2, name, config).quiet();
    world.driver.watch(watch);
    world
}

/// Runs a script again and again with what is advised, as its author would, and gives the entries that it took.
fn advised(watch: &Arc<Watch>, name: &str, script: &str, given: &[String]) -> Vec<String> {
    let mut advised: Vec<String> = vec![];
    for round in 0..5 {
        let mut config = sh(script);
        let all = || given.iter().chain(&advised).map(String::as_str);
        let is_port = |entry: &&str| entry.starts_with("bind:") || entry.starts_with("connect:");
        let paths: Vec<&str> = all().filter(|entry| !is_port(entry)).collect();
        let ports: Vec<&str> = all().filter(is_port).collect();
        config.push(("unveil", paths.as_slice().into()));
        config.push(("network_rules", ports.as_slice().into()));
        let (result, denials) = told(&under(watch, &format!("{name}{round}"), &config));
        if result.exit_code == 0 {
            return advised;
        }
        assert!(
            !denials.entries().is_empty(),
            "{name}: {result:?} {denials:?}"
        );
        advised.extend(entries(&denials));
    }
    panic!("{name}: {advised:?} do not help")
}

#[test]
fn what_is_denied_is_named_with_the_entry_that_allows_it() {
    let _no_flood = FLOOD.read().unwrap();
    let Some(watch) = watch() else { return };
    let ground = Ground::new("kinds");
    let at = |rest: &str| ground.0.join(rest).display().to_string();
    let (file, tool, open, top) = (at("file"), at("tool"), at("open"), at(""));
    let top = top.trim_end_matches('/');
    let connect = "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); connect(S, pack_sockaddr_in(9, INADDR_LOOPBACK)); exit $!{EACCES}'";
    let bind = "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(0, INADDR_ANY)); exit $!{EACCES}'";
    for (name, script, given, entry) in [
        (
            "read",
            format!("cat {file}"),
            String::new(),
            format!("r:{file}"),
        ),
        (
            "list",
            format!("ls {top}"),
            String::new(),
            format!("r:{top}"),
        ),
        ("execute", tool.clone(), String::new(), format!("rx:{tool}")),
        (
            "own",
            "echo x > $NOMAD_TASK_DIR/../x".to_owned(),
            String::new(),
            "rwc:.".to_owned(),
        ),
        (
            "write",
            format!("echo x > {open}/x"),
            format!("rc:{open}"),
            format!("w:{open}/x"),
        ),
        (
            "make",
            format!("mkdir {open}/d"),
            format!("rw:{open}"),
            format!("rwc:{open}"),
        ),
        (
            "remove",
            format!("rmdir {open}/d"),
            format!("rw:{open}"),
            format!("c:{open}"),
        ),
        (
            "rename",
            format!("mv {open}/x {open}/y"),
            format!("rw:{open}"),
            format!("rwc:{open}"),
        ),
        (
            "truncate",
            format!("truncate -s 0 {open}/y"),
            format!("rc:{open}"),
            format!("w:{open}/y"),
        ),
        (
            "device",
            "cat < /dev/ptmx & sleep 0; : < /dev/ptmx".to_owned(),
            String::new(),
            "r:/dev/ptmx".to_owned(),
        ),
        (
            "bind",
            bind.to_owned(),
            "bind:1".to_owned(),
            "bind:0".to_owned(),
        ),
        (
            "connect",
            connect.to_owned(),
            "bind:1".to_owned(),
            "connect:9".to_owned(),
        ),
    ] {
        let given: Vec<String> = Some(given)
            .filter(|given| !given.is_empty())
            .into_iter()
            .collect();
        assert_eq!(advised(&watch, name, &script, &given), [entry], "{script}");
    }
}

#[test]
fn names_of_every_kind_of_letter_are_named_as_they_are() {
    let _no_flood = FLOOD.read().unwrap();
    let Some(watch) = watch() else { return };
    let ground = Ground::new("letters");
    for name in ["a b", "caf\u{e9}", "line\nbreak", "quo\"te", "dollar$x"] {
        let path = ground.0.join(name);
        fs::write(&path, "text").unwrap();
        let config = [
            ("command", Value::from("/bin/cat")),
            ("args", [path.to_str().unwrap()].as_slice().into()),
        ];
        let (_, denials) = told(&under(&watch, "letters", &config));
        assert_eq!(entries(&denials), [format!("r:{}", path.display())]);
    }
}

#[test]
fn a_command_that_is_not_executable_inside_is_named_too() {
    let _no_flood = FLOOD.read().unwrap();
    let Some(watch) = watch() else { return };
    let ground = Ground::new("exec");
    // A script's interpreter is looked at before the start, an interpreter's interpreter is not.
    let tool = ground.0.join("tool").display().to_string();
    let config = sh(&format!("exec {tool}"));
    let (result, denials) = told(&under(&watch, "exec", &config));
    assert_eq!(result.exit_code, 126);
    assert_eq!(entries(&denials), [format!("rx:{tool}")]);
}

#[test]
fn tasks_that_run_at_once_are_told_apart_and_each_start_anew() {
    let _no_flood = FLOOD.read().unwrap();
    let Some(watch) = watch() else { return };
    let ground = Ground::new("apart");
    let at = |rest: &str| ground.0.join(rest).display().to_string();
    let script = |path: &str| {
        sh(&format!(
            "for i in 1 2 3 4 5 6 7 8 9 10; do cat {path}; sleep 0.01; done; exit 1"
        ))
    };
    let one = under(&watch, "one", &script(&at("file")));
    let two = under(&watch, "two", &script(&at("tool")));
    let (first, second) = (one.start().unwrap(), two.start().unwrap());
    for (task, path, times) in [(&first, at("file"), 10), (&second, at("tool"), 10)] {
        task.wait().unwrap();
        let denials = task.denials().unwrap();
        let read = denials
            .list
            .iter()
            .filter(|denial| denial.advice != Advice::Harmless);
        let read: Vec<_> = read
            .map(|denial| (denial.object.clone(), denial.times))
            .collect();
        assert_eq!(read, [(path, times)]);
        task.destroy(false).unwrap();
    }
    let quiet = under(&watch, "apart-quiet", &sh("exit 1"));
    assert_eq!(told(&quiet).1, Denials::default());
}

#[test]
fn a_flood_is_bounded_and_leaves_everybody_else_alone() {
    let _flood = FLOOD.write().unwrap();
    let Some(watch) = watch() else { return };
    let ground = Ground::new("flood");
    let file = ground.0.join("file").display().to_string();
    let script = format!("for (1..100000) {{ open(F, '<', '{file}') }} exit 1");
    let config = [
        ("command", Value::from("/usr/bin/perl")),
        ("args", ["-e", &script].as_slice().into()),
    ];
    let (_, denials) = told(&under(&watch, "flood", &config));
    assert!(
        entries(&denials).contains(&format!("r:{file}")),
        "{denials:?}"
    );
    assert!(denials.incomplete);
}

#[test]
fn after_a_flood_the_reading_goes_on() {
    let _flood = FLOOD.write().unwrap();
    let Some(watch) = watch() else { return };
    let ground = Ground::new("after");
    let file = ground.0.join("file").display().to_string();
    let script = format!("for (1..100000) {{ open(F, '<', '{file}') }} exit 1");
    let config = [
        ("command", Value::from("/usr/bin/perl")),
        ("args", ["-e", &script].as_slice().into()),
    ];
    let (_, flooded) = told(&under(&watch, "after-flood", &config));
    assert!(flooded.incomplete);
    let config = sh(&format!("cat {file}; exit 1"));
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (_, denials) = told(&under(&watch, "after", &config));
        if entries(&denials) == [format!("r:{file}")] {
            return;
        }
        // Nobody knows what it was denied while nothing was read, and that is told.
        assert!(!denials.is_empty(), "{denials:?}");
        assert!(Instant::now() < deadline, "{denials:?}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_recovered_task_is_told_what_it_is_denied_then() {
    let _no_flood = FLOOD.read().unwrap();
    let Some(first) = watch() else { return };
    let ground = Ground::new("recovered");
    let at = |rest: &str| ground.0.join(rest).display().to_string();
    let script = format!(
        "cat {}; until [ -e local/go ]; do sleep 0.05; done; cat {}; exit 1",
        at("file"),
        at("tool")
    );
    let world = under(&first, "recovered", &sh(&script));
    let mut news = first.news();
    let task = world.start().unwrap();
    let mut watched = task.take_watched().unwrap();
    assert_eq!(task.denials(), None, "it is told by whoever has taken it");
    while watched.untold().is_empty() {
        assert!(news.wait());
    }
    watched.note();
    assert!(watched.rest().is_empty(), "told once");
    let mut late = first.news();
    watched.remind();
    assert!(
        late.wait(),
        "what was denied before somebody listened is told to him"
    );
    let handle = task.handle();
    drop((task, watched, first));
    assert!(!news.wait(), "nobody reads any more");
    // The kernel does not say a second time whose domain it is.
    let second = watch().unwrap();
    world.driver.watch(&second);
    let task = world.driver.recover(&handle).unwrap();
    fs::write(world.task.alloc_dir.join("web/local/go"), "").unwrap();
    task.wait().unwrap();
    let denials = task.denials().unwrap();
    assert_eq!(entries(&denials), [format!("r:{}", at("tool"))]);
    task.destroy(false).unwrap();
}

#[test]
fn without_a_reader_nothing_is_recorded() {
    if !privileged() {
        return;
    }
    let world = world(Kind::Exec2, "unread", &sh("exit 1")).quiet();
    let task = world.start().unwrap();
    task.wait().unwrap();
    assert_eq!(task.denials(), None);
    task.destroy(false).unwrap();
}

#[test]
fn audit_is_put_back_by_the_last_reader() {
    let Some(first) = watch() else { return };
    let second = watch().unwrap();
    assert!(status().unwrap().is_on());
    drop(first);
    assert!(status().unwrap().is_on(), "another one still reads");
    drop(second);
    // Others on this machine may be reading; as long as they do there is a lock, and the last of them takes it away.
    match (alone(), BEFORE.get().unwrap()) {
        (Some(now), Some(before)) => assert_eq!(now, *before),
        _ => assert!(status().unwrap().is_on(), "{LOCK} was left"),
    }
}
