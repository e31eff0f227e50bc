//! How `exec` finds its command: the order, what becomes executable and what never does, and what is said when nothing fits.
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use driver::task_config::Mount;
use driver::{Kind, StartError};
use suite::driven::chain;
use suite::need::require;
use suite::{Driven, World};

use crate::NEEDS;

/// Says where it was found, by the name that it was executed by.
const SCRIPT: &str = "#!/bin/sh\necho \"$0\"\n";

/// What lies in the task directory (`T`), in two volumes (`M` at `/srv`, `N` at `/opt/second`) and in a directory of the chroot (`C`).
const FILES: [&str; 9] = [
    "T/usr/local/bin/tmp0.txt",
    "T/foo/tmp1.txt",
    "T/local/tmp2.txt",
    "T/local/foo/tmp3.txt",
    "M/tmp4.txt",
    "M/bar/tmp5.txt",
    "N/tmp6.txt",
    "N/tmp4.txt",
    "C/tmp7.txt",
];

/// What is asked for, and by which path it runs; nothing: it is not found.
const FOUND: [(&str, Option<&str>); 22] = [
    ("tmp0.txt", Some("/usr/local/bin/tmp0.txt")),
    ("/usr/local/bin/tmp0.txt", Some("/usr/local/bin/tmp0.txt")),
    ("/foo/tmp1.txt", Some("/foo/tmp1.txt")),
    ("foo/tmp1.txt", Some("/foo/tmp1.txt")),
    ("tmp1.txt", None),
    ("/local/tmp2.txt", Some("/local/tmp2.txt")),
    ("local/tmp2.txt", Some("/local/tmp2.txt")),
    ("tmp2.txt", Some("/local/tmp2.txt")),
    ("/tmp2.txt", Some("/local/tmp2.txt")),
    ("./tmp2.txt", Some("/local/tmp2.txt")),
    ("../../../../local/tmp2.txt", Some("/local/tmp2.txt")),
    ("/local/foo/tmp3.txt", Some("/local/foo/tmp3.txt")),
    ("foo/tmp3.txt", Some("/local/foo/tmp3.txt")),
    ("/srv/tmp4.txt", Some("/srv/tmp4.txt")),
    ("/srv/bar/tmp5.txt", Some("/srv/bar/tmp5.txt")),
    ("/srv/bar/../bar/tmp5.txt", Some("/srv/bar/tmp5.txt")),
    ("bar/tmp5.txt", Some("/srv/bar/tmp5.txt")),
    ("tmp4.txt", Some("/srv/tmp4.txt")),
    ("tmp6.txt", Some("/opt/second/tmp6.txt")),
    ("/opt/second/tmp6.txt", Some("/opt/second/tmp6.txt")),
    ("/c/tmp7.txt", Some("/c/tmp7.txt")),
    ("/bin/encamp-absent", None),
];

/// The places of one name, the last one looked at first.
const ORDER: [(&str, &str); 6] = [
    ("T/usr/bin/which-one", "/usr/bin/which-one"),
    ("T/usr/local/bin/which-one", "/usr/local/bin/which-one"),
    ("N/which-one", "/opt/second/which-one"),
    ("M/which-one", "/srv/which-one"),
    ("T/which-one", "/which-one"),
    ("T/local/which-one", "/local/which-one"),
];

struct Scene<'a> {
    driven: Driven<'a>,
}

