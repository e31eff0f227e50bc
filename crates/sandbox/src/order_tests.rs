//! The order is held against golden lists and against `docs/launch.md`: neither changes without the other.
use std::collections::BTreeMap;

use super::*;
use crate::program::Entry;
use crate::spec::*;
use crate::step::Filesystem;

const PAGE: &str = include_str!("../../../docs/launch.md");

fn spec(init: Init) -> Spec {
    let executable = Executable {
        name: "sh".into(),
        candidates: vec![],
    };
    Spec {
        command: Command {
            executable,
            args: vec![],
            env: BTreeMap::new(),
            cwd: "/".into(),
            create_cwd: false,
        },
        namespaces: Namespaces {
            pid: Sharing::Private,
            ipc: Sharing::Private,
            net: None,
            hostname: None,
        },
        init,
        root: Root::Host {
            read_only: true,
            slave: true,
        },
        mounts: vec![],
        masked: vec![],
        read_only: vec![],
        landlock: None,
        identity: Identity {
            uid: 1,
            gid: 2,
            groups: vec![],
        },
        capabilities: Capabilities::default(),
        no_new_privs: init == Init::Ours,
        seccomp: None,
        umask: 0o022,
        oom_score_adj: Some(0),
        stdio: Stdio {
            stdin: Input::Null,
            stdout: Output::Null,
            stderr: Output::Null,
        },
    }
}

/// Everything that `prepare` can make for a process of this kind.
fn parts(init: Init) -> Parts {
    let ours = init == Init::Ours;
    let target = || c"/x".to_owned();
    let rule = Step::LandlockRule {
        ruleset: 9,
        target: target(),
        access: 1,
        file_access: 1,
        optional: false,
    };
    Parts {
        threads: vec![3],
        cgroup: Some(4),
        network: Some(Step::JoinNamespace {
            fd: 5,
            kinds: libc::CLONE_NEWNET as u32,
            name: target(),
        }),
        root: Some(if ours {
            Step::ReadOnlyTree
        } else {
            Step::PivotRoot { root: 6 }
        }),
        mounts: vec![
            Step::Attach {
                mount: 7,
                target: target(),
            },
            Step::Mount {
                filesystem: Filesystem::Proc,
                target: target(),
                attributes: 0,
            },
        ],
        seals: vec![Step::Seal { target: target() }],
        closed: vec![
            Step::ReadOnlyPath { target: target() },
            Step::Mask { target: target() },
        ],
        rules: if ours { vec![rule] } else { vec![] },
        ruleset: ours.then_some(9),
        ruleset_flags: 0,
        stdio: [10, 11, 12],
        controls_terminal: true,
        cwd: Step::ChangeDirectory {
            target: target(),
            create: false,
        },
        hostname: Some(Step::Hostname { name: target() }),
        oom_score_adj: Some(0),
        filter: Some(vec![]),
        block: 13,
        terminals: 14,
        held: u64::MAX,
    }
}

fn names<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<String> {
    let name = |step: &Step| {
        let text = format!("{step:?}");
        text.split(|c: char| !c.is_alphanumeric())
            .next()
            .map(str::to_owned)
    };
    steps.into_iter().filter_map(name).collect()
}

/// The names in the numbered list below a heading of the page.
fn told(heading: &str) -> Vec<String> {
    let after = PAGE
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading || !line.starts_with('#'))
        .skip(1)
        .take_while(|line| !line.starts_with('#'));
    let name = |line: &str| {
        let (number, rest) = line.split_once(". `")?;
        number.parse::<u32>().ok()?;
        Some(rest.split_once('`')?.0.to_owned())
    };
    after.filter_map(name).collect()
}

fn entry(tty: bool, namespaces: Vec<Step>) -> Entry {
    Entry {
        namespaces,
        stdio: [3, 4, 5],
        tty,
        cwd: c"/".to_owned(),
        block: 6,
    }
}

#[test]
fn a_process_that_is_its_own_init_takes_these_steps() {
    let program = program(&spec(Init::Process), parts(Init::Process));
    assert_eq!(program.inner, None);
    let expected = "JoinCgroup NewKeyring OomScoreAdj JoinNamespace Hostname SlaveMounts PivotRoot Attach Mount Seal ReadOnlyPath Mask \
        ChangeDirectory NewSession Stdio ControllingTerminal Umask Seccomp Bounding Identity Capabilities DefaultSignals CloseDescriptors Execute";
    assert_eq!(names(&program.outer).join(" "), expected);
}

#[test]
fn an_init_of_ours_takes_the_tree_and_the_domain_and_the_process_the_rest() {
    let program = program(&spec(Init::Ours), parts(Init::Ours));
    let outer = "JoinCgroup NewSession NewKeyring OomScoreAdj JoinNamespace Hostname SlaveMounts ReadOnlyTree Attach Mount Seal \
        ReadOnlyPath Mask LandlockRule Restrict Capabilities";
    assert_eq!(names(&program.outer).join(" "), outer);
    let inner = "NewSession Stdio ControllingTerminal ChangeDirectory Umask Bounding Identity Capabilities NoNewPrivs \
        DefaultSignals CloseDescriptors Seccomp Execute";
    assert_eq!(names(program.inner.iter().flatten()).join(" "), inner);
}

