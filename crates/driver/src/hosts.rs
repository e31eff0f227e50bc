//! The host name of an allocation, and the files that say it: hosts(5), hostname(5).
use std::net::IpAddr;

use crate::api::StartError;
use crate::lower::value;
use crate::task_config::{Hosts, TaskConfig};

/// `HOST_NAME_MAX`.
const LONGEST: usize = 64;

/// What every hosts file begins with, as Docker's.
const LOOPBACK: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// Where a host name without an address of its own leads: the host's loopback device, as Debian has it.
const OWN: &str = "127.0.1.1";

/// The host name; `None`: the host's.
pub(crate) fn hostname(task: &TaskConfig) -> Result<Option<String>, StartError> {
    let Some(hosts) = given(task) else {
        return Ok(None);
    };
    let name = &hosts.hostname;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
    if name.len() > LONGEST || !name.chars().all(plain) || name.starts_with(['-', '.']) {
        let message = format!(
            "host name {name:?} is not one: up to {LONGEST} letters, digits, - and ., beginning with a letter or a digit"
        );
        return Err(value("hosts_config", message));
    }
    Ok(Some(name.clone()))
}

/// The hosts file; `None`: the host's.
pub(crate) fn file(task: &TaskConfig) -> Result<Option<String>, StartError> {
    let Some(name) = hostname(task)? else {
        return Ok(None);
    };
    let address = given(task).map_or("", |hosts| &hosts.address);
    let address = if address.is_empty() { OWN } else { address };
    if address.parse::<IpAddr>().is_err() {
        let message = format!("the address {address:?} of host name {name:?} is not an IP address");
        return Err(value("hosts_config", message));
    }
    Ok(Some(format!("{LOOPBACK}{address}\t{name}\n")))
}

/// An address without a name says nothing.
fn given(task: &TaskConfig) -> Option<&Hosts> {
    let hosts = task.network_isolation.as_ref()?.hosts.as_ref()?;
    (!hosts.hostname.is_empty()).then_some(hosts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::task_config::NetworkIsolation;

    fn task(hostname: &str, address: &str) -> TaskConfig {
        let hosts = Hosts {
            hostname: hostname.to_owned(),
            address: address.to_owned(),
        };
        TaskConfig {
            network_isolation: Some(NetworkIsolation {
                hosts: Some(hosts),
                ..NetworkIsolation::default()
            }),
            ..TaskConfig::default()
        }
    }

    #[test]
    fn the_name_stands_after_localhost_with_its_address() {
        let text = file(&task("web-1.example", "10.1.2.3")).unwrap().unwrap();
        assert!(text.starts_with("127.0.0.1\tlocalhost\n::1\t"), "{text}");
        assert!(text.ends_with("\n10.1.2.3\tweb-1.example\n"), "{text}");
        let alone = file(&task("web", "")).unwrap().unwrap();
        assert!(alone.ends_with("\n127.0.1.1\tweb\n"), "{alone}");
        assert_eq!(file(&task("", "10.1.2.3")).unwrap(), None);
        assert_eq!(hostname(&TaskConfig::default()).unwrap(), None);
    }

    #[test]
    fn what_is_no_name_or_no_address_is_refused() {
        let long = "x".repeat(65);
        for name in ["a b", "a\nb", "-a", ".", "ä", "a/b", &long] {
            assert!(hostname(&task(name, "10.1.2.3")).is_err(), "{name:?}");
        }
        for address in ["10.1.2", "x", "10.1.2.3\n6.6.6.6 evil", "10.1.2.3/24"] {
            assert!(file(&task("web", address)).is_err(), "{address:?}");
        }
    }
}
