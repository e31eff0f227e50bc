//! The address that tasks are told for their ports.
use std::net::{IpAddr, Ipv4Addr};

/// The configured interface's; else the loopback device's, where nobody else can reach a task by accident.
pub(crate) fn of(interface: Option<&str>) -> Result<IpAddr, String> {
    match interface {
        Some(interface) => of_interface(interface),
        None => Ok(Ipv4Addr::LOCALHOST.into()),
    }
}

/// The first address of an interface, IPv4 before IPv6.
fn of_interface(name: &str) -> Result<IpAddr, String> {
    let all = if_addrs::get_if_addrs()
        .map_err(|error| format!("this host's addresses cannot be read: {error}"))?;
    let mut own: Vec<IpAddr> = all
        .iter()
        .filter(|interface| interface.name == name)
        .map(if_addrs::Interface::ip)
        .collect();
    own.sort_by_key(IpAddr::is_ipv6);
    own.into_iter().next().ok_or_else(|| {
        let mut names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        names.dedup();
        format!(
            "this host has no interface {name:?} with an address, only {}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tasks_are_told_the_loopback_device_unless_configured_otherwise() {
        assert_eq!(of(None).unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(of(Some("lo")).unwrap(), Ipv4Addr::LOCALHOST);
        assert!(of(Some("nosuch0")).is_err());
    }
}
