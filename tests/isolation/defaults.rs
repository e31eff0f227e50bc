//! The default paths of `exec2`, each of them there: what is granted works, what is not is refused. On a stage, since no host has all.
use std::fmt::Write;

use serde_json::Value;
use suite::need::require;
use suite::stage::on_stage;
use suite::{Job, Running, World};

use crate::NEEDS;

const ACCES: i64 = 13;
const ROFS: i64 = 30;
const PERM: i64 = 1;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Directory,
    File,
    Device,
    Socket,
}
use Kind::{Device, Directory, File, Socket};

/// Listens at a path in the background of the stage, for as long as what runs there.
fn listen(path: &str) -> String {
    let perl = format!(
        "$p = getppid; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(q({path}))) or die; listen(S, 5); chmod(0777, q({path})); open(R, q(>/tmp/ready)); close(R); select(undef, undef, undef, 0.05) while getppid == $p"
    );
    format!(
        "perl -MSocket -e '{perl}' </dev/null >/dev/null 2>&1 &\nuntil [ -e /tmp/ready ]; do sleep 0.02; done\n"
    )
}

/// The documentation's list, in its order, then what upstream's code adds to it.
const PATHS: [(&str, Kind, &str); 33] = [
    ("/bin", Directory, "rx"),
    ("/usr/bin", Directory, "rx"),
    ("/usr/local/bin", Directory, "rx"),
    ("/dev/null", Device, "rw"),
    ("/lib", Directory, "rx"),
    ("/lib64", Directory, "rx"),
    ("/usr/lib", Directory, "rx"),
    ("/usr/libexec", Directory, "rx"),
    ("/usr/local/lib", Directory, "rx"),
    ("/usr/local/lib64", Directory, "rx"),
    ("/etc/ld.so.conf", File, "r"),
    ("/etc/ld.so.cache", File, "r"),
    ("/etc/ld.so.conf.d", Directory, "r"),
    ("/dev/full", Device, "rw"),
    ("/dev/zero", Device, "r"),
    ("/dev/urandom", Device, "r"),
    ("/dev/log", Socket, "w"),
    ("/usr/share/locale", Directory, "r"),
    ("/usr/share/zoneinfo", Directory, "r"),
    ("/usr/share/common-licenses", Directory, "r"),
    ("/etc/hosts", File, "r"),
    ("/hostname", File, "r"),
    ("/etc/services", File, "r"),
    ("/etc/protocols", File, "r"),
    ("/etc/resolv.conf", File, "r"),
    ("/etc/ssl/certs", Directory, "r"),
    ("/etc/pki/tls/certs", Directory, "r"),
    ("/sys/etc/security/cacerts", Directory, "r"),
    ("/etc/ssl/ca-bundle.pem", File, "r"),
    ("/etc/pki/tls/cacert.pem", File, "r"),
    (
        "/etc/pki/ca-trust-extracted/pem/tls-ca-bundle.pem",
        File,
        "r",
    ),
    ("/etc/ssl/cert.pem", File, "r"),
    ("/usr/lib64", Directory, "rx"),
];

/// Those of the list that lie in the task's own procfs or lead there, tried in its children: words of the probe, and whether they
/// may.
const OWN: [(&[&str], bool); 16] = [
    (&["read", "/proc/self/cmdline"], true),
    (&["write", "/proc/self/oom_score_adj", "1000"], false),
    (&["list", "/dev/fd"], true),
    (&["open", "/dev/stdin"], true),
    (&["write", "/dev/stdin", ""], true),
    (&["write", "/dev/stdout", ""], true),
    (&["write", "/dev/stderr", ""], true),
    (&["read", "/proc/sys/kernel/ngroups_max"], true),
    (&["write", "/proc/sys/kernel/ngroups_max", "1"], false),
    (&["read", "/proc/sys/kernel/cap_last_cap"], true),
    (&["read", "/proc/sys/vm/overcommit_memory"], true),
    (&["write", "/proc/sys/vm/overcommit_memory", "1"], false),
    (&["list", "/tmp"], true),
    (&["make", "/tmp/made"], true),
    (&["write", "/tmp/made", "x"], true),
    (&["unlink", "/tmp/made"], true),
];

/// Neighbours that no default names.
const OTHERS: [&[&str]; 12] = [
    &["list", "/"],
    &["list", "/etc"],
    &["list", "/etc/ssl"],
    &["list", "/dev"],
    &["list", "/usr"],
    &["list", "/usr/share"],
    &["list", "/root"],
    &["list", "/sbin"],
    &["list", "/sys"],
    &["read", "/etc/passwd"],
    &["open", "/dev/random"],
    &["read", "/etc/pki/tls/private"],
];

/// Makes everything that is missing, opens all of it to everybody, so that only the sandbox can refuse, and puts something in it.
fn setup() -> String {
    let mut script = String::from("umask 000\n");
    for (path, kind, _) in PATHS {
        let _ = match kind {
            Directory => writeln!(
                script,
                "mkdir -p {path}; chmod 777 {path}; echo text > {path}/encamp-file; cp /bin/true {path}/encamp-tool; chmod 777 {path}/encamp-file {path}/encamp-tool"
            ),
            File => writeln!(
                script,
                "mkdir -p $(dirname {path}); [ -e {path} ] || echo text > {path}; chmod 777 {path}"
            ),
            Socket => writeln!(script, "{}", listen(path)),
            Device => Ok(()),
        };
    }
    script.push_str("echo text > /etc/pki/tls/private\n");
    script
}