#[test]
fn init_keeps_what_it_needs_and_what_it_gives_away() {
    let mut given = spec(Init::Ours);
    given.capabilities.permitted = CapabilitySet(1 << 10);
    let program = program(&given, parts(Init::Ours));
    // dac_read_search, kill, setgid, setuid, setpcap, net_bind_service.
    let kept = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10;
    let expected = Step::Capabilities {
        permitted: kept,
        effective: kept,
        inheritable: 0,
        ambient: 0,
    };
    assert_eq!(program.outer.last(), Some(&expected));
}

#[test]
fn no_step_mounts_after_the_domain_and_none_needs_privilege_after_the_identity() {
    for init in [Init::Process, Init::Ours] {
        let program = program(&spec(init), parts(init));
        let names = names(program.outer.iter().chain(program.inner.iter().flatten()));
        // The process's own: init has sets of its own before.
        let at = |name: &str| names.iter().rposition(|known| known == name);
        for mounting in ["Attach", "Mount", "Seal", "Mask", "ReadOnlyPath"] {
            assert!(at("Restrict").is_none_or(|restrict| at(mounting) < Some(restrict)));
        }
        assert!(at("Bounding") < at("Identity") && at("Identity") < at("Capabilities"));
        assert_eq!(names.last().map(String::as_str), Some("Execute"));
    }
}

#[test]
fn the_page_tells_the_steps_of_a_process_that_is_its_own_init() {
    let mut spec = spec(Init::Process);
    spec.namespaces.pid = Sharing::Host;
    let program = program(&spec, parts(Init::Process));
    assert_eq!(told("The steps of `exec`"), names(&program.outer));
}

#[test]
fn the_page_tells_the_steps_of_a_process_with_an_init_of_ours() {
    let program = program(&spec(Init::Ours), parts(Init::Ours));
    assert_eq!(told("The steps of `exec2`: init"), names(&program.outer));
    let inner = names(program.inner.iter().flatten());
    assert_eq!(told("The steps of `exec2`: the process"), inner);
}

#[test]
fn the_page_tells_the_steps_of_an_entered_command() {
    let mut host = spec(Init::Process);
    (host.namespaces.pid, host.no_new_privs) = (Sharing::Host, true);
    let join = Step::JoinNamespace {
        fd: 3,
        kinds: 0,
        name: c"of the process".to_owned(),
    };
    let steps = program(&host, parts(Init::Process)).entered(entry(true, vec![join]));
    assert_eq!(told("The steps of an entered command"), names(&steps));
}

#[test]
fn an_entered_command_lacks_whatever_the_process_lacks() {
    for init in [Init::Process, Init::Ours] {
        let program = program(&spec(init), parts(init));
        let process = program.inner.as_ref().unwrap_or(&program.outer);
        let entered = program.entered(entry(false, vec![]));
        for name in [
            "Umask",
            "Bounding",
            "Identity",
            "Capabilities",
            "NoNewPrivs",
            "Seccomp",
        ] {
            let of = |steps: &[Step]| {
                let found = steps.iter().find(|step| names([*step]) == [name]);
                found.cloned()
            };
            assert_eq!(of(&entered), of(process), "{init:?} {name}");
        }
    }
}

#[test]
fn what_we_do_not_hold_is_left_out_of_every_set() {
    let mut spec = spec(Init::Process);
    let all = CapabilitySet(0b1111);
    spec.capabilities = Capabilities {
        bounding: all,
        permitted: all,
        effective: all,
        inheritable: CapabilitySet(0b0111),
        ambient: all,
    };
    let mut parts = parts(Init::Process);
    parts.held = 0b1011;
    let program = program(&spec, parts);
    let sets = Step::Capabilities {
        permitted: 0b1011,
        effective: 0b1011,
        inheritable: 0b0011,
        ambient: 0b0011,
    };
    assert!(program.outer.contains(&sets), "{:?}", program.outer);
}

#[test]
fn a_network_of_its_own_is_made_by_the_clone() {
    let mut spec = spec(Init::Ours);
    let cloned = |spec: &Spec| program(spec, parts(Init::Ours)).clone;
    let without = cloned(&spec);
    spec.namespaces.net = Some(Network::Private);
    assert_eq!(cloned(&spec), without | libc::CLONE_NEWNET as u64);
    spec.namespaces.net = Some(Network::Join("/x".into()));
    assert_eq!(cloned(&spec), without);
}

#[test]
fn a_tree_that_is_no_slave_of_the_hosts_is_private() {
    let mut spec = spec(Init::Ours);
    spec.root = Root::Host {
        read_only: true,
        slave: false,
    };
    let steps = names(&program(&spec, parts(Init::Ours)).outer);
    assert!(steps.contains(&"PrivateMounts".to_owned()), "{steps:?}");
    assert!(!steps.contains(&"SlaveMounts".to_owned()), "{steps:?}");
}
