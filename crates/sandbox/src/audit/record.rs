//! The text of a record.
//!
//! `audit(1795349268.433:4): domain=101d10c76 blockers=fs.read_file path="/etc/hostname" dev="vda" ino=611`
//!
//! Names come in quotes, or as hexadecimal digits when they hold a quote, a space or anything that is not plain ASCII
//! (`audit_log_untrustedstring`): a value without quotes is never a part of a name, and no name can look like a field.
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// `AUDIT_EVENT_LISTENER`, `AUDIT_LANDLOCK_ACCESS`, `AUDIT_LANDLOCK_DOMAIN`.
const LISTENER: u16 = 1335;
const ACCESS: u16 = 1423;
const DOMAIN: u16 = 1424;

/// A record that matters to whoever wants to know what Landlock denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An access was denied.
    Access(Access),
    /// The domain of a denied access was made by this process.
    Domain {
        /// Its number.
        id: u64,
        /// The process as the first pid namespace has it.
        pid: i32,
    },
    /// A reader has left the group.
    Left {
        /// Whose it was.
        pid: i32,
        /// The name of the thread that left.
        comm: Vec<u8>,
    },
}

/// A denied access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The domain that denied it.
    pub domain: u64,
    /// The rights that were missing: `fs.read_file`, `net.bind_tcp`, `scope.signal`.
    pub blockers: Vec<String>,
    /// To what.
    pub object: Object,
}

/// What was to be accessed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A path as whoever was denied sees it; what something was to be made in or removed from is the directory.
    Path(PathBuf),
    /// A TCP port.
    Port(u16),
    /// A process, by its pid in the first pid namespace.
    Process(i32),
    /// An abstract Unix socket, by its name without the leading NUL byte.
    Socket(String),
    /// Something that has no name.
    Nameless,
}

/// A record of this kind. `None`: it does not matter here, or is none of the kernel's.
pub fn parse(kind: u16, body: &[u8]) -> Option<Record> {
    let body = body.split(|byte| *byte == 0).next()?;
    let text = std::str::from_utf8(body).ok()?;
    let fields = Fields(text.split_once("): ")?.1);
    match kind {
        ACCESS => Some(Record::Access(Access {
            domain: fields.domain()?,
            blockers: fields
                .plain("blockers")?
                .split(',')
                .map(str::to_owned)
                .collect(),
            object: fields.object(),
        })),
        DOMAIN if fields.plain("status")? == "allocated" => {
            let id = fields.domain()?;
            let pid = fields.number("pid")?;
            Some(Record::Domain { id, pid })
        }
        LISTENER if fields.plain("op")? == "disconnect" => {
            let pid = fields.number("pid")?;
            let comm = fields.name("comm")?;
            Some(Record::Left { pid, comm })
        }
        _ => None,
    }
}

