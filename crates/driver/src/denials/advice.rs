//! From what the kernel says to what a job's author can write.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sandbox::audit::Object;

use super::rights::{BIND, By, Letters, right};
use super::seen::Domain;
use super::{Advice, Denial, Denials, Entry, Means, Who};

/// So many entries below one directory become one.
const SIBLINGS: usize = 4;

/// Nobody is told to unveil one of these whole.
const TOO_WIDE: [&str; 11] = [
    "/", "/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var",
];

/// What C libraries and runtimes look at and do without, because a default stands in for it.
const HARMLESS: [&str; 12] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/inputrc",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/timezone",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
];

/// What was denied on one path, or on several below it.
#[derive(Debug, Clone, Copy)]
struct Found {
    word: &'static str,
    letters: Letters,
    times: u64,
    paths: usize,
}

impl Found {
    fn and(self, other: Found) -> Found {
        Found {
            // Whatever is denied beside reading says more.
            word: if other.letters.only_read() {
                self.word
            } else {
                other.word
            },
            letters: self.letters.and(other.letters),
            times: self.times.saturating_add(other.times),
            paths: self.paths + other.paths,
        }
    }
}

/// In a job's words.
pub(super) fn denials(domain: &Domain, means: &Means) -> Denials {
    let mut paths: BTreeMap<PathBuf, Found> = BTreeMap::new();
    let mut list = vec![];
    for ((object, blockers), count) in &domain.denied {
        let Some(word) = blockers.first().map(|first| right(first).word) else {
            continue;
        };
        match (object, letters(blockers)) {
            (Object::Path(path), Ok(letters)) => {
                let found = Found {
                    word,
                    letters,
                    times: count.times,
                    paths: 1,
                };
                let known = paths.get(path).map_or(found, |known| Found {
                    paths: 1,
                    ..known.and(found)
                });
                paths.insert(path.clone(), known);
            }
            (_, reason) => list.push(other(object, blockers, count.times, reason.err(), means)),
        }
    }
    let files = folded(paths).into_iter();
    list.extend(files.map(|(path, found)| of_path(&path, found, means)));
    list.sort_by_key(|denial| denial.advice == Advice::Harmless);
    Denials {
        list,
        more: domain.more,
        incomplete: false,
    }
}

/// All that must be given at once, or why one of them cannot be.
fn letters(blockers: &[String]) -> Result<Letters, &'static str> {
    blockers
        .iter()
        .try_fold(Letters::default(), |all, blocker| {
            match right(blocker).given_by {
                By::Letters(letters) => Ok(all.and(letters)),
                By::Port(_) => Err("no path"),
                By::Nothing(why) => Err(why),
            }
        })
}

/// Many below one directory become the directory.
fn folded(mut paths: BTreeMap<PathBuf, Found>) -> BTreeMap<PathBuf, Found> {
    while let Some((parent, letters)) = crowded(&paths) {
        let below = |path: &Path, found: &Found| {
            path.parent() == Some(&parent) && found.letters == letters && !is_harmless(path, *found)
        };
        let (children, others): (BTreeMap<_, _>, _) = paths
            .into_iter()
            .partition(|(path, found)| below(path, found));
        paths = others;
        let all = children.into_values().reduce(Found::and);
        let known = paths.get(&parent).copied();
        if let Some(found) = all.into_iter().chain(known).reduce(Found::and) {
            paths.insert(parent, found);
        }
    }
    paths
}

/// A directory with many paths right below it that lack the same.
fn crowded(paths: &BTreeMap<PathBuf, Found>) -> Option<(PathBuf, Letters)> {
    let mut crowds: BTreeMap<(&Path, String), (usize, Letters)> = BTreeMap::new();
    let foldable = paths
        .iter()
        .filter(|(path, found)| !is_harmless(path, **found));
    for (path, found) in foldable {
        let Some(parent) = path.parent().filter(|parent| !is_too_wide(parent)) else {
            continue;
        };
        let crowd = crowds.entry((parent, found.letters.to_string()));
        crowd.or_insert((0, found.letters)).0 += 1;
    }
    crowds
        .into_iter()
        .find(|(_, (count, _))| *count >= SIBLINGS)
        .map(|((parent, _), (_, letters))| (parent.to_owned(), letters))
}

