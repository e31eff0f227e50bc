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

/// A name that no source of the host's database knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("user: unknown user {}", .0.escape_debug())]
pub struct Unknown(pub String);

/// Looks a name up in `/etc/passwd` and `/etc/group`, then through getent(1) for directories beyond the files.
///
/// # Errors
/// When nobody has that name.
pub fn by_name(name: &str) -> Result<User, Unknown> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
    in_files(name, &passwd, &group)
        .or_else(|| by_getent(name))
        .ok_or_else(|| Unknown(name.to_owned()))
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

fn by_getent(name: &str) -> Option<User> {
    // getent takes digits for an id and a dash for an option; no line can hold a colon or a line end in a name.
    if name.is_empty() || name.starts_with('-') || name.contains([':', '\n', '\0']) {
        return None;
    }
    let mut user = getent("passwd", name)?
        .lines()
        .find_map(|line| entry(name, line))?;
    user.groups = getent("initgroups", name)?
        .split_whitespace()
        .skip(1)
        .filter_map(id)
        .collect();
    user.groups.sort_unstable();
    user.groups.dedup();
    Some(user)
}

fn getent(database: &str, name: &str) -> Option<String> {
    let output = Command::new("/usr/bin/getent")
        .args([database, name])
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
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
        assert_eq!(by_name("0"), Err(Unknown("0".to_owned())));
        assert_eq!(by_name("root").unwrap().uid, 0);
        assert_eq!(
            by_name("no-such-user").unwrap_err().to_string(),
            "user: unknown user no-such-user"
        );
        assert_eq!(
            Unknown("a\n".to_owned()).to_string(),
            r"user: unknown user a\n"
        );
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
