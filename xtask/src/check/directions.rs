//! Dependencies run one way, and only the plugin is asynchronous.
use std::collections::{BTreeMap, BTreeSet};

use crate::metadata::{Metadata, Package};

/// The arrows as the architecture draws them. An arrow may skip levels downward: what is reachable is allowed.
const DRAWN: &[(&str, &[&str])] = &[
    ("encamp", &["client", "plugin", "jobspec", "driver"]),
    ("client", &["jobspec", "cgroup", "driver"]),
    ("plugin", &["driver"]),
    ("driver", &["shim"]),
    ("shim", &["sandbox"]),
    ("sandbox", &["cgroup"]),
    ("cgroup", &[]),
    ("jobspec", &[]),
];

/// Members that are no part of the product.
const TOOLS: &[&str] = &["suite", "need", "probe", "benches", "xtask"];

/// The one of them that tests of the product's crates may use.
const FOR_TESTS: &str = "need";

/// What makes a crate asynchronous, with everything that begins with the name and a hyphen.
const ASYNCHRONOUS: &[&str] = &["tokio", "tonic", "prost"];

/// The one crate that may be.
const ASYNCHRONOUS_CRATE: &str = "plugin";

/// Checks arrows between the workspace's crates, and paths to the asynchronous ones.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    let product = || {
        metadata
            .own()
            .filter(|package| !TOOLS.contains(&package.name.as_str()))
    };
    for package in product() {
        found.extend(wrong_arrows(metadata, package));
        if package.name != ASYNCHRONOUS_CRATE {
            found.extend(asynchronous_path(metadata, package));
        }
    }
    let present: BTreeSet<_> = product().map(|package| package.name.as_str()).collect();
    found.extend(present.iter().filter(|name| reachable(name).is_none()).map(|name| {
        format!("crates/{name}: not drawn in xtask/src/check/directions.rs: say what it may depend on")
    }));
    found
}

/// Everything below a crate in the drawing; `None` for one that is not drawn.
fn reachable(name: &str) -> Option<BTreeSet<&'static str>> {
    let (_, direct) = DRAWN.iter().find(|(from, _)| *from == name)?;
    let below = direct.iter().filter_map(|to| reachable(to)).flatten();
    Some(below.chain(direct.iter().copied()).collect())
}

fn wrong_arrows(metadata: &Metadata, package: &Package) -> Vec<String> {
    let allowed = reachable(&package.name).unwrap_or_default();
    let own: BTreeMap<_, _> = metadata
        .own()
        .map(|package| (package.name.as_str(), package))
        .collect();
    package
        .dependencies
        .iter()
        .filter_map(|dependency| Some((dependency, metadata.packages.get(&dependency.id)?)))
        .filter(|(dependency, to)| !(dependency.only_dev && to.name == FOR_TESTS))
        .map(|(_, to)| to)
        .filter(|to| own.contains_key(to.name.as_str()) && !allowed.contains(to.name.as_str()))
        .map(|to| {
            format!(
                "crates/{}: depends on {}: no such arrow is drawn",
                package.name, to.name
            )
        })
        .collect()
}

/// The first path to an asynchronous crate that avoids the plugin; what only tests need does not count.
fn asynchronous_path(metadata: &Metadata, from: &Package) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![(from, from.name.clone())];
    while let Some((package, path)) = open.pop() {
        if is_asynchronous(&package.name) {
            return Some(format!(
                "crates/{}: reaches {} without {ASYNCHRONOUS_CRATE}: {path}",
                from.name, package.name
            ));
        }
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| !dependency.only_dev)
        {
            let Some(next) = metadata.packages.get(&dependency.id) else {
                continue;
            };
            if next.name != ASYNCHRONOUS_CRATE && seen.insert(&dependency.id) {
                open.push((next, format!("{path} → {}", next.name)));
            }
        }
    }
    None
}

fn is_asynchronous(name: &str) -> bool {
    ASYNCHRONOUS.iter().any(|banned| {
        name == *banned
            || name
                .strip_prefix(banned)
                .is_some_and(|rest| rest.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::metadata::samples::{graph, outside};

    #[test]
    fn the_drawing_itself_is_allowed() {
        let metadata = graph(&[
            "encamp: client plugin jobspec driver",
            "client: jobspec cgroup driver",
            "plugin: driver",
            "driver: shim sandbox cgroup",
            "shim: sandbox cgroup",
            "sandbox: cgroup",
            "cgroup:",
            "jobspec:",
            "suite: client plugin",
        ]);
        assert_eq!(check(&metadata), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_upward_is_found() {
        let found = check(&graph(&["driver: client", "client:"]));
        assert_eq!(
            found,
            ["crates/driver: depends on client: no such arrow is drawn"]
        );
    }

    #[test]
    fn plugin_and_client_are_strangers() {
        assert_eq!(check(&graph(&["plugin: client", "client:"])).len(), 1);
        assert_eq!(check(&graph(&["plugin:", "client: plugin"])).len(), 1);
    }

    #[test]
    fn an_arrow_upward_for_tests_only_is_found_too() {
        assert_eq!(check(&graph(&["cgroup: sandbox?", "sandbox:"])).len(), 1);
    }

    #[test]
    fn a_crate_that_nobody_drew_is_found() {
        let found = check(&graph(&["surprise:"]));
        assert!(
            found[0].starts_with("crates/surprise: not drawn"),
            "{found:?}"
        );
    }

    #[test]
    fn tokio_through_a_stranger_is_found() {
        let mut metadata = graph(&["client: reqwest", "plugin: tokio", "encamp: plugin"]);
        outside(&mut metadata, "reqwest: tokio");
        outside(&mut metadata, "tokio:");
        assert_eq!(
            check(&metadata),
            ["crates/client: reaches tokio without plugin: client → reqwest → tokio"]
        );
    }

    #[test]
    fn prost_types_counts_as_prost_and_tokens_do_not_count_as_tokio() {
        let mut metadata = graph(&["driver: prost-types", "client: tokiox"]);
        outside(&mut metadata, "prost-types:");
        outside(&mut metadata, "tokiox:");
        assert_eq!(check(&metadata).len(), 1);
    }

    #[test]
    fn tokio_for_tests_only_is_allowed() {
        let mut metadata = graph(&["client: tokio?"]);
        outside(&mut metadata, "tokio:");
        assert_eq!(check(&metadata), Vec::<String>::new());
    }
}
