//! Formulas, and what is written to trees of plain files.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
use super::*;
use std::fs;
use std::path::Path;

fn quota(quota_usec: u64, period_usec: u64) -> Quota {
    Quota {
        quota_usec,
        period_usec,
    }
}

/// A directory of interface files with these texts.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        Tree(dir)
    }

    fn v2(&self) -> Paths {
        Paths {
            unified: Some(self.0.path().to_owned()),
            ..Paths::default()
        }
    }

    /// All v1 controllers in one directory.
    fn v1(&self) -> Paths {
        let v1 = Controller::ALL
            .into_iter()
            .map(|controller| (controller, self.0.path().to_owned()));
        Paths {
            v1: v1.collect(),
            ..Paths::default()
        }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }
}

const V1_MEMORY: [(&str, &str); 4] = [
    ("memory.limit_in_bytes", "9223372036854771712\n"),
    ("memory.memsw.limit_in_bytes", "9223372036854771712\n"),
    ("memory.soft_limit_in_bytes", "9223372036854771712\n"),
    ("memory.swappiness", "60\n"),
];

#[test]
fn shares_become_weights_on_runcs_curve() {
    let known = [
        (0, 1),
        (2, 1),
        (100, 17),
        (1024, 100),
        (262_143, 10_000),
        (262_144, 10_000),
        (u64::MAX, 10_000),
    ];
    for (shares, expected) in known {
        assert_eq!(weight(shares), expected, "{shares}");
    }
    let all: Vec<_> = (0..=262_144).map(weight).collect();
    assert!(all.is_sorted() && all.iter().all(|weight| (1..=10_000).contains(weight)));
}

#[test]
fn quotas_of_a_millisecond_and_more_are_taken_as_they_are() {
    for same in [
        quota(1_000, 100_000),
        quota(5_000, 100_000),
        quota(400_000, 100_000),
        quota(1_000, 1_000),
    ] {
        assert_eq!(accepted(same), same);
    }
}

#[test]
fn short_quotas_keep_their_share_of_a_longer_period() {
    assert_eq!(accepted(quota(500, 100_000)), quota(1_000, 200_000));
    assert_eq!(accepted(quota(300, 100_000)), quota(1_200, 400_000));
    assert_eq!(accepted(quota(100, 100_000)), quota(1_000, 1_000_000));
    assert_eq!(accepted(quota(50, 50)), quota(1_000, 1_000));
}

#[test]
fn quotas_too_short_for_the_longest_period_are_raised() {
    for short in [
        quota(0, 100_000),
        quota(1, 100_000),
        quota(99, 100_000),
        quota(0, 0),
    ] {
        let Quota {
            quota_usec,
            period_usec,
        } = accepted(short);
        assert_eq!(quota_usec, 1_000, "{short:?}");
        assert!((1_000..=1_000_000).contains(&period_usec), "{short:?}");
    }
    assert_eq!(
        accepted(quota(2_000_000, 4_000_000)),
        quota(500_000, 1_000_000)
    );
}

#[test]
fn limits_are_written_in_v2_words() {
    let files = [
        "memory.max",
        "memory.low",
        "memory.swap.max",
        "memory.oom.group",
        "cpu.weight",
        "cpu.max",
    ];
    let tree = Tree::new(&files.map(|name| (name, "")));
    fs::write(tree.0.path().join("pids.max"), "").unwrap();
    fs::write(tree.0.path().join("cpuset.cpus"), "").unwrap();
    let limits = Limits {
        memory_max_bytes: Some(Bound::Unlimited),
        memory_low_bytes: Some(1 << 20),
        swap_max_bytes: Some(Bound::At(0)),
        cpu_shares: Some(100),
        cpu_quota: Some(quota(8_333, 100_000)),
        cpuset_cpus: Some("1,2".into()),
        pids_max: Some(Bound::At(64)),
        oom_group: Some(true),
        devices: None,
    };
    assert_eq!(apply(&tree.v2(), &limits).unwrap(), []);
    let written = files.map(|name| tree.text(name));
    assert_eq!(written, ["max", "1048576", "0", "1", "17", "8333 100000"]);
    assert_eq!(
        (tree.text("pids.max"), tree.text("cpuset.cpus")),
        ("64".into(), "1,2".into())
    );
}

#[test]
fn nothing_asked_is_nothing_written() {
    let tree = Tree::new(&[("memory.max", "old"), ("cpu.max", "old")]);
    assert_eq!(apply(&tree.v2(), &Limits::default()).unwrap(), []);
    assert_eq!(
        (tree.text("memory.max"), tree.text("cpu.max")),
        ("old".into(), "old".into())
    );
    let tree = Tree::new(&V1_MEMORY);
    assert_eq!(apply(&tree.v1(), &Limits::default()).unwrap(), []);
    assert_eq!(
        V1_MEMORY.map(|(name, _)| tree.text(name)),
        V1_MEMORY.map(|(_, text)| text)
    );
}

#[test]
fn a_boundary_without_a_file_is_an_error_that_names_it() {
    let tree = Tree::new(&[]);
    let cases = [
        (
            Limits {
                memory_max_bytes: Some(Bound::At(1)),
                ..Limits::default()
            },
            "memory.max = 1",
        ),
        (
            Limits {
                pids_max: Some(Bound::At(1)),
                ..Limits::default()
            },
            "pids.max = 1",
        ),
        (
            Limits {
                cpuset_cpus: Some("0".into()),
                ..Limits::default()
            },
            "cpuset.cpus = 0",
        ),
        (
            Limits {
                cpu_quota: Some(quota(1_000, 100_000)),
                ..Limits::default()
            },
            "cpu.max = 1000 100000",
        ),
    ];
    for (limits, expected) in cases {
        let error = apply(&tree.v2(), &limits).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("write {expected} to ")),
            "{error}"
        );
    }
}