/// Every attempt with whether it must succeed.
fn trials() -> Vec<(Vec<String>, bool)> {
    let mut trials = Vec::new();
    let mut add = |words: &[&str], path: &str, granted: bool| {
        let words = words.iter().map(|word| word.replace('@', path)).collect();
        trials.push((words, granted));
    };
    for (path, kind, letters) in PATHS {
        let (reads, writes) = (letters.contains('r'), letters.contains('w'));
        if kind == Directory {
            add(&["read", "@/encamp-file"], path, reads);
            add(&["list", "@"], path, reads);
            add(&["write", "@/encamp-file", "x"], path, writes);
            add(&["truncate", "@/encamp-file"], path, writes);
            add(&["exec", "@/encamp-tool"], path, letters.contains('x'));
            add(&["mkdir", "@/encamp-new"], path, false);
            add(&["unlink", "@/encamp-file"], path, false);
            add(&["chmod", "@/encamp-file", "700"], path, false);
        } else {
            match kind {
                Socket => add(&["connect-unix", "@"], path, writes),
                _ => add(&["open", "@"], path, reads),
            }
            add(&["exec", "@"], path, false);
            add(&["chmod", "@", "700"], path, false);
            add(&["unlink", "@"], path, false);
            // The full device refuses every write by its nature.
            if path != "/dev/full" && kind != Socket {
                add(&["write", "@", "x"], path, writes);
            }
        }
    }
    for (words, granted) in OWN {
        add(words, "", granted);
    }
    for words in OTHERS {
        add(words, "", false);
    }
    trials
}

fn wrong(lines: &[Value], trials: &[(Vec<String>, bool)]) -> String {
    assert_eq!(lines.len(), trials.len());
    let mut wrong = String::new();
    for (line, (words, granted)) in lines.iter().zip(trials) {
        let fits = match (granted, line["errno"].as_i64()) {
            (true, None) => line["code"].as_i64().unwrap_or(0) == 0,
            (false, Some(errno)) => [ACCES, ROFS, PERM].contains(&errno),
            _ => false,
        };
        if !fits {
            let met = &line.to_string()[..line.to_string().len().min(300)];
            let _ = writeln!(wrong, "{}: granted {granted}, got {met}", words.join(" "));
        }
    }
    wrong
}

#[test]
fn every_default_path_grants_its_letters_and_nothing_else_to_any_user() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let trials = trials();
    let words: Vec<&str> = trials
        .iter()
        .flat_map(|(words, _)| words.iter().map(String::as_str).chain([","]))
        .collect();
    let words = &words[..words.len() - 1];
    for user in [None, Some("daemon"), Some("root")] {
        let job = world.job("exec2", words);
        let job = user.map_or(job.clone(), |user| job.user(user));
        let staged = on_stage(&setup(), &world.command(&job));
        let outcome = Running::start(&mut { staged }).wait().exited(0);
        let wrong = wrong(&outcome.lines(), &trials);
        assert!(wrong.is_empty(), "{user:?}\n{wrong}");
    }
}

#[test]
fn a_log_socket_below_run_and_a_resolver_there_are_seen_by_root_too() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let setup = format!(
        "{}{}",
        "mkdir -p /run/systemd/resolve /run/systemd/journal /run/other
        echo 'nameserver 192.0.2.1' > /run/systemd/resolve/stub-resolv.conf
        echo x > /run/other/secret; echo y > /run/systemd/journal/socket
        ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
        ln -s /run/systemd/journal/dev-log /dev/log; ln -sfn /run /var/run\n",
        listen("/run/systemd/journal/dev-log")
    );
    let words = [
        "read",
        "/etc/resolv.conf",
        ",",
        "connect-unix",
        "/dev/log",
        ",",
        "stat",
        "/run/other",
        ",",
        "stat",
        "/run/systemd/journal/socket",
        ",",
        "stat",
        "/run/systemd/private",
    ];
    let run = |job: &Job| {
        let staged = on_stage(&setup, &world.command(job));
        Running::start(&mut { staged }).wait().exited(0).lines()
    };
    let job = world.job("exec2", &words).user("root");
    let lines = run(&job);
    let met: Vec<_> = lines.iter().map(|line| line["errno"].as_i64()).collect();
    assert_eq!(met, [None, None, Some(2), Some(2), Some(2)], "{lines:?}");
    assert_eq!(lines[0]["text"], "nameserver 192.0.2.1\n");
    // An entry names a thing below /run by a link of the host's, and gets it.
    let job = world
        .job(
            "exec2",
            &[
                "read",
                "/var/run/other/secret",
                ",",
                "stat",
                "/run/systemd/journal/socket",
            ],
        )
        .user("root")
        .config("unveil = [\"r:/var/run/other\"]");
    let lines = run(&job);
    assert_eq!(
        (&lines[0]["text"], lines[1]["errno"].as_i64()),
        (&Value::from("x\n"), Some(2))
    );
}