/// `name=value`, separated by spaces.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    /// The value as it is written.
    fn plain(self, name: &str) -> Option<&'a str> {
        self.0
            .split(' ')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    }

    fn number<T: std::str::FromStr>(self, name: &str) -> Option<T> {
        self.plain(name)?.parse().ok()
    }

    fn domain(self) -> Option<u64> {
        u64::from_str_radix(self.plain("domain")?, 16).ok()
    }

    /// A name, in quotes or in hexadecimal digits.
    fn name(self, name: &str) -> Option<Vec<u8>> {
        let value = self.plain(name)?;
        match value.strip_prefix('"') {
            Some(quoted) => quoted
                .strip_suffix('"')
                .map(|name| name.as_bytes().to_vec()),
            None => bytes(value),
        }
    }

    fn object(self) -> Object {
        let path = self.name("path");
        if let Some([0, name @ ..]) = path.as_deref() {
            return Object::Socket(String::from_utf8_lossy(name).into_owned());
        }
        let path = path.map(|path| PathBuf::from(OsString::from_vec(path)));
        // A path that is too long for a record, or that leads nowhere for whoever was denied, has words instead.
        if let Some(path) = path.filter(|path| path.is_absolute()) {
            return Object::Path(path);
        }
        // bind(2) names the source, connect(2) the destination; port 0 is not named.
        if let Some(port) = self.number("dest").or_else(|| self.number("src")) {
            return Object::Port(port);
        }
        let nameless = || match self.plain("blockers") {
            Some("net.bind_tcp") => Object::Port(0),
            _ => Object::Nameless,
        };
        self.number("opid").map_or_else(nameless, Object::Process)
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let whole = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    digits
        .chunks(2)
        .map(byte)
        .collect::<Option<_>>()
        .filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(text: &str) -> Option<Access> {
        match parse(ACCESS, text.as_bytes())? {
            Record::Access(access) => Some(access),
            _ => None,
        }
    }

    #[test]
    fn an_access_has_its_domain_its_rights_and_its_path() {
        let text = "audit(1795349268.493:18): domain=101d10c76 blockers=fs.execute,fs.read_file path=\"/work/land.sh\" dev=\"vda\" ino=5308450";
        assert_eq!(
            access(text),
            Some(Access {
                domain: 0x1_01d1_0c76,
                blockers: vec!["fs.execute".to_owned(), "fs.read_file".to_owned()],
                object: Object::Path("/work/land.sh".into()),
            })
        );
    }

    #[test]
    fn a_name_in_hexadecimal_digits_is_the_name() {
        let text = "audit(1.2:3): domain=1 blockers=fs.read_dir path=2F7372762F612062C3A90A dev=\"vda\" ino=1";
        let object = access(text).map(|access| access.object);
        assert_eq!(object, Some(Object::Path("/srv/a b\u{e9}\n".into())));
    }

    #[test]
    fn a_name_that_is_none_is_nameless() {
        for path in [
            "path=\"<too_long>\"",
            "path=2F7",
            "path=2G",
            "path=\"/x",
            "",
            "path=",
        ] {
            let text = format!("audit(1.2:3): domain=1 blockers=fs.read_dir {path} dev=\"vda\"");
            let object = access(&text).map(|access| access.object);
            assert_eq!(object, Some(Object::Nameless), "{path}");
        }
    }

    #[test]
    fn what_is_no_file_is_named_by_what_it_is() {
        let object = |rest: &str| {
            access(&format!("audit(1.2:3): domain=1 blockers={rest}")).map(|access| access.object)
        };
        assert_eq!(
            object("net.bind_tcp saddr=127.0.0.1 src=8099"),
            Some(Object::Port(8099))
        );
        assert_eq!(object("net.bind_tcp"), Some(Object::Port(0)));
        assert_eq!(
            object("net.connect_tcp daddr=::1 dest=81"),
            Some(Object::Port(81))
        );
        assert_eq!(
            object("scope.signal opid=12 ocomm=\"x\""),
            Some(Object::Process(12))
        );
        assert_eq!(
            object("scope.abstract_unix_socket path=0061"),
            Some(Object::Socket("a".to_owned()))
        );
    }

    #[test]
    fn domains_and_readers_are_told_apart() {
        let at = |kind, text: &str| parse(kind, format!("audit(1.2:3): {text}\0").as_bytes());
        assert_eq!(
            at(
                DOMAIN,
                "domain=1a status=allocated mode=enforcing pid=13799 uid=0 exe=\"/x\" comm=\"x\""
            ),
            Some(Record::Domain { id: 26, pid: 13799 })
        );
        assert_eq!(at(DOMAIN, "domain=1a status=deallocated denials=20"), None);
        assert_eq!(
            at(
                LISTENER,
                "pid=7 uid=0 comm=\"x\" nl-mcgrp=1 op=disconnect res=1"
            ),
            Some(Record::Left {
                pid: 7,
                comm: b"x".to_vec()
            })
        );
        assert_eq!(
            at(
                LISTENER,
                "pid=7 uid=0 comm=\"x\" nl-mcgrp=1 op=connect res=1"
            ),
            None
        );
        assert_eq!(at(1300, "domain=1 blockers=fs.read_dir"), None);
    }

    #[test]
    fn text_that_is_no_record_is_none() {
        for text in [
            "",
            "audit",
            "audit(1.2:3): ",
            "domain=1 blockers=x",
            "audit(1): domain=zz blockers=x",
        ] {
            assert_eq!(parse(ACCESS, text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(ACCESS, &[0xff, 0xfe]), None);
    }
}