impl<'a> Scene<'a> {
    fn new(world: &'a World) -> Scene<'a> {
        let mut driven = Driven::of(world, Kind::Exec, "", &[]);
        let chroot = driven.root().join("C");
        let mut roots: std::collections::BTreeMap<String, driver::options::Value> =
            ["/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr"]
                .map(|path| (path.to_owned(), path.into()))
                .into();
        roots.insert(chroot.to_str().unwrap().to_owned(), "/c".into());
        driven.operate("chroot_env", driver::options::Value::Map(roots));
        driven.task.mounts = [("M", "/srv"), ("N", "/opt/second")]
            .map(|(name, at)| Mount {
                task_path: at.into(),
                host_path: driven.root().join(name),
                ..Mount::default()
            })
            .into();
        let scene = Scene { driven };
        for name in ["M", "N", "C"] {
            fs::create_dir_all(scene.host(name)).unwrap();
        }
        scene
    }

    /// Where `T/x` lies on the host.
    fn host(&self, place: &str) -> PathBuf {
        match place.strip_prefix("T/") {
            Some(rest) => self.driven.task_dir().join(rest),
            None => self.driven.root().join(place),
        }
    }

    fn place(&self, place: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.host(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    /// What runs, or why not.
    fn run(&mut self, command: &str) -> Result<String, StartError> {
        self.driven.config("command", command.into());
        let live = self.driven.try_start()?;
        Ok(live.wait().exited(0).stdout.trim_end().to_owned())
    }

    fn refusal(&mut self, command: &str) -> (i32, String) {
        let error = self.run(command).expect_err("it was started");
        let code = match &error {
            StartError::NotFound(_) => 127,
            StartError::NotExecutable(_) => 126,
            other => panic!("{}", chain(other)),
        };
        (code, chain(&error))
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn every_name_leads_where_the_reference_says() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    let files = FILES.map(|file| scene.place(file, SCRIPT, 0o644));
    for (command, found) in FOUND {
        match (scene.run(command), found) {
            (Ok(path), found) => assert_eq!(Some(path.as_str()), found, "{command}"),
            (Err(StartError::NotFound(_)), None) => {}
            (Err(error), _) => panic!("{command}: {}", chain(&error)),
        }
    }
    // What the client placed and what lies in a writable volume has been made executable; of the chroot the layer, not the host's file.
    for (file, path) in FILES.iter().zip(&files) {
        let wanted = if file.starts_with("C/") || *file == "N/tmp4.txt" {
            0o644
        } else {
            0o755
        };
        assert_eq!(mode(path), wanted, "{file}");
    }
}

#[test]
fn of_one_name_in_every_place_the_seeds_order_decides() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    for (file, found) in ORDER {
        scene.place(file, SCRIPT, 0o644);
        assert_eq!(scene.run("which-one").unwrap(), found, "{file}");
    }
}

#[test]
fn a_file_of_a_read_only_volume_without_x_is_named_with_the_way_out_and_stays_as_it_is() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    for mount in &mut scene.driven.task.mounts {
        mount.readonly = true;
    }
    let (closed, open) = (
        scene.place("M/closed", SCRIPT, 0o644),
        scene.place("M/open", SCRIPT, 0o755),
    );
    let (code, told) = scene.refusal("/srv/closed");
    assert_eq!(code, 126, "{told}");
    assert!(
        told.contains("/srv/closed") && told.contains("chmod +x"),
        "{told}"
    );
    assert_eq!(scene.run("open").unwrap(), "/srv/open");
    assert_eq!((mode(&closed), mode(&open)), (0o644, 0o755));
}

#[test]
fn no_name_and_no_link_gives_x_to_a_file_of_the_hosts() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    let canary = world.canary();
    let secret = scene.place("beside/secret", SCRIPT, 0o600);
    let chroot = scene.place("C/tool", SCRIPT, 0o640);
    let shadow = fs::metadata("/etc/shadow").unwrap();
    // Absolute and relative links, in a volume and in the task's own directory, with and without a file of that name inside.
    for (number, target) in [
        canary.path(),
        secret.to_str().unwrap(),
        "../beside/secret",
        "../../../../../../etc/shadow",
        "/etc/shadow",
        "/c/tool",
    ]
    .into_iter()
    .enumerate()
    {
        symlink(target, scene.host(&format!("M/link{number}"))).unwrap();
        symlink(target, scene.host(&format!("T/local/link{number}"))).unwrap();
        for command in [format!("/srv/link{number}"), format!("local/link{number}")] {
            let (code, told) = scene.refusal(&command);
            assert!([126, 127].contains(&code), "{command} -> {target}: {told}");
            assert!(told.contains(&format!("link{number}")), "{told}");
        }
    }
    let beside = format!("/srv/..{}", secret.display());
    for command in [
        "../../../../etc/shadow",
        "/etc/shadow",
        "/srv/../etc/shadow",
        "/srv/../beside/secret",
        &beside,
        canary.path(),
    ] {
        let _ = scene.refusal(command);
    }
    canary.assert_untouched();
    assert_eq!((mode(&secret), mode(&chroot)), (0o600, 0o640));
    let now = fs::metadata("/etc/shadow").unwrap();
    let facts = |found: &fs::Metadata| (found.mode(), found.ino(), found.ctime(), found.nlink());
    assert_eq!(
        facts(&now),
        facts(&shadow),
        "mode, inode, time of change, links"
    );
}

#[test]
fn setuid_and_other_bits_stay_when_x_is_given() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    for (before, after) in [
        (0o610, 0o711),
        (0o2644, 0o2755),
        (0o1600, 0o1711),
        (0o700, 0o711),
    ] {
        let path = scene.place("M/bits", SCRIPT, before);
        assert_eq!(scene.run("/srv/bits").unwrap(), "/srv/bits", "{before:o}");
        assert_eq!(mode(&path), after, "{before:o}");
    }
}

