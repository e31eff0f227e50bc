//! The letters of `unveil`: every one of their fifteen combinations, on directories and on files, tried from inside.
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;
use suite::need::require;
use suite::stage::on_stage;
use suite::{Job, Need, Running, World};

use crate::{NEEDS, errnos};

const ACCES: i64 = 13;
const ROFS: i64 = 30;
const BUSY: i64 = 16;
const INVAL: i64 = 22;
const NOTTY: i64 = 25;

/// Every letter.
const LETTERS: &str = "rwxc";

/// The kernel opens what it executes for reading, and Landlock asks for both.
const EXECUTE: &str = "rx";

/// Who runs them: an account that every host has, so that the files can be its own and only the domain and the mounts refuse.
const DAEMON: (&str, u32) = ("daemon", 1);

/// In another directory: before Landlock ABI 2 (REFER) nothing can be renamed there, granted or not.
const FAR: &str = "@/below/far";

/// What can be tried on a directory `@`, and the letters that it needs, all of them.
const ON_A_DIRECTORY: [(&[&str], &str); 13] = [
    (&["read", "@/file"], "r"),
    (&["list", "@"], "r"),
    (&["write", "@/file", "x"], "w"),
    (&["truncate", "@/file"], "w"),
    (&["make", "@/made"], "wc"),
    (&["mkdir", "@/made-directory"], "c"),
    (&["symlink", "file", "@/made-link"], "c"),
    (&["mkfifo", "@/made-fifo"], "c"),
    (&["link", "@/file", "@/second"], "c"),
    (&["rename", "@/old", "@/new"], "c"),
    (&["rename", "@/far", FAR], "c"),
    (&["rmdir", "@/empty"], "c"),
    (&["unlink", "@/gone"], "c"),
];

/// On a file `@`.
const ON_A_FILE: [(&[&str], &str); 3] = [
    (&["read", "@"], "r"),
    (&["write", "@", "x"], "w"),
    (&["truncate", "@"], "w"),
];

/// All combinations but none.
fn combinations() -> Vec<String> {
    let chosen = |set: usize| {
        let letters = LETTERS.chars().enumerate();
        letters
            .filter(|(bit, _)| set >> bit & 1 == 1)
            .map(|(_, letter)| letter)
            .collect()
    };
    (1..16).map(chosen).collect()
}

