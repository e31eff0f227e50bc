//! From a job file to the description of its task's process, without privileges: each example and each of `jobs/` against a file beside this one.
//!
//! `UPDATE=1 cargo test -p suite --test golden` writes the files anew; look at the difference before it is committed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use driver::users::{self, User};
use sandbox::Spec;
use suite::binaries::repository;
use suite::{JobFile, Site, faces};

/// The users of the job files as one host might have them: name, uid, gid, groups, home.
const USERS: [(&str, u32, u32, &[u32], &str); 3] = [
    ("daemon", 1, 1, &[12, 44], "/usr/sbin"),
    ("nobody", 65534, 65534, &[], "/nonexistent"),
    ("root", 0, 0, &[], "/root"),
];

#[test]
fn every_job_file_is_described_as_before() {
    let failed: Vec<_> = JobFile::all().iter().filter_map(check).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_description_has_its_job_file() {
    let names: BTreeSet<_> = JobFile::all().into_iter().map(|file| file.name).collect();
    let described: BTreeSet<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(described, names);
}

#[test]
fn a_description_survives_being_written_and_read() {
    for file in JobFile::all() {
        let spec = describe(&file);
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(
            serde_json::from_str::<Spec>(&text).unwrap(),
            spec,
            "{}",
            file.name
        );
    }
}

/// `docs/attacks.md` names what each known attack was tried with; a test that is renamed must be renamed there too.
#[test]
fn every_test_that_the_list_of_attacks_names_exists() {
    let text = std::fs::read_to_string(repository().join("docs/attacks.md")).unwrap();
    let named: BTreeSet<_> = text
        .split('`')
        .filter_map(|word| word.split_once("::"))
        .filter(|(module, _)| *module != "module")
        .collect();
    assert!(named.len() > 40, "{} tests are named", named.len());
    for (module, name) in named {
        let texts = sources(module);
        assert!(!texts.is_empty(), "there is no {module}");
        assert!(
            texts
                .iter()
                .any(|text| text.contains(&format!("fn {name}("))),
            "{module} has no test {name}"
        );
    }
}

/// The texts of a module of tests: of the isolation suite, of the program's own tests, or beside what it tests in the client.
fn sources(module: &str) -> Vec<String> {
    let suites = ["tests/isolation", "crates/encamp/tests"];
    let mut files: Vec<PathBuf> = suites
        .iter()
        .map(|suite| repository().join(suite).join(format!("{module}.rs")))
        .collect();
    below(&repository().join("crates/client/src"), &mut files);
    let is_of_it = |file: &&PathBuf| {
        let name = file.file_stem().unwrap();
        let parent = file.parent().and_then(Path::file_name);
        name == module
            || name == format!("{module}_tests").as_str()
            || parent.is_some_and(|parent| parent == module)
    };
    let read = |file: &PathBuf| std::fs::read_to_string(file).ok();
    files.iter().filter(is_of_it).filter_map(read).collect()
}

fn below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What is wrong with one description.
fn check(file: &JobFile) -> Option<String> {
    let path = directory().join(format!("{}.json", file.name));
    let got = serde_json::to_string_pretty(&describe(file)).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    (got != wanted).then(|| {
        format!(
            "{} is not what was got:\n{}",
            path.display(),
            first_difference(&wanted, &got)
        )
    })
}

fn first_difference(wanted: &str, got: &str) -> String {
    let mut pairs = wanted.lines().zip(got.lines()).enumerate();
    match pairs.find(|(_, (wanted, got))| wanted != got) {
        Some((at, (wanted, got))) => {
            format!("line {}, expected:\n{wanted}\ngot:\n{got}", at + 1)
        }
        None => format!(
            "{} lines expected, {} got",
            wanted.lines().count(),
            got.lines().count()
        ),
    }
}

fn describe(file: &JobFile) -> Spec {
    let (driver, task) = faces::by_command_line(file, &site());
    driver
        .lower_as(&task, &user(&task.user))
        .unwrap_or_else(|error| panic!("{}: {error}", file.name))
}

/// No directory of this exists, so that nothing of the host comes in.
fn site() -> Site {
    Site {
        alloc_id: "0af996ed-1111-2222-3333-444444444444".to_owned(),
        data_dir: "/var/lib/encamp-golden".into(),
        run_dir: "/run/encamp-golden".into(),
        cgroup: "/sys/fs/cgroup/encamp.slice/share.slice/golden.scope".into(),
    }
}

/// An empty name is `exec`'s own default.
fn user(name: &str) -> User {
    if let Some(user) = users::dynamic(name) {
        return user;
    }
    let name = if name.is_empty() { "nobody" } else { name };
    let (name, uid, gid, groups, home) = USERS
        .into_iter()
        .find(|user| user.0 == name)
        .unwrap_or_else(|| panic!("no user {name:?} here"));
    User {
        name: name.to_owned(),
        uid,
        gid,
        groups: groups.to_vec(),
        home: home.to_owned(),
    }
}

fn directory() -> PathBuf {
    repository().join(Path::new("tests/golden"))
}
