//! Addresses of the network namespace, from the kernel's routing table of local ones.
use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv6Addr;

/// Every address, sorted as text.
pub(crate) fn addresses() -> BTreeSet<String> {
    let mut addresses = v4();
    addresses.extend(v6());
    addresses
}

/// From `/proc/net/fib_trie`: an address above its line `/32 host LOCAL`.
fn v4() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[1] == "/32 host LOCAL")
        .filter_map(|pair| pair[0].strip_prefix("|-- ").map(str::to_owned))
        .collect()
}

/// From `/proc/net/if_inet6` (proc_pid_net(5)), without those that every device makes for itself.
fn v6() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    text.lines()
        .filter_map(|line| u128::from_str_radix(line.split(' ').next()?, 16).ok())
        .map(Ipv6Addr::from)
        .filter(|address| !address.is_unicast_link_local())
        .map(|address| address.to_string())
        .collect()
}
