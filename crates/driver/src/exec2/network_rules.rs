//! `network_rules`: TCP ports that a task may bind and connect to.
//!
//! Once there is an entry, what no entry names is refused. One rule of the kernel's is spent on each port.
use std::ops::RangeInclusive;

use sandbox::spec::Ports;

/// Every task pays for them at its start, with a system call and some kernel memory each.
const MOST_PORTS: usize = 4096;

/// Nothing may be bound or connected to.
const NONE: &str = "none";

/// Ranges of one kind; `None`: any.
type Ranges = Option<Vec<RangeInclusive<u16>>>;

/// What a port is used for.
enum Kind {
    Bind,
    Connect,
}

/// What a list of entries comes to; an empty list limits nothing.
pub(crate) fn parse(entries: &[String]) -> Result<Option<Ports>, String> {
    if entries.is_empty() {
        return Ok(None);
    }
    let mut network = Ports {
        bind: Some(Vec::new()),
        connect: Some(Vec::new()),
    };
    for text in entries.iter().filter(|entry| *entry != NONE) {
        let (kind, range) = entry(text).ok_or_else(|| malformed(text))?;
        let ports = match kind {
            Kind::Bind => &mut network.bind,
            Kind::Connect => &mut network.connect,
        };
        match (range, ports.as_mut()) {
            (None, _) => *ports = None,
            (Some(range), Some(ports)) => ports.push(range),
            // Any port it is already.
            (Some(_), None) => {}
        }
    }
    if entries.len() > 1 && entries.iter().any(|entry| entry == NONE) {
        return Err(format!(
            "network_rules has {NONE:?} beside other entries: it stands alone"
        ));
    }
    network.bind = network.bind.map(joined);
    network.connect = network.connect.map(joined);
    within_bounds(network).map(Some)
}

/// What a task gets under an operator's rules: its own, which may not go beyond them. `None`: nothing is limited.
pub(crate) fn under(
    operator: Option<&Ports>,
    task: Option<Ports>,
) -> Result<Option<Ports>, String> {
    let (Some(operator), Some(task)) = (operator, &task) else {
        return Ok(task.or_else(|| operator.cloned()).filter(is_limit));
    };
    for (kind, allowed, wanted) in [
        ("bind", &operator.bind, &task.bind),
        ("connect", &operator.connect, &task.connect),
    ] {
        if let Some(excess) = excess(allowed, wanted) {
            return Err(format!(
                "task set network_rules {kind}:{excess} but driver config does not allow this"
            ));
        }
    }
    Ok(Some(task.clone()).filter(is_limit))
}

fn is_limit(network: &Ports) -> bool {
    network.bind.is_some() || network.connect.is_some()
}

fn malformed(entry: &str) -> String {
    format!(
        "network_rules entry {entry:?} is none of \"bind:PORT\", \"connect:PORT\", a range such as \"connect:8000-8010\", \"bind:*\" or \"connect:*\" for any port, and \"{NONE}\""
    )
}

/// `bind:` or `connect:` and a range; no range is any port.
fn entry(text: &str) -> Option<(Kind, Option<RangeInclusive<u16>>)> {
    let (kind, ports) = text.split_once(':')?;
    let kind = match kind {
        "bind" => Kind::Bind,
        "connect" => Kind::Connect,
        _ => return None,
    };
    match ports {
        "*" => Some((kind, None)),
        ports => Some((kind, Some(range(ports)?))),
    }
}

/// `80` or `8000-8010`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..=last)
}

/// Digits alone: no sign.
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// In order, those that touch as one.
fn joined(mut ranges: Vec<RangeInclusive<u16>>) -> Vec<RangeInclusive<u16>> {
    ranges.sort_by_key(|range| *range.start());
    let mut joined: Vec<RangeInclusive<u16>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if u32::from(*range.start()) <= u32::from(*last.end()) + 1 => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => joined.push(range),
        }
    }
    joined
}