/// Something that a test has made on the host outside its own directory; removed when dropped.
struct Tree(PathBuf);

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Tree {
    /// Not below /tmp, which is private to a task.
    fn new(name: &str) -> Tree {
        let top = PathBuf::from(format!("/var/tmp/encamp-{name}-{}", std::process::id()));
        fs::create_dir(&top).unwrap();
        fs::set_permissions(&top, Permissions::from_mode(0o755)).unwrap();
        Tree(top)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn own(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    chown(path, Some(DAEMON.1), Some(DAEMON.1)).unwrap();
}

fn file(path: &Path) {
    fs::write(path, "text").unwrap();
    own(path, 0o666);
}

fn program(path: &Path) {
    fs::copy("/bin/true", path).unwrap();
    own(path, 0o777);
}

fn directory(path: &Path) {
    fs::create_dir(path).unwrap();
    own(path, 0o777);
}

/// A directory with everything that is tried on it.
fn furnish(top: &Path) {
    directory(top);
    for name in ["file", "old", "far", "gone"] {
        file(&top.join(name));
    }
    for name in ["below", "empty"] {
        directory(&top.join(name));
    }
    program(&top.join("tool"));
}

/// Words of the probe and what each must meet: `true` that it is granted.
#[derive(Default)]
struct Trials {
    words: Vec<String>,
    expected: Vec<(String, bool)>,
}

impl Trials {
    fn add(&mut self, words: &[&str], at: &Path, granted: bool) {
        let at = at.to_str().unwrap();
        let words: Vec<String> = words.iter().map(|word| word.replace('@', at)).collect();
        self.expected.push((words.join(" "), granted));
        if !self.words.is_empty() {
            self.words.push(",".to_owned());
        }
        self.words.extend(words);
    }

    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Every outcome that is not as expected.
    fn check(&self, lines: &[Value]) {
        assert_eq!(lines.len(), self.expected.len());
        let mut wrong = String::new();
        for (line, (trial, granted)) in lines.iter().zip(&self.expected) {
            let fits = match (granted, line["errno"].as_i64()) {
                (true, None) => line["ok"] == true && line["code"].as_i64().unwrap_or(0) == 0,
                (false, Some(errno)) => [ACCES, ROFS].contains(&errno),
                _ => false,
            };
            if !fits {
                let _ = writeln!(wrong, "{trial}: granted {granted}, got {line}");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}

fn holds(letters: &str, needed: &str) -> bool {
    needed.chars().all(|letter| letters.contains(letter))
}

#[test]
fn every_combination_of_letters_grants_what_it_names_on_directories_and_files_and_nothing_else() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let refer = Need::LandlockRefer.missing().is_none();
    let tree = Tree::new("letters");
    let (mut trials, mut entries) = (Trials::default(), Vec::new());
    for letters in combinations() {
        let at = tree.at(&format!("directory-{letters}"));
        furnish(&at);
        entries.push(format!("\"{letters}:{}\"", at.display()));
        for (words, needed) in ON_A_DIRECTORY {
            if refer || !words.contains(&FAR) {
                trials.add(words, &at, holds(&letters, needed));
            }
        }
        trials.add(&["exec", "@/tool"], &at, holds(&letters, EXECUTE));
        // Landlock does not mediate it: the mount does.
        let writable = letters.contains(['w', 'c']);
        trials.add(&["chmod", "@/file", "600"], &at, writable);
        trials.add(&["mknod", "@/disk", "b", "7", "0"], &at, false);

        let at = tree.at(&format!("file-{letters}"));
        program(&at);
        entries.push(format!("\"{letters}:{}\"", at.display()));
        trials.add(&["exec", "@"], &at, holds(&letters, EXECUTE));
        for (words, needed) in ON_A_FILE {
            trials.add(words, &at, holds(&letters, needed));
        }
        trials.add(&["chmod", "@", "700"], &at, writable);
    }
    // What no entry names: neither the directory above nor a file beside.
    file(&tree.at("beside"));
    trials.add(&["read", "@"], &tree.at("beside"), false);
    trials.add(&["list", "@"], &tree.0, false);
    trials.add(&["mkdir", "@/new"], &tree.0, false);
    let job = world
        .job("exec2", &trials.words())
        .user(DAEMON.0)
        .config(&format!("unveil = [{}]", entries.join(", ")));
    trials.check(&world.run(&job).exited(0).lines());
}

#[test]
fn an_entry_below_tmp_is_the_hosts_and_the_rest_of_tmp_the_tasks_own() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let top = world.directory().join("shown");
    furnish(&top);
    let (mut trials, hidden) = (Trials::default(), world.directory().join("hidden"));
    file(&hidden);
    trials.add(&["read", "@/file"], &top, true);
    trials.add(&["create", "@/made", "x"], &top, true);
    trials.add(&["exec", "@/tool"], &top, false);
    trials.add(&["create", "/tmp/own", "x"], &top, true);
    let entry = format!("unveil = [\"rwc:{}\"]", top.display());
    let job = world
        .job("exec2", &trials.words())
        .user(DAEMON.0)
        .config(&entry);
    trials.check(&world.run(&job).exited(0).lines());
    assert!(top.join("made").exists() && !Path::new("/tmp/own").exists());
    let job = world
        .job("exec2", &["read", hidden.to_str().unwrap()])
        .config(&entry);
    assert_eq!(errnos(&world, &job), [Some(2)]);
    // The mount says what Landlock cannot say below a /tmp that is granted whole; what it cannot say either is refused.
    for letters in ["w", "c", "x", "rw", "rc", "wc"] {
        let entry = format!("unveil = [\"{letters}:{}\"]", top.display());
        let outcome = world.run(&world.job("exec2", &[]).config(&entry)).exited(1);
        assert!(
            outcome.stdout.is_empty() && outcome.stderr.contains("/tmp of its own"),
            "{outcome}"
        );
    }
    let mut trials = Trials::default();
    for (words, granted) in [
        (&["read", "@/file"][..], true),
        (&["exec", "@/tool"], true),
        (&["write", "@/file", "x"], false),
        (&["mkdir", "@/no"], false),
        (&["chmod", "@/file", "600"], false),
    ] {
        trials.add(words, &top, granted);
    }
    let entry = format!("unveil = [\"rx:{}\"]", top.display());
    let job = world
        .job("exec2", &trials.words())
        .user(DAEMON.0)
        .config(&entry);
    trials.check(&world.run(&job).exited(0).lines());
}

#[test]
fn an_entry_may_name_a_link_of_roots_and_grants_where_it_leads() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let tree = Tree::new("links");
    furnish(&tree.at("real"));
    symlink("real", tree.at("link")).unwrap();
    symlink(tree.at("real/file"), tree.at("file")).unwrap();
    symlink("real", tree.at("theirs")).unwrap();
    std::os::unix::fs::lchown(tree.at("theirs"), Some(1), Some(1)).unwrap();
    let mut trials = Trials::default();
    trials.add(&["read", "@/link/file"], &tree.0, true);
    trials.add(&["create", "@/link/made", "x"], &tree.0, true);
    trials.add(&["read", "@/file"], &tree.0, true);
    trials.add(&["exec", "@/link/tool"], &tree.0, false);
    let entries = format!(
        "unveil = [\"rwc:{0}/link\", \"r:{0}/file\"]",
        tree.0.display()
    );
    let job = world
        .job("exec2", &trials.words())
        .user(DAEMON.0)
        .config(&entries);
    trials.check(&world.run(&job).exited(0).lines());

    // Debian's own: a link into a directory that no entry names.
    let job = Job::new("exec2", "/usr/bin/cat", &["/etc/os-release"])
        .config("unveil = [\"r:/etc/os-release\"]");
    let outcome = world.run(&job).exited(0);
    assert_eq!(
        outcome.stdout,
        fs::read_to_string("/etc/os-release").unwrap()
    );

    // A link that somebody else made leads root nowhere.
    let entry = format!("unveil = [\"rwc:{}\"]", tree.at("theirs").display());
    let outcome = world.run(&world.job("exec2", &["list", "."]).config(&entry));
    assert!(
        outcome.code != Some(0) && outcome.stdout.is_empty(),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("theirs"), "{outcome}");
}

#[test]
fn entries_of_one_path_are_joined_whatever_their_order() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let tree = Tree::new("joined");
    furnish(&tree.at("a"));
    let at = tree.at("a");
    let mut trials = Trials::default();
    trials.add(&["read", "@/file"], &at, true);
    trials.add(&["exec", "@/tool"], &at, true);
    trials.add(&["write", "@/file", "x"], &at, true);
    trials.add(&["mkdir", "@/made"], &at, false);
    let entries = format!(
        "unveil = [\"r:{0}\", \"x:{0}/\", \"r:{0}\", \"w:{0}/../a/.\"]",
        at.display()
    );
    let job = world
        .job("exec2", &trials.words())
        .user(DAEMON.0)
        .config(&entries);
    trials.check(&world.run(&job).exited(0).lines());
}

#[test]
fn a_relative_entry_is_relative_to_the_task_directory() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = [
        "create", "conf", "x", ",", "mkdir", "made", ",", "create", "made/x", "y", ",", "read",
        "conf", ",", "rename", "local", "gone", ",", "rename", "tmp", "gone", ",", "rename",
        "alloc", "gone", ",", "rename", "secrets", "gone", ",", "rename", "private", "gone",
    ];
    for user in [None, Some("root")] {
        let job = world.job("exec2", &words).config("unveil = [\"rwc:.\"]");
        let job = user.map_or(job.clone(), |user| job.user(user));
        let met = errnos(&world, &job);
        // What the next start opens is a mount point of this one.
        assert_eq!(
            met,
            [[None; 4].to_vec(), [Some(BUSY); 5].to_vec()].concat(),
            "{user:?}"
        );
    }
}