#[test]
fn what_is_no_program_is_told_with_its_kind() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    fs::create_dir(scene.host("T/local/directory")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scene.host("T/local/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o777),
        0,
    )
    .unwrap();
    symlink("/nowhere/at-all", scene.host("T/local/dangling")).unwrap();
    symlink("loop", scene.host("T/local/loop")).unwrap();
    scene.place(
        "T/local/no-interpreter",
        "#!/no/such/interpreter -x\n",
        0o755,
    );
    scene.place("T/local/directory-as-interpreter", "#!/etc\n", 0o755);
    scene.place("T/local/text", "just words\n", 0o755);
    scene.place("T/local/empty", "", 0o755);
    scene.place("T/local/wrong-machine", "\u{7f}ELF nonsense", 0o755);
    for (command, code, words) in [
        ("local/directory", 126, "it is a directory"),
        ("/", 126, "it is a directory"),
        ("local/fifo", 126, "it is a FIFO"),
        ("/dev/null", 126, "it is a device"),
        (
            "local/dangling",
            127,
            "/local/dangling (a link to /nowhere/at-all, which is not there)",
        ),
        ("local/loop", 127, "/local/loop"),
        (
            "local/no-interpreter",
            126,
            "its interpreter /no/such/interpreter",
        ),
        ("local/directory-as-interpreter", 126, "/etc"),
        (
            "local/text",
            126,
            "neither a program for this machine nor a script",
        ),
        (
            "local/empty",
            126,
            "neither a program for this machine nor a script",
        ),
        (
            "local/wrong-machine",
            126,
            "neither a program for this machine nor a script",
        ),
        (
            "/proc/self/exe",
            127,
            "looked in /local/proc/self/exe, /proc/self/exe",
        ),
        ("/proc/1/root/bin/sh", 127, "/proc/1/root/bin/sh"),
        ("/sys/kernel", 127, "/sys/kernel"),
        ("", 127, "the command is empty"),
        (
            "encamp-absent",
            127,
            "file encamp-absent not found under path /; looked in /local/encamp-absent, /encamp-absent, /srv/encamp-absent, \
             /opt/second/encamp-absent, /usr/local/bin/encamp-absent, /usr/bin/encamp-absent, /bin/encamp-absent",
        ),
    ] {
        let (found, told) = scene.refusal(command);
        assert_eq!(found, code, "{command}: {told}");
        assert!(told.contains(words), "{command}: {told}");
    }
}

#[test]
fn a_script_by_proc_self_exe_meets_a_sealed_copy_and_never_the_installed_program() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut scene = Scene::new(&world);
    let sum = || {
        let bytes = fs::read(suite::binaries::encamp()).unwrap();
        let found = fs::metadata(suite::binaries::encamp()).unwrap();
        (
            bytes.len(),
            found.mtime_nsec(),
            found.ctime_nsec(),
            found.ino(),
        )
    };
    let before = sum();
    scene.place("T/local/self", "#!/proc/self/exe\n", 0o755);
    scene.driven.task.user = "root".into();
    scene.driven.config("command", "local/self".into());
    // What the image makes of itself as an interpreter: nothing, or it is refused.
    if let Ok(live) = scene.driven.try_start() {
        assert_ne!(live.wait().code, Some(0));
    }
    assert_eq!(sum(), before, "size, times, inode");
}