fn within_bounds(network: Ports) -> Result<Ports, String> {
    let ranges = [&network.bind, &network.connect];
    let count: usize = ranges
        .iter()
        .flat_map(|ports| ports.iter().flatten())
        .map(|range| range.clone().count())
        .sum();
    if count > MOST_PORTS {
        return Err(format!(
            "network_rules name {count} ports, {MOST_PORTS} are the most: \"bind:*\" and \"connect:*\" are any port"
        ));
    }
    Ok(network)
}

/// What is wanted and not allowed, as it is written.
fn excess(allowed: &Ranges, wanted: &Ranges) -> Option<String> {
    let Some(allowed) = allowed else {
        return None;
    };
    let Some(wanted) = wanted else {
        return Some("*".to_owned());
    };
    let inside = |range: &RangeInclusive<u16>| {
        let holds =
            |one: &RangeInclusive<u16>| one.contains(range.start()) && one.contains(range.end());
        allowed.iter().any(holds)
    };
    let range = wanted.iter().find(|range| !inside(range))?;
    Some(match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn parsed(text: &str) -> Result<Option<Ports>, String> {
        parse(&list(text))
    }

    #[test]
    fn without_entries_nothing_is_limited() {
        assert_eq!(parsed(""), Ok(None));
        assert_eq!(under(None, None), Ok(None));
        assert_eq!(under(None, parsed("bind:* connect:*").unwrap()), Ok(None));
    }

    #[test]
    fn what_no_entry_names_is_refused() {
        let network = |bind, connect| Ok(Some(Ports { bind, connect }));
        assert_eq!(parsed("none"), network(Some(vec![]), Some(vec![])));
        assert_eq!(
            parsed("bind:80"),
            network(Some(vec![80..=80]), Some(vec![]))
        );
        assert_eq!(parsed("bind:0 connect:*"), network(Some(vec![0..=0]), None));
        assert_eq!(parsed("connect:443 connect:* bind:*"), network(None, None));
    }

    #[test]
    fn ranges_are_put_in_order_and_joined() {
        let connect = |text| parsed(text).unwrap().unwrap().connect.unwrap();
        assert_eq!(
            connect("connect:90 connect:10-20 connect:15-30 connect:31 connect:65535"),
            [10..=31, 90..=90, 65535..=65535]
        );
        assert_eq!(connect("connect:65535 connect:65530-65535").len(), 1);
    }

    #[test]
    fn what_is_no_entry_is_told() {
        for text in [
            "80",
            "tcp:80",
            "bind:",
            "bind:x",
            "bind:+80",
            "bind:-1",
            "bind:65536",
            "bind:9-8",
            "bind:1-2-3",
            "BIND:80",
            "connect:* connect:x",
            "nothing",
        ] {
            let told = parsed(text).unwrap_err();
            assert!(told.contains("network_rules entry"), "{text}: {told}");
        }
        assert!(parsed("none bind:80").unwrap_err().contains("stands alone"));
        assert!(parsed("bind:1-4096").is_ok());
        let told = parsed("bind:1-4096 connect:1").unwrap_err();
        assert!(told.contains("4097 ports, 4096 are the most"), "{told}");
    }

    #[test]
    fn a_task_stays_within_the_operators_rules() {
        let operator = parsed("bind:8000-8010 connect:*").unwrap();
        let told = |text: &str| under(operator.as_ref(), parsed(text).unwrap());
        assert_eq!(told(""), Ok(operator.clone()));
        assert_eq!(
            told("bind:8005 connect:443"),
            parsed("bind:8005 connect:443")
        );
        for (text, excess) in [
            ("bind:80", "bind:80"),
            ("bind:8005-8011", "bind:8005-8011"),
            ("bind:*", "bind:*"),
        ] {
            assert_eq!(
                told(text),
                Err(format!(
                    "task set network_rules {excess} but driver config does not allow this"
                ))
            );
        }
    }
}
