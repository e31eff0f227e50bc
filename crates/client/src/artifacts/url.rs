//! A URL of http or https, taken apart: what may be shown of it, where it leads on, what of it is for us.
use std::fmt;

/// Why a text is no such URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    /// Another scheme, or another of go-getter's ways to fetch.
    #[error(
        "download not supported for scheme '{0}'; only http and https are: serve the file by http, or bring it with a volume"
    )]
    Scheme(String),
    /// No scheme at all.
    #[error("it is no URL that begins with http:// or https://")]
    NoScheme,
    /// No host.
    #[error("it names no host")]
    NoHost,
    /// A port that is none.
    #[error("its port is none")]
    Port,
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// The parts of a URL as they were written, the fragment left out. Formatted, it shows neither credentials nor parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: Scheme,
    /// `user:password`.
    pub(super) credentials: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
    pub(super) query: Vec<Parameter>,
}

/// `name=value` as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter(String);

impl Parameter {
    pub(super) fn new(name: &str, value: &str) -> Parameter {
        Parameter(format!("{}={}", encode(name), encode(value)))
    }

    pub(super) fn name(&self) -> String {
        decode_form(self.0.split('=').next().unwrap_or_default())
    }

    pub(super) fn value(&self) -> String {
        decode_form(self.0.split_once('=').map_or("", |(_, value)| value))
    }
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Url, Problem> {
        let text = text.trim();
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = scheme(text)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(decode(credentials)), place),
            None => (None, authority),
        };
        let (host, port) = host(place)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = if path.is_empty() { "/" } else { path };
        let query = query.split('&').filter(|part| !part.is_empty());
        Ok(Url {
            scheme,
            credentials,
            host,
            port,
            path: path.to_owned(),
            query: query.map(|part| Parameter(part.to_owned())).collect(),
        })
    }

    /// Where a `Location` of this one's answer leads.
    pub(super) fn join(&self, location: &str) -> Result<Url, Problem> {
        let location = location.trim();
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        if location.starts_with("//") {
            return Url::parse(&format!("{scheme}:{location}"));
        }
        if has_scheme(location) {
            return Url::parse(location);
        }
        let authority = self.authority();
        let path = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{}{location}", self.path),
            _ => {
                let above = self.path.rsplit_once('/').map_or("", |(above, _)| above);
                format!("{above}/{location}")
            }
        };
        Url::parse(&format!("{scheme}://{authority}{path}"))
    }

    /// The value of a parameter, which is taken out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let found = self.query.iter().find(|given| given.name() == name)?;
        let value = found.value();
        self.query.retain(|given| given.name() != name);
        Some(value)
    }

    /// Sets a parameter, whatever was there.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.query.retain(|given| given.name() != name);
        self.query.push(Parameter::new(name, value));
    }

    /// The text for a request: no credentials, and nothing that a request may not hold.
    pub(super) fn request(&self) -> String {
        let query: Vec<&str> = self.query.iter().map(|part| part.0.as_str()).collect();
        let query = match query.join("&") {
            none if none.is_empty() => none,
            some => format!("?{}", printable(&some)),
        };
        let scheme = self.scheme;
        let (authority, path) = (self.authority(), printable(&self.path));
        format!("{scheme}://{authority}{path}{query}")
    }

    /// Host and port as they were written.
    pub(super) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The port that is connected to.
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }

    /// Whether both are the same server, reached the same way.
    pub(super) fn has_origin_of(&self, other: &Url) -> bool {
        self.scheme == other.scheme
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port() == other.port()
    }

    /// The path without its escapes.
    pub(super) fn plain_path(&self) -> String {
        decode(&self.path)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        })
    }
}

fn scheme(text: &str) -> Result<(Scheme, &str), Problem> {
    let (forced, text) = forced(text);
    if let Some(other) = forced.filter(|way| !matches!(*way, "http" | "https")) {
        return Err(Problem::Scheme(other.to_owned()));
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("https://") {
        return Ok((Scheme::Https, &text["https://".len()..]));
    }
    if lower.starts_with("http://") {
        return Ok((Scheme::Http, &text["http://".len()..]));
    }
    match text.split_once(':') {
        Some((scheme, _)) if has_scheme(text) => Err(Problem::Scheme(scheme.to_owned())),
        _ if text.starts_with("git@") => Err(Problem::Scheme("git".to_owned())),
        _ if text.starts_with(['/', '.']) => Err(Problem::Scheme("file".to_owned())),
        _ => Err(Problem::NoScheme),
    }
}

/// go-getter's `git::https://…`.
fn forced(text: &str) -> (Option<&str>, &str) {
    match text.split_once("::") {
        Some((way, rest)) if is_word(way) => (Some(way), rest),
        _ => (None, text),
    }
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(scheme, _)| is_word(scheme) && !scheme.contains('@'))
}