#[test]
fn a_root_task_that_may_write_its_task_directory_leaves_no_link_for_its_restart() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    let name = Path::new(canary.path())
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let script = format!(
        "for name in local tmp secrets alloc private; do mv $name $name.old; rm -rf $name; ln -s /usr/local/bin $name; done
        for name in local tmp secrets alloc private; do echo x > $name/{name}; chmod 666 $name/{name}; done
        echo x > /tmp/{name}; ls -d $PWD/tmp/{name}; exit 1"
    );
    let job = Job::new("exec2", "/bin/sh", &["-c", &script])
        .user("root")
        .config("unveil = [\"rwxc:.\"]")
        .attempts(2);
    let outcome = world.run(&job).exited(1);
    canary.assert_untouched();
    // The third run still has a /tmp of its own.
    assert_eq!(outcome.stdout.lines().count(), 3, "{outcome}");
}

#[test]
fn a_device_answers_ioctl_where_an_entry_names_it_and_not_by_default() {
    if !require(NEEDS) {
        return;
    }
    let abi = sandbox::landlock::abi().unwrap_or(0);
    let world = World::shared();
    let job = world.job(
        "exec2",
        &["ioctl", "/dev/urandom", ",", "ioctl", "/dev/zero"],
    );
    let met = errnos(&world, &job.clone().config("unveil = [\"r:/dev/urandom\"]"));
    assert!([Some(INVAL), Some(NOTTY)].contains(&met[0]), "{met:?}");
    if abi >= 5 {
        assert_eq!(met[1], Some(ACCES));
    }
}

