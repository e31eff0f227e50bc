//! Which proxy stands before a server, by the variables and the rules that Go's programs follow.
use std::net::IpAddr;

use crate::artifacts::url::{Scheme, Url};

/// The variables that say so, in this order; the first that is set counts.
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NONE: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Everything that the fetcher's environment holds.
pub(in crate::artifacts) const VARIABLES: [&str; 8] = [
    HTTP[0],
    HTTP[1],
    HTTPS[0],
    HTTPS[1],
    NONE[0],
    NONE[1],
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The proxy for a URL, if there is one.
pub(super) fn of(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let first = |names: [&str; 2]| {
        let mut found = names.into_iter().filter_map(&variable);
        found.find(|value| !value.is_empty())
    };
    let proxy = first(match url.scheme {
        Scheme::Http => HTTP,
        Scheme::Https => HTTPS,
    })?;
    if is_local(&url.host) || is_excepted(url, &first(NONE).unwrap_or_default()) {
        return None;
    }
    Some(match proxy.contains("://") {
        true => proxy,
        false => format!("http://{proxy}"),
    })
}

/// What is on this host is asked itself.
fn is_local(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn is_excepted(url: &Url, list: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|exception| !exception.is_empty() && covers(exception, url))
}

/// `*`, an address, a range of them, a domain, `.domain` or `*.domain`; a port may follow.
fn covers(exception: &str, url: &Url) -> bool {
    if exception == "*" {
        return true;
    }
    if let Some((network, length)) = exception.split_once('/') {
        return address(&url.host).is_some_and(|host| is_within(host, network, length));
    }
    let (name, port) = match exception.rsplit_once(':') {
        Some((name, port)) if address(exception).is_none() => (name, Some(port)),
        _ => (exception, None),
    };
    if port.is_some_and(|port| port != url.port().to_string()) {
        return false;
    }
    let host = url.host.to_ascii_lowercase();
    match (address(name), address(&host)) {
        (Some(name), Some(host)) => name == host,
        _ => is_below(&host, &name.to_ascii_lowercase()),
    }
}

/// A leading dot leaves the domain itself out.
fn is_below(host: &str, domain: &str) -> bool {
    let below = domain.strip_prefix('*').unwrap_or(domain);
    match below.strip_prefix('.') {
        Some(_) => host.ends_with(below),
        None => {
            host == below
                || host
                    .strip_suffix(below)
                    .is_some_and(|rest| rest.ends_with('.'))
        }
    }
}

fn is_within(host: IpAddr, network: &str, length: &str) -> bool {
    let (Some(network), Ok(length)) = (address(network), length.parse::<u32>()) else {
        return false;
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let ((host, width), (network, other)) = (bits(host), bits(network));
    if width != other || length > width {
        return false;
    }
    let shift = width - length;
    shift == 128 || host >> shift == network >> shift
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn proxy(url: &str, none: &str) -> Option<String> {
        of(&Url::parse(url).unwrap(), |name| match name {
            "http_proxy" => Some("http://p:1".to_owned()),
            "HTTPS_PROXY" => Some("secure:2".to_owned()),
            "https_proxy" => Some("http://never".to_owned()),
            "NO_PROXY" => Some(none.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_scheme_chooses_the_proxy() {
        assert_eq!(proxy("http://h/", "").as_deref(), Some("http://p:1"));
        assert_eq!(proxy("https://h/", "").as_deref(), Some("http://secure:2"));
    }

    #[test]
    fn this_host_is_asked_itself() {
        for url in ["http://localhost/", "http://127.0.0.1:8/", "http://[::1]/"] {
            assert_eq!(proxy(url, ""), None, "{url}");
        }
    }

    #[test]
    fn exceptions_are_read_as_go_reads_them() {
        for (url, none, excepted) in [
            ("http://h/", "*", true),
            ("http://a.example.com/", "x, example.com", true),
            ("http://example.com/", "example.com", true),
            ("http://notexample.com/", "example.com", false),
            ("http://example.com/", ".example.com", false),
            ("http://a.example.com/", "*.example.com", true),
            ("http://h:81/", "h:81", true),
            ("http://h/", "h:81", false),
            ("http://10.1.2.3/", "10.0.0.0/8", true),
            ("http://11.1.2.3/", "10.0.0.0/8", false),
            ("http://[fd00::1]/", "fd00::/16", true),
            ("http://[fd00::1]/", "fd00::1", true),
            ("http://10.1.2.3/", "10.1.2.3", true),
            ("http://h/", "10.0.0.0/99,/,:", false),
        ] {
            assert_eq!(proxy(url, none).is_none(), excepted, "{url} {none}");
        }
    }
}