fn is_word(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_part)
}

fn host(place: &str) -> Result<(String, Option<u16>), Problem> {
    let end_of_v6 = place.find(']').map_or(0, |end| end + 1);
    let (host, port) = match place[end_of_v6..].find(':') {
        Some(colon) => {
            let (host, port) = place.split_at(end_of_v6 + colon);
            (host, &port[1..])
        }
        None => (place, ""),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Problem::NoHost);
    }
    let port = match port {
        "" => None,
        digits => Some(digits.parse().map_err(|_| Problem::Port)?),
    };
    Ok((host.to_owned(), port))
}

/// Replaces `%2f` and the like.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// In a query a plus is a space.
fn decode_form(text: &str) -> String {
    decode(&text.replace('+', " "))
}

fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    escape(text, is_plain)
}

/// Escapes what no request line may hold; what is escaped already stays.
fn printable(text: &str) -> String {
    escape(text, |byte| {
        byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
    })
}

fn escape(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |escaped, byte| {
        if is_plain(byte) {
            escaped + char::from(byte).encode_utf8(&mut [0; 4])
        } else {
            escaped + &format!("%{byte:02X}")
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("HTTPS://me:p%40ss@[::1]:8443/a%20b/c.tgz?x=1&checksum=md5%3A00#top")
            .unwrap();
        assert_eq!(url.scheme, Scheme::Https);
        assert_eq!(url.credentials.as_deref(), Some("me:p@ss"));
        assert_eq!((url.host.as_str(), url.port()), ("[::1]", 8443));
        assert_eq!(url.plain_path(), "/a b/c.tgz");
        assert_eq!(url.query[1].value(), "md5:00");
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let url = Url::parse("https://me:secret@host/x?token=secret").unwrap();
        assert_eq!(url.to_string(), "https://host/x");
        assert_eq!(url.request(), "https://host/x?token=secret");
    }

    #[test]
    fn other_ways_to_fetch_are_refused_by_name() {
        for (text, scheme) in [
            ("git::https://github.com/x/y", "git"),
            ("git::--upload-pack=touch /tmp/x", "git"),
            ("git@github.com:x/y.git", "git"),
            ("hg::http://x/y", "hg"),
            ("s3::https://s3.amazonaws.com/x", "s3"),
            ("gcs::https://www.googleapis.com/x", "gcs"),
            ("file:///etc/shadow", "file"),
            ("ftp://x/y", "ftp"),
            ("/etc/shadow", "file"),
            ("./x", "file"),
        ] {
            let problem = Url::parse(text).unwrap_err();
            assert_eq!(problem, Problem::Scheme(scheme.to_owned()), "{text}");
        }
        assert_eq!(Url::parse("github.com/x/y"), Err(Problem::NoScheme));
        assert_eq!(Url::parse(""), Err(Problem::NoScheme));
        assert_eq!(Url::parse("http:///x"), Err(Problem::NoHost));
        assert_eq!(Url::parse("http://x:99999/"), Err(Problem::Port));
        assert!(Url::parse("http::https://x/y").is_ok());
    }

    #[test]
    fn a_location_is_followed_from_where_it_was_given() {
        let url = Url::parse("https://me:s@h:1/a/b?q=1").unwrap();
        for (location, expected) in [
            ("/c?d=e", "https://h:1/c?d=e"),
            ("c", "https://h:1/a/c"),
            ("?z", "https://h:1/a/b?z"),
            ("//other/x", "https://other/x"),
            ("http://plain/", "http://plain/"),
        ] {
            let to = url.join(location).unwrap();
            assert_eq!(to.request(), expected, "{location}");
            assert_eq!(to.credentials, None);
        }
        let refused = url.join("file:///etc/shadow").unwrap_err();
        assert_eq!(refused, Problem::Scheme("file".to_owned()));
    }

    #[test]
    fn parameters_are_set_and_taken() {
        let mut url = Url::parse("http://h/x?a=1&b=%20&a=2").unwrap();
        assert_eq!(url.take("a").as_deref(), Some("1"));
        url.set("c", "x y&z");
        assert_eq!(url.request(), "http://h/x?b=%20&c=x%20y%26z");
        assert_eq!(url.take("a"), None);
    }

    #[test]
    fn nothing_can_break_out_of_the_request_line() {
        let url = Url::parse("http://h/a b\r\nX: y?q=\u{e9} z").unwrap();
        assert_eq!(url.request(), "http://h/a%20b%0D%0AX:%20y?q=%C3%A9%20z");
    }
}
