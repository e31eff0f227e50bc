//! Users by name, from the host's database.
//!
//! A number is never taken for an id: Nomad looks up names only, and a name that happens to be a number is another user.
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What a task needs to know of its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Name.
    pub name: String,
    /// Id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups, sorted, the primary one among them where the database says so.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
}

/// Why a name led to no user.
#[derive(Debug, thiserror::Error)]
pub enum NoUser {
    /// No source of the host's database knows it.
    #[error("user: unknown user {}", .0.escape_debug())]
    Unknown(String),
    /// A source could not be asked: whether somebody has that name is not known.
    #[error("{asked}")]
    Unreadable {
        /// What was attempted.
        asked: &'static str,
        /// Why that failed.
        #[source]
        source: std::io::Error,
    },
}

/// Looks a name up in `/etc/passwd` and `/etc/group`, then through getent(1) for directories beyond the files.
///
/// # Errors
/// When nobody has that name, or when nobody could be asked.
pub fn by_name(name: &str) -> Result<User, NoUser> {
    let passwd = text("/etc/passwd", "read /etc/passwd")?;
    let group = text("/etc/group", "read /etc/group")?;
    let found = match in_files(name, &passwd, &group) {
        None => by_getent(name)?,
        found => found,
    };
    found.ok_or_else(|| NoUser::Unknown(name.to_owned()))
}

/// Nothing where there is no such file: other sources may know more.
fn text(path: &str, asked: &'static str) -> Result<String, NoUser> {
    absent_or(std::fs::read_to_string(path), asked).map(Option::unwrap_or_default)
}

/// `None` for what does not exist.
fn absent_or<T>(result: std::io::Result<T>, asked: &'static str) -> Result<Option<T>, NoUser> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(NoUser::Unreadable { asked, source }),
    }
}

/// The user that Nomad's client picked from its pool: `nomad-<uid>`, in no database.
pub fn dynamic(name: &str) -> Option<User> {
    let digits = name.strip_prefix("nomad-")?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let id = digits.parse::<i32>().ok()?;
    // 0 would be root by another name.
    (id > 0).then(|| numbered(id.unsigned_abs(), id.unsigned_abs()))
}

/// A dynamic user by its ids.
pub(crate) fn numbered(uid: u32, gid: u32) -> User {
    User {
        name: format!("nomad-{uid}"),
        uid,
        gid,
        groups: Vec::new(),
        home: "/nonexistent".to_owned(),
    }
}

/// passwd(5) and group(5).
fn in_files(name: &str, passwd: &str, group: &str) -> Option<User> {
    let mut user = passwd.lines().find_map(|line| entry(name, line))?;
    user.groups = group
        .lines()
        .filter_map(|line| membership(name, line))
        .collect();
    user.groups.sort_unstable();
    user.groups.dedup();
    Some(user)
}

fn entry(name: &str, line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [found, _, uid, gid, _, home, ..] = fields.as_slice() else {
        return None;
    };
    if name.is_empty() || *found != name {
        return None;
    }
    Some(User {
        name: name.to_owned(),
        uid: id(uid)?,
        gid: id(gid)?,
        groups: Vec::new(),
        home: (*home).to_owned(),
    })
}

/// The gid of a group line that lists `name`.
fn membership(name: &str, line: &str) -> Option<u32> {
    let fields: Vec<&str> = line.split(':').collect();
    let [_, _, gid, members, ..] = fields.as_slice() else {
        return None;
    };
    members
        .split(',')
        .any(|member| member == name)
        .then(|| id(gid))?
}

/// An id in digits only; `-1` and what setuid(2) takes for it are none.
fn id(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|id| *id != u32::MAX)
}

fn by_getent(name: &str) -> Result<Option<User>, NoUser> {
    // getent takes digits for an id and a dash for an option; no line can hold a colon or a line end in a name.
    if name.is_empty() || name.starts_with('-') || name.contains([':', '\n', '\0']) {
        return Ok(None);
    }
    let passwd = getent("passwd", name)?.unwrap_or_default();
    let Some(mut user) = passwd.lines().find_map(|line| entry(name, line)) else {
        return Ok(None);
    };
    let Some(groups) = getent("initgroups", name)? else {
        return Ok(None);
    };
    user.groups = groups.split_whitespace().skip(1).filter_map(id).collect();
    user.groups.sort_unstable();
    user.groups.dedup();
    Ok(Some(user))
}

/// What it prints, or nothing when it knows nobody or is not there.
fn getent(database: &str, name: &str) -> Result<Option<String>, NoUser> {
    let output = Command::new("/usr/bin/getent")
        .args([database, name])
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = absent_or(output, "run getent")?.filter(|output| output.status.success());
    Ok(output.and_then(|output| String::from_utf8(output.stdout).ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# a comment\nweb:x:33:33::/var/www:/bin/sh\n1000:x:7:7::/:\nbad:x:-1:0::/:\nshort:x\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,web\nssl-cert:x:110:web\nweb:x:33:\n";

    #[test]
    fn a_name_is_found_with_its_own_groups_only() {
        let web = in_files("web", PASSWD, GROUP).unwrap();
        assert_eq!((web.uid, web.gid, web.home.as_str()), (33, 33, "/var/www"));
        assert_eq!(web.groups, [4, 110]);
        assert!(in_files("root", PASSWD, GROUP).unwrap().groups.is_empty());
    }

    #[test]
    fn what_is_no_name_is_nobody() {
        for name in [
            "",
            "33",
            "0",
            "+0",
            "web:",
            "web\n",
            " web",
            "WEB",
            "bad",
            "short",
            "# a comment",
        ] {
            assert_eq!(in_files(name, PASSWD, GROUP), None, "{name:?}");
        }
        assert_eq!(in_files("1000", PASSWD, GROUP).unwrap().uid, 7);
    }

    #[test]
    fn getent_is_not_fooled_by_a_number() {
        assert!(matches!(by_name("0"), Err(NoUser::Unknown(name)) if name == "0"));
        assert_eq!(by_name("root").unwrap().uid, 0);
        assert_eq!(
            by_name("no-such-user").unwrap_err().to_string(),
            "user: unknown user no-such-user"
        );
        assert_eq!(
            NoUser::Unknown("a\n".to_owned()).to_string(),
            r"user: unknown user a\n"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_one_without_the_name() {
        let failing = |kind: std::io::ErrorKind| absent_or::<String>(Err(kind.into()), "read it");
        assert_eq!(failing(std::io::ErrorKind::NotFound).unwrap(), None);
        let told = failing(std::io::ErrorKind::PermissionDenied).unwrap_err();
        assert!(matches!(told, NoUser::Unreadable { .. }));
    }

    #[test]
    fn dynamic_users_are_named_after_their_uid() {
        let user = dynamic("nomad-80123").unwrap();
        assert_eq!(
            (user.uid, user.gid, user.home.as_str()),
            (80123, 80123, "/nonexistent")
        );
        for name in [
            "nomad-",
            "nomad-0",
            "nomad--1",
            "nomad-+5",
            "nomad-2147483648",
            "nomad-1x",
            "xnomad-1",
            "nomad",
        ] {
            assert_eq!(dynamic(name), None, "{name}");
        }
    }
}
