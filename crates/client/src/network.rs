//! What the tasks of a group have of the network: which one, what its ports are called, and its names.
use std::path::{Path, PathBuf};

use driver::task_config::{Dns, Hosts, NetworkIsolation, NetworkMode, Port};
use jobspec::{Group, Network};

use crate::error::{Attempt, HostError};
use crate::ports::Mapping;

/// Below a run's own directory: where the network namespace of its group is bound.
const NAMESPACE: &str = "netns";

/// Whether the group has a network namespace of its own, which all its tasks share.
pub(crate) fn has_namespace(group: &Group) -> bool {
    let mode = group.network.as_ref().map(|network| network.mode);
    mode == Some(jobspec::NetworkMode::None)
}

/// Makes the namespace, if the group has one.
pub(crate) fn make(group: &Group, run_dir: &Path) -> Result<(), HostError> {
    if !has_namespace(group) {
        return Ok(());
    }
    sandbox::network::make(&namespace(run_dir))
        .map_err(std::io::Error::other)
        .attempt(|| format!("give group {:?} a network of its own", group.name))
}

fn namespace(run_dir: &Path) -> PathBuf {
    run_dir.join(NAMESPACE)
}

/// What a driver is told of the namespace and of the host name; names in it are looked up by `known`.
pub(crate) fn isolation(
    group: &Group,
    run_dir: &Path,
    known: impl Fn(&str) -> String,
) -> Option<NetworkIsolation> {
    let network = group.network.as_ref()?;
    let hosts = hosts(network, known);
    match network.mode {
        jobspec::NetworkMode::Host if hosts.is_none() => None,
        jobspec::NetworkMode::Host => Some(NetworkIsolation {
            mode: NetworkMode::Host,
            hosts,
            ..NetworkIsolation::default()
        }),
        // Nomad's client, too, makes it and calls it the group's.
        jobspec::NetworkMode::None => Some(NetworkIsolation {
            mode: NetworkMode::Group,
            path: namespace(run_dir),
            hosts,
            ..NetworkIsolation::default()
        }),
    }
}

fn hosts(network: &Network, known: impl Fn(&str) -> String) -> Option<Hosts> {
    let hostname = network.hostname.as_ref()?;
    Some(Hosts {
        hostname: known(&hostname.value),
        address: String::new(),
    })
}

/// `dns`, with names looked up.
pub(crate) fn dns(group: &Group, known: impl Fn(&str) -> String) -> Option<Dns> {
    let given = group.network.as_ref()?.dns.as_ref()?;
    let list = |texts: &[String]| texts.iter().map(|text| known(text)).collect();
    Some(Dns {
        servers: list(&given.servers),
        searches: list(&given.searches),
        options: list(&given.options),
    })
}

/// The ports as a driver is told them.
pub(crate) fn mappings(ports: &[Mapping]) -> Vec<Port> {
    let one = |port: &Mapping| Port {
        label: port.label.clone(),
        value: port.value.into(),
        to: port.to.into(),
        host_ip: port.host_ip.to_string(),
    };
    ports.iter().map(one).collect()
}

/// `NOMAD_PORT_…` and its like. Addresses are those on the host, whatever `to` says.
pub(crate) fn variables(ports: &[Mapping]) -> impl Iterator<Item = (String, String)> {
    ports.iter().flat_map(|port| {
        let (ip, address) = (port.host_ip.to_string(), port.address().to_string());
        let inside = port.inside().to_string();
        let named = |prefix: &str, value: &str| {
            (format!("NOMAD_{prefix}_{}", port.label), value.to_owned())
        };
        [
            named("ADDR", &address),
            named("HOST_ADDR", &address),
            named("IP", &ip),
            named("HOST_IP", &ip),
            named("PORT", &inside),
            named("ALLOC_PORT", &inside),
            named("HOST_PORT", &port.value.to_string()),
        ]
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;
    use std::net::Ipv6Addr;
    use std::os::unix::fs::MetadataExt;

    use jobspec::Spanned;

    use super::*;
    use crate::samples;
    use crate::testing::{Scratch, root};

    fn group(mode: jobspec::NetworkMode, hostname: Option<&str>) -> Group {
        let mut group = samples::job().groups.remove(0);
        group.network = Some(Network {
            span: 0..1,
            mode,
            ports: vec![],
            dns: Some(jobspec::Dns {
                servers: vec!["${x}".to_owned()],
                ..jobspec::Dns::default()
            }),
            hostname: hostname.map(|name| Spanned {
                value: name.to_owned(),
                span: 0..1,
            }),
        });
        group
    }

    fn told(group: &Group) -> Option<NetworkIsolation> {
        isolation(group, Path::new("/run/encamp/1"), |text| {
            format!("<{text}>")
        })
    }

    #[test]
    fn only_mode_none_has_a_namespace() {
        let none = group(jobspec::NetworkMode::None, None);
        assert!(has_namespace(&none));
        let isolation = told(&none).unwrap();
        assert_eq!(isolation.mode, NetworkMode::Group);
        assert_eq!(isolation.path, Path::new("/run/encamp/1/netns"));
        let host = group(jobspec::NetworkMode::Host, None);
        assert!(!has_namespace(&host));
        assert_eq!(told(&host), None);
        assert_eq!(told(&samples::job().groups[0]), None);
    }

    #[test]
    fn a_namespace_is_there_until_it_is_detached() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        make(&samples::job().groups[0], scratch.path()).unwrap();
        assert!(!namespace(scratch.path()).exists());
        let group = group(jobspec::NetworkMode::None, None);
        make(&group, scratch.path()).unwrap();
        let own = inode(Path::new("/proc/self/ns/net"));
        assert_ne!(inode(&namespace(scratch.path())), own);
        assert!(make(&group, scratch.path()).is_err(), "it is there");
        crate::mounts::detach_below(scratch.path()).unwrap();
        std::fs::remove_file(namespace(scratch.path())).unwrap();
    }

    #[test]
    fn a_host_name_is_told_in_every_mode() {
        for mode in [jobspec::NetworkMode::Host, jobspec::NetworkMode::None] {
            let isolation = told(&group(mode, Some("web"))).unwrap();
            assert_eq!(isolation.hosts.unwrap().hostname, "<web>");
        }
    }

    #[test]
    fn names_in_dns_are_looked_up() {
        let group = group(jobspec::NetworkMode::Host, None);
        let dns = dns(&group, |text| text.replace("${x}", "10.0.0.1")).unwrap();
        assert_eq!(dns.servers, ["10.0.0.1"]);
    }

    #[test]
    fn a_port_has_its_names() {
        let port = Mapping {
            label: "http".to_owned(),
            value: 8080,
            to: 80,
            host_ip: Ipv6Addr::LOCALHOST.into(),
        };
        let found: BTreeMap<String, String> = variables(std::slice::from_ref(&port)).collect();
        let pairs = [
            ("NOMAD_ADDR_http", "[::1]:8080"),
            ("NOMAD_ALLOC_PORT_http", "80"),
            ("NOMAD_HOST_ADDR_http", "[::1]:8080"),
            ("NOMAD_HOST_IP_http", "::1"),
            ("NOMAD_HOST_PORT_http", "8080"),
            ("NOMAD_IP_http", "::1"),
            ("NOMAD_PORT_http", "80"),
        ];
        let expected = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
        assert_eq!(mappings(&[port])[0].host_ip, "::1");
    }
}