#[test]
fn a_nicety_without_a_file_is_a_refusal() {
    let tree = Tree::new(&[]);
    let limits = Limits {
        memory_low_bytes: Some(1),
        swap_max_bytes: Some(Bound::At(0)),
        oom_group: Some(true),
        cpu_shares: Some(100),
        ..Limits::default()
    };
    let refused: Vec<_> = apply(&tree.v2(), &limits)
        .unwrap()
        .into_iter()
        .map(|refusal| refusal.file)
        .collect();
    assert_eq!(
        refused,
        [
            "memory.low",
            "memory.swap.max",
            "memory.oom.group",
            "cpu.weight"
        ]
    );
    let limits = Limits {
        swap_max_bytes: Some(Bound::Unlimited),
        ..Limits::default()
    };
    assert_eq!(apply(&tree.v2(), &limits).unwrap(), []);
}

#[test]
fn limits_are_written_in_v1_words() {
    let tree = Tree::new(&V1_MEMORY);
    for name in ["cpu.shares", "cpu.cfs_quota_us", "pids.max", "cpuset.cpus"] {
        fs::write(tree.0.path().join(name), "").unwrap();
    }
    fs::write(tree.0.path().join("cpu.cfs_period_us"), "100000\n").unwrap();
    let limits = Limits {
        memory_max_bytes: Some(Bound::At(64 << 20)),
        memory_low_bytes: Some(0),
        swap_max_bytes: Some(Bound::At(1 << 20)),
        cpu_shares: Some(100),
        cpu_quota: Some(quota(100, 100_000)),
        cpuset_cpus: Some("0".into()),
        pids_max: Some(Bound::Unlimited),
        oom_group: Some(true),
        devices: None,
    };
    let refused = apply(&tree.v1(), &limits).unwrap();
    assert_eq!(
        refused
            .into_iter()
            .map(|refusal| refusal.file)
            .collect::<Vec<_>>(),
        ["memory.oom.group"]
    );
    assert_eq!(
        V1_MEMORY.map(|(name, _)| tree.text(name)),
        ["67108864", "68157440", "-1", "0"]
    );
    let written = [
        "cpu.shares",
        "cpu.cfs_quota_us",
        "cpu.cfs_period_us",
        "pids.max",
        "cpuset.cpus",
    ];
    assert_eq!(
        written.map(|name| tree.text(name)),
        ["100", "1000", "1000000", "max", "0"]
    );
}

#[test]
fn a_larger_memory_limit_lifts_an_old_limit_with_swap() {
    let old = [
        ("memory.limit_in_bytes", "1048576\n"),
        ("memory.memsw.limit_in_bytes", "2097152\n"),
    ];
    for (bound, limit, sum) in [
        (Bound::At(1 << 21), "2097152", "2097152\n"),
        (Bound::At(1 << 22), "4194304", "-1"),
        (Bound::Unlimited, "-1", "-1"),
    ] {
        let tree = Tree::new(&old);
        let limits = Limits {
            memory_max_bytes: Some(bound),
            ..Limits::default()
        };
        assert_eq!(apply(&tree.v1(), &limits).unwrap(), []);
        assert_eq!(tree.text("memory.limit_in_bytes"), limit);
        assert_eq!(tree.text("memory.memsw.limit_in_bytes"), sum);
    }
}

#[test]
fn swap_alone_is_added_to_the_limit_that_is_there() {
    let tree = Tree::new(&[
        ("memory.limit_in_bytes", "1048576\n"),
        ("memory.memsw.limit_in_bytes", "1048576\n"),
    ]);
    let limits = Limits {
        swap_max_bytes: Some(Bound::At(4096)),
        ..Limits::default()
    };
    assert_eq!(apply(&tree.v1(), &limits).unwrap(), []);
    assert_eq!(tree.text("memory.memsw.limit_in_bytes"), "1052672");
    assert_eq!(tree.text("memory.limit_in_bytes"), "1048576\n");
}

#[test]
fn without_swap_accounting_a_swap_limit_is_refused_and_memory_taken() {
    let tree = Tree::new(&V1_MEMORY[..1]);
    let limits = Limits {
        memory_max_bytes: Some(Bound::At(4096)),
        swap_max_bytes: Some(Bound::At(0)),
        ..Limits::default()
    };
    let refused = apply(&tree.v1(), &limits).unwrap();
    assert_eq!(refused[0].file, "memory.memsw.limit_in_bytes");
    assert_eq!(tree.text("memory.limit_in_bytes"), "4096");
}

#[test]
fn nothing_is_written_to_a_shared_cpuset() {
    let tree = Tree::new(&[("cpuset.cpus", "0-3")]);
    let paths = Paths {
        v1: [(Controller::Cpu, Path::new("/nowhere/cpu/x").to_owned())].into(),
        shared: [(Controller::Cpuset, tree.0.path().to_owned())].into(),
        ..Paths::default()
    };
    let limits = Limits {
        cpuset_cpus: Some("1".into()),
        ..Limits::default()
    };
    let error = apply(&paths, &limits).unwrap_err().to_string();
    assert!(error.contains("no cpuset directory of its own"), "{error}");
    assert_eq!(tree.text("cpuset.cpus"), "0-3");
}