fn is_too_wide(path: &Path) -> bool {
    // Each process has another directory there; what is granted below it is granted on all of procfs.
    path.starts_with("/proc") || TOO_WIDE.iter().any(|wide| path == Path::new(wide))
}

/// A terminal is asked for by an ioctl, and these are none: that it is denied is as good an answer.
const NO_TERMINALS: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"];

fn is_harmless(path: &Path, found: Found) -> bool {
    if found.word == "ioctl" {
        return NO_TERMINALS.iter().any(|device| path == Path::new(device));
    }
    found.letters.only_read() && HARMLESS.iter().any(|harmless| path.starts_with(harmless))
}

fn of_path(path: &Path, found: Found, means: &Means) -> Denial {
    let shown = path.display();
    Denial {
        access: found.word,
        object: match found.paths {
            1 => shown.to_string(),
            paths => format!("{shown}/ ({paths} below it)"),
        },
        times: found.times,
        advice: advice(path, found, means),
    }
}

fn advice(path: &Path, found: Found, means: &Means) -> Advice {
    if is_harmless(path, found) {
        return Advice::Harmless;
    }
    if path.starts_with("/proc") {
        return Advice::Nothing("it could only be granted with all of /proc");
    }
    if path != means.home && means.home.starts_with(path) {
        return Advice::Nothing("the task's own directory is below it");
    }
    if is_too_wide(path) {
        return Advice::Nothing("too wide to be unveiled whole: name what is needed below it");
    }
    let written = match path.strip_prefix(&means.home) {
        Ok(own) if own.as_os_str().is_empty() => Path::new("."),
        Ok(own) => own,
        Err(_) => path,
    };
    let Some(written) = written.to_str().filter(|written| !written.contains(':')) else {
        return Advice::Nothing("no entry can hold its name: unveil the directory it is in");
    };
    let (who, option) = match means.unveil_by_task {
        true => (Who::Task, "unveil"),
        false => (Who::Operator, "unveil_paths"),
    };
    let entry = format!("{}:{written}", found.letters);
    Advice::Entry { who, option, entry }
}

/// What is no path, or cannot be granted at all.
fn other(
    object: &Object,
    blockers: &[String],
    times: u64,
    reason: Option<&'static str>,
    means: &Means,
) -> Denial {
    let first = right(blockers.first().map_or("", String::as_str));
    let advice = match (first.given_by, object) {
        (By::Port(kind), Object::Port(port)) => port_rule(kind, *port, means),
        _ => Advice::Nothing(reason.unwrap_or("the kernel does not say on what")),
    };
    Denial {
        access: first.word,
        object: match object {
            Object::Path(path) => path.display().to_string(),
            Object::Port(port) => format!("TCP port {port}"),
            Object::Process(pid) => format!("process {pid}"),
            Object::Socket(name) => format!("abstract socket {name:?}"),
            Object::Nameless => "something without a name".to_owned(),
        },
        times,
        advice,
    }
}

/// A task may add what its operator's rules have; whatever else is missing is theirs to add.
fn port_rule(kind: &'static str, port: u16, means: &Means) -> Advice {
    let of_the_operator = means.ports.as_ref().and_then(|ports| match kind {
        BIND => ports.bind.as_ref(),
        _ => ports.connect.as_ref(),
    });
    let may = of_the_operator.is_none_or(|ranges| ranges.iter().any(|range| range.contains(&port)));
    Advice::Entry {
        who: if may { Who::Task } else { Who::Operator },
        option: "network_rules",
        entry: format!("{kind}{port}"),
    }
}

/// The entries of all advice, without those that another one covers.
pub(super) fn outermost(list: &[Denial]) -> Vec<Entry<'_>> {
    let mut entries: Vec<_> = list.iter().filter_map(entry).collect();
    entries.sort_unstable();
    entries.dedup();
    let all = entries.clone();
    entries.retain(|one| !all.iter().any(|other| other != one && covers(other, one)));
    entries
}

fn entry(denial: &Denial) -> Option<Entry<'_>> {
    match &denial.advice {
        Advice::Entry { who, option, entry } => Some(Entry {
            who: *who,
            option,
            text: entry,
        }),
        Advice::Harmless | Advice::Nothing(_) => None,
    }
}

