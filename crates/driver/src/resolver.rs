//! `/etc/resolv.conf` of a task: resolv.conf(5).
use std::net::IpAddr;

use crate::api::StartError;
use crate::lower::value;
use crate::task_config::Dns;

/// The host's file, and the one behind systemd's stub, which listens on the host's loopback device only.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Where systemd's stub listens (systemd-resolved.service(8)).
const STUB: &str = "127.0.0.53";

/// What the host's files say; nothing where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resolver {
    own: String,
    upstream: Option<String>,
}

impl Resolver {
    /// Reads both.
    pub(crate) fn of_host() -> Resolver {
        let [own, upstream] = FILES.map(|path| std::fs::read_to_string(path).ok());
        Resolver {
            own: own.unwrap_or_default(),
            upstream,
        }
    }

    /// The file of a task; `None`: the host's, as it shows in the task's tree.
    pub(crate) fn file(
        &self,
        dns: Option<&Dns>,
        isolated: bool,
    ) -> Result<Option<String>, StartError> {
        match dns {
            Some(dns) => file(dns, self.system()).map(Some),
            // In another network nobody listens where the host's resolver does.
            None if isolated && loopback_only(&self.own) => Ok(self.upstream.clone()),
            None => Ok(None),
        }
    }

    /// Nomad's "system file".
    fn system(&self) -> &str {
        match &self.upstream {
            Some(upstream) if values(&self.own, "nameserver") == [STUB] => upstream,
            _ => &self.own,
        }
    }
}

/// What of each kind is left out comes from the system's file; without any of them the file is a copy.
fn file(dns: &Dns, system: &str) -> Result<String, StartError> {
    for word in [&dns.servers, &dns.searches, &dns.options]
        .into_iter()
        .flatten()
    {
        // More than one word would be more than one entry, more than one line anything.
        if word.is_empty() || word.contains(|letter: char| letter.is_whitespace() || letter == '\0')
        {
            return Err(value(
                "dns",
                format!("network.dns has the entry {word:?}, which is not one word"),
            ));
        }
    }
    if *dns == Dns::default() {
        return Ok(system.to_owned());
    }
    let given = |list: &[String], name| match list {
        [] => last(system, name),
        list => list.join(" "),
    };
    let servers = match dns.servers.as_slice() {
        [] => values(system, "nameserver"),
        list => list.iter().map(String::as_str).collect(),
    };
    let mut text = String::new();
    // A single dot says that there is no search list.
    line(
        &mut text,
        "search",
        Some(given(&dns.searches, "search")).filter(|list| list != "."),
    );
    for server in servers {
        line(&mut text, "nameserver", Some(server.to_owned()));
    }
    line(&mut text, "options", Some(given(&dns.options, "options")));
    Ok(text)
}

fn line(text: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        *text += &format!("{name} {value}\n");
    }
}

/// The values of all lines of a kind.
fn values<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| {
            let (word, rest) = line.trim().split_once([' ', '\t'])?;
            // What follows an address is a comment.
            let rest = rest.split(['#', ';']).next()?.trim();
            (word == name && !rest.is_empty()).then_some(rest)
        })
        .collect()
}

/// Of several `search` or `options` lines the last counts.
fn last(text: &str, name: &str) -> String {
    let words = values(text, name)
        .last()
        .map(|rest| rest.split_whitespace());
    words
        .map(|words| words.collect::<Vec<_>>().join(" "))
        .unwrap_or_default()
}

fn loopback_only(text: &str) -> bool {
    let servers = values(text, "nameserver");
    let loopback = |server: &&str| {
        server
            .parse::<IpAddr>()
            .is_ok_and(|server| server.is_loopback())
    };
    !servers.is_empty() && servers.iter().all(loopback)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SYSTEM: &str = "# a comment\nsearch old\nnameserver 10.0.0.1 # one\nnameserver\t10.0.0.2\nsearch a.example  b.example\noptions ndots:2 rotate\n";
    const STUBBED: &str = "nameserver 127.0.0.53\noptions edns0\n";

    fn dns(servers: &[&str], searches: &[&str], options: &[&str]) -> Dns {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Dns {
            servers: list(servers),
            searches: list(searches),
            options: list(options),
        }
    }

    fn host(own: &str, upstream: Option<&str>) -> Resolver {
        Resolver {
            own: own.to_owned(),
            upstream: upstream.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_left_out_comes_from_the_system() {
        let cases = [
            (
                dns(&["1.1.1.1", "::1"], &["x", "y"], &["ndots:1"]),
                "search x y\nnameserver 1.1.1.1\nnameserver ::1\noptions ndots:1\n",
            ),
            (
                dns(&["1.1.1.1"], &[], &[]),
                "search a.example b.example\nnameserver 1.1.1.1\noptions ndots:2 rotate\n",
            ),
            (
                dns(&[], &["x"], &[]),
                "search x\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:2 rotate\n",
            ),
            (
                dns(&[], &["."], &["timeout:1", "debug"]),
                "nameserver 10.0.0.1\nnameserver 10.0.0.2\noptions timeout:1 debug\n",
            ),
            (dns(&[], &[], &[]), SYSTEM),
        ];
        for (given, wanted) in cases {
            assert_eq!(file(&given, SYSTEM).unwrap(), wanted, "{given:?}");
        }
        assert_eq!(
            file(&dns(&["1.1.1.1"], &[], &[]), "").unwrap(),
            "nameserver 1.1.1.1\n"
        );
    }

    #[test]
    fn the_system_is_what_lies_behind_a_stub() {
        let asked = |host: &Resolver| host.file(Some(&Dns::default()), false).unwrap().unwrap();
        assert_eq!(asked(&host(STUBBED, Some(SYSTEM))), SYSTEM);
        assert_eq!(asked(&host(STUBBED, None)), STUBBED);
        assert_eq!(asked(&host(SYSTEM, Some(STUBBED))), SYSTEM);
    }

    #[test]
    fn in_another_network_the_hosts_own_resolver_is_replaced() {
        let stubbed = host(STUBBED, Some(SYSTEM));
        assert_eq!(stubbed.file(None, true).unwrap().as_deref(), Some(SYSTEM));
        assert_eq!(stubbed.file(None, false).unwrap(), None);
        assert_eq!(host(SYSTEM, Some(STUBBED)).file(None, true).unwrap(), None);
        assert_eq!(
            host("nameserver ::1\n", None).file(None, true).unwrap(),
            None
        );
        assert_eq!(host("", Some(SYSTEM)).file(None, true).unwrap(), None);
    }

    #[test]
    fn an_entry_is_one_word() {
        for word in ["", "1.1.1.1 2.2.2.2", "1.1.1.1\nsearch evil", "x\0"] {
            let told = file(&dns(&[], &[word], &[]), SYSTEM)
                .unwrap_err()
                .to_string();
            assert!(told.contains(&format!("{word:?}")), "{told}");
        }
    }
}