/// The seed's own examples, on a stage where they exist.
#[test]
fn the_documented_entries_grant_what_the_documentation_says() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let setup = "
        mkdir -p /srv/www /opt/bin /var/log
        echo page > /srv/www/index.html
        cp /bin/true /opt/bin/application; cp /bin/true /opt/bin/other
        echo old > /var/log/old; echo shared > /tmp/of-the-host
        chmod -R a+rwX /srv/www /var/log /opt/bin /tmp/of-the-host; chmod 777 /var/log; chmod 1777 /tmp";
    let none = Path::new("/");
    let mut trials = Trials::default();
    for (words, granted) in [
        (&["read", "/srv/www/index.html"][..], true),
        (&["list", "/srv/www"], true),
        (&["write", "/srv/www/index.html", "x"], false),
        (&["create", "/srv/www/new", "x"], false),
        (&["chmod", "/srv/www/index.html", "777"], false),
        (&["list", "/srv"], false),
        (&["read", "/opt/bin/application"], true),
        (&["exec", "/opt/bin/application"], true),
        (&["write", "/opt/bin/application", "x"], false),
        (&["read", "/opt/bin/other"], false),
        (&["exec", "/opt/bin/other"], false),
        (&["list", "/opt/bin"], false),
        (&["make", "/var/log/new"], true),
        (&["write", "/var/log/old", "x"], true),
        (&["unlink", "/var/log/new"], true),
        (&["read", "/var/log/old"], false),
        (&["list", "/var/log"], false),
        (&["read", "/tmp/of-the-host"], true),
        (&["create", "/tmp/new", "x"], true),
        (&["write", "/tmp/of-the-host", "x"], true),
        (&["list", "/tmp"], true),
        (&["unlink", "/tmp/new"], true),
    ] {
        trials.add(words, none, granted);
    }
    let job = world.job("exec2", &trials.words()).config(
        "unveil = [\"r:/srv/www\", \"rx:/opt/bin/application\", \"wc:/var/log\", \"rwc:/tmp\"]",
    );
    let outcome = Running::start(&mut on_stage(setup, &world.command(&job))).wait();
    trials.check(&outcome.exited(0).lines());
}