fn covers(wide: &Entry<'_>, narrow: &Entry<'_>) -> bool {
    match (letters_and_path(wide), letters_and_path(narrow)) {
        (Some((wide, over)), Some((narrow, path))) => wide.give(narrow) && lies_in(path, over),
        _ => false,
    }
}

fn letters_and_path<'e>(entry: &Entry<'e>) -> Option<(Letters, &'e Path)> {
    let (letters, path) = entry
        .text
        .split_once(':')
        .filter(|_| entry.option != "network_rules")?;
    Some((Letters::of(letters), Path::new(path)))
}

/// Whatever is relative lies in the task's own directory, which is written as a dot.
fn lies_in(path: &Path, directory: &Path) -> bool {
    path.starts_with(directory) || (directory == Path::new(".") && path.is_relative())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use sandbox::spec::Ports;

    use super::*;

    fn means() -> Means {
        Means {
            home: "/m/1-t".into(),
            unveil_by_task: true,
            ports: None,
        }
    }

    fn all(denied: &[(&str, Object)]) -> Denials {
        under(&means(), denied)
    }

    fn under(means: &Means, denied: &[(&str, Object)]) -> Denials {
        let mut domain = Domain::default();
        for (blockers, object) in denied {
            let blockers = blockers.split(',').map(str::to_owned).collect();
            domain
                .denied
                .entry((object.clone(), blockers))
                .or_default()
                .times += 1;
        }
        denials(&domain, means)
    }

    fn path(path: &str) -> Object {
        Object::Path(path.into())
    }

    fn told(blockers: &str, object: Object) -> (String, Advice) {
        let mut denials = all(&[(blockers, object)]);
        let denial = denials.list.remove(0);
        (
            format!("{} {}", denial.access, denial.object),
            denial.advice,
        )
    }

    fn entry(entry: &str) -> Advice {
        Advice::Entry {
            who: Who::Task,
            option: "unveil",
            entry: entry.to_owned(),
        }
    }

    fn entries(denials: &Denials) -> Vec<(Who, &'static str, &str)> {
        let entries = denials.entries().into_iter();
        entries
            .map(|entry| (entry.who, entry.option, entry.text))
            .collect()
    }

    #[test]
    fn each_right_has_its_word_and_its_entry() {
        for (blockers, word, letters) in [
            ("fs.read_file", "read", "r"),
            ("fs.read_dir", "list", "r"),
            ("fs.execute,fs.read_file", "execute", "rx"),
            ("fs.execute", "execute", "rx"),
            ("fs.read_file,fs.write_file", "read", "rw"),
            ("fs.truncate", "write", "w"),
            ("fs.make_reg", "create", "rwc"),
            ("fs.make_dir", "create", "rwc"),
            ("fs.remove_file,fs.refer", "remove", "c"),
            ("fs.ioctl_dev", "ioctl", "rw"),
        ] {
            let wanted = (format!("{word} /a/b"), entry(&format!("{letters}:/a/b")));
            assert_eq!(told(blockers, path("/a/b")), wanted, "{blockers}");
        }
    }

    #[test]
    fn what_lies_in_the_tasks_own_directory_is_named_relative_to_it() {
        assert_eq!(
            told("fs.read_file", path("/m/1-t/private/x")).1,
            entry("r:private/x")
        );
        assert_eq!(told("fs.make_reg", path("/m/1-t")).1, entry("rwc:."));
    }

    #[test]
    fn nobody_is_told_to_open_everything() {
        for wide in ["/", "/etc", "/home", "/proc", "/proc/1/mem", "/usr"] {
            let advice = told("fs.read_dir", path(wide)).1;
            assert!(matches!(advice, Advice::Nothing(_)), "{wide}: {advice:?}");
        }
        let colon = told("fs.read_file", path("/srv/a:b")).1;
        assert!(matches!(colon, Advice::Nothing(_)), "{colon:?}");
    }

    #[test]
    fn what_runtimes_do_without_comes_last() {
        let denials = all(&[
            ("fs.read_file", path("/etc/locale.alias")),
            ("fs.read_file", path("/etc/mime.types")),
            ("fs.write_file", path("/sys/kernel/mm/x")),
        ]);
        let advice: Vec<_> = denials.list.iter().map(|denial| &denial.advice).collect();
        assert_eq!(
            advice,
            [
                &entry("r:/etc/mime.types"),
                &entry("w:/sys/kernel/mm/x"),
                &Advice::Harmless
            ]
        );
    }

    #[test]
    fn many_siblings_become_their_directory_but_never_one_that_is_too_wide() {
        let below = |parent: &str| -> Vec<_> {
            let names = ["a", "b", "c", "d"];
            names
                .iter()
                .map(|name| ("fs.read_file", path(&format!("{parent}/{name}"))))
                .collect()
        };
        let denials = all(&[
            below("/srv/www"),
            below("/etc"),
            vec![("fs.read_dir", path("/srv/www"))],
        ]
        .concat());
        assert_eq!(denials.list.len(), 5);
        let folded = denials.list.last().unwrap();
        assert_eq!(
            (folded.object.as_str(), folded.times),
            ("/srv/www/ (5 below it)", 5)
        );
        assert_eq!(denials.entries().len(), 5);
    }

    #[test]
    fn an_entry_that_another_covers_is_written_once() {
        let denials = all(&[
            ("fs.read_dir", path("/srv/www")),
            ("fs.read_file", path("/srv/www/a")),
            ("fs.write_file", path("/srv/www/b")),
            ("net.bind_tcp", Object::Port(80)),
        ]);
        let wanted = [
            (Who::Task, "network_rules", "bind:80"),
            (Who::Task, "unveil", "r:/srv/www"),
            (Who::Task, "unveil", "w:/srv/www/b"),
        ];
        assert_eq!(entries(&denials), wanted);
        let own = all(&[
            ("fs.make_reg", path("/m/1-t")),
            ("fs.write_file", path("/m/1-t/local/x")),
            ("fs.execute", path("/m/1-t/local/x")),
        ]);
        let wanted = [
            (Who::Task, "unveil", "rwc:."),
            (Who::Task, "unveil", "rwx:local/x"),
        ];
        assert_eq!(entries(&own), wanted);
        let below = all(&[
            ("fs.make_reg", path("/m/1-t")),
            ("fs.write_file", path("/m/1-t/local/x")),
        ]);
        assert_eq!(entries(&below), [(Who::Task, "unveil", "rwc:.")]);
    }

    #[test]
    fn ports_name_their_rules_and_what_has_no_entry_says_why() {
        let rule = |entry: &str| Advice::Entry {
            who: Who::Task,
            option: "network_rules",
            entry: entry.to_owned(),
        };
        assert_eq!(
            told("net.bind_tcp", Object::Port(8080)),
            ("bind TCP port 8080".to_owned(), rule("bind:8080"))
        );
        assert_eq!(
            told("net.connect_tcp", Object::Port(443)).1,
            rule("connect:443")
        );
        for (blockers, object) in [
            ("scope.signal", Object::Process(1)),
            ("scope.abstract_unix_socket", Object::Socket("x".to_owned())),
            ("fs.make_char", path("/a")),
            ("fs.new_right", path("/a")),
            ("net.new_right", Object::Nameless),
        ] {
            let advice = told(blockers, object).1;
            assert!(
                matches!(advice, Advice::Nothing(_)),
                "{blockers}: {advice:?}"
            );
        }
    }

    #[test]
    fn where_tasks_may_not_the_operators_option_is_named() {
        let means = Means {
            unveil_by_task: false,
            ports: Some(Ports {
                bind: Some(vec![80..=90]),
                connect: None,
            }),
            ..means()
        };
        let told = under(
            &means,
            &[
                ("fs.read_file", path("/srv/x")),
                ("net.bind_tcp", Object::Port(1)),
                ("net.bind_tcp", Object::Port(85)),
                ("net.connect_tcp", Object::Port(1)),
            ],
        );
        // What lies within the operator's rules the job itself has left out of its own.
        let wanted = [
            (Who::Task, "network_rules", "bind:85"),
            (Who::Task, "network_rules", "connect:1"),
            (Who::Operator, "network_rules", "bind:1"),
            (Who::Operator, "unveil_paths", "r:/srv/x"),
        ];
        assert_eq!(entries(&told), wanted);
    }
}
