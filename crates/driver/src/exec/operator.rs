//! The operator's configuration of `exec`.
use std::collections::BTreeMap;

use sandbox::spec::{CapabilitySet, Sharing};

use crate::agent_env::Patterns;
use crate::api::{ConfigError, FsIsolation};
use crate::capabilities::Supported;
use crate::ids::Ranges;
use crate::options::{Read as _, Values};
use crate::users::User;

/// What Nomad's client fills a chroot from, and what the root is layered over here.
const DEFAULT_CHROOT_ENV: [&str; 9] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/usr",
];

/// What the operator decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// `MS_MOVE` and chroot(2) instead of pivot_root(2).
    pub no_pivot_root: bool,
    /// Where a task does not say.
    pub default_pid: Sharing,
    /// Where a task does not say.
    pub default_ipc: Sharing,
    /// What tasks may hold.
    pub allow_caps: CapabilitySet,
    /// Host path → path inside.
    pub chroot_env: BTreeMap<String, String>,
    /// Deny tasks the system calls of the list.
    pub seccomp: bool,
    /// Who makes the root: the driver (`Image`), or Nomad's client (`Chroot`).
    pub fs_isolation: FsIsolation,
    /// What of the agent's environment tasks get.
    pub agent_env: Patterns,
    pub(crate) supported: Supported,
    denied_uids: Ranges,
    denied_gids: Ranges,
}

impl Operator {
    /// From checked values.
    pub(crate) fn read(values: &Values, supported: Supported) -> Result<Operator, ConfigError> {
        let fs_isolation = fs_isolation(values)?;
        let mode = |option: &'static str| {
            sharing(&values.text(option)).ok_or_else(|| ConfigError::Value {
                option,
                message: format!(
                    "{option} must be \"private\" or \"host\", got {:?}",
                    values.text(option)
                ),
            })
        };
        Ok(Operator {
            no_pivot_root: values.flag("no_pivot_root"),
            default_pid: mode("default_pid_mode")?,
            default_ipc: mode("default_ipc_mode")?,
            allow_caps: allow_caps(values, supported)?,
            chroot_env: chroot_env(values, fs_isolation)?,
            seccomp: values.flag("seccomp"),
            fs_isolation,
            agent_env: Patterns::read(values)?,
            supported,
            denied_uids: denied(values, "denied_host_uids", "deniedHostUIDs")?,
            denied_gids: denied(values, "denied_host_gids", "deniedHostGIDs")?,
        })
    }

    /// Refuses a user whose id, or one of whose groups, is denied.
    pub(crate) fn admit(&self, user: &User) -> Result<(), String> {
        if self.denied_uids.contain(user.uid) {
            return Err(format!("running as uid {} is disallowed", user.uid));
        }
        let mut groups = std::iter::once(user.gid).chain(user.groups.iter().copied());
        match groups.find(|gid| self.denied_gids.contain(*gid)) {
            Some(gid) => Err(format!("running as gid {gid} is disallowed")),
            None => Ok(()),
        }
    }
}

/// `private` or `host`.
pub(crate) fn sharing(mode: &str) -> Option<Sharing> {
    match mode {
        "private" => Some(Sharing::Private),
        "host" => Some(Sharing::Host),
        _ => None,
    }
}

fn fs_isolation(values: &Values) -> Result<FsIsolation, ConfigError> {
    let option = "fs_isolation";
    match values.text(option).as_str() {
        "image" => Ok(FsIsolation::Image),
        "chroot" => Ok(FsIsolation::Chroot),
        other => Err(ConfigError::Value {
            option,
            message: format!("fs_isolation must be \"image\" or \"chroot\", got {other:?}"),
        }),
    }
}

fn allow_caps(values: &Values, supported: Supported) -> Result<CapabilitySet, ConfigError> {
    supported
        .parse(&values.strings("allow_caps"))
        .map_err(|unsupported| ConfigError::Value {
            option: "allow_caps",
            message: format!(
                "allow_caps configured with capabilities not supported by system: {}",
                unsupported.0.join(", ")
            ),
        })
}

fn denied(values: &Values, option: &'static str, nomads_name: &str) -> Result<Ranges, ConfigError> {
    let list = values.text(option);
    Ranges::parse(&list).map_err(|reason| ConfigError::Value {
        option,
        message: format!(
            "unable to start validator: invalid range {nomads_name} {list:?}: {reason}"
        ),
    })
}

/// An entry replaces the default list, as in Nomad's client configuration.
fn chroot_env(
    values: &Values,
    isolation: FsIsolation,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let given = values
        .string_map("chroot_env")
        .filter(|map| !map.is_empty());
    if given.is_some() && isolation == FsIsolation::Chroot {
        return Err(ConfigError::Value {
            option: "chroot_env",
            message: "chroot_env is not used with fs_isolation = \"chroot\": Nomad's client fills the root then, as its own client.chroot_env says".to_owned(),
        });
    }
    let Some(map) = given else {
        return Ok(DEFAULT_CHROOT_ENV
            .iter()
            .map(|path| ((*path).to_owned(), (*path).to_owned()))
            .collect());
    };
    let bad = map.iter().find(|(source, target)| {
        !source.starts_with('/') || !target.starts_with('/') || target.as_str() == "/"
    });
    match bad {
        Some((source, target)) => Err(ConfigError::Value {
            option: "chroot_env",
            message: format!(
                "chroot_env must map absolute paths to absolute paths below /, got {source:?} = {target:?}"
            ),
        }),
        None => Ok(map),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::options::{Value, decode, tables::EXEC_OPERATOR};

    fn operator(option: &str, value: Value) -> Result<Operator, String> {
        let values = decode(EXEC_OPERATOR, &Values::from([(option.to_owned(), value)])).unwrap();
        Operator::read(&values, Supported::up_to(40)).map_err(|error| error.to_string())
    }

    fn user(gid: u32, groups: &[u32]) -> User {
        User {
            name: "u".into(),
            uid: 1000,
            gid,
            groups: groups.to_vec(),
            home: "/".into(),
        }
    }

    #[test]
    fn mistakes_are_told_in_nomads_words() {
        for (option, value, wanted) in [
            (
                "default_pid_mode",
                "",
                r#"default_pid_mode must be "private" or "host", got """#,
            ),
            (
                "default_ipc_mode",
                "x",
                r#"default_ipc_mode must be "private" or "host", got "x""#,
            ),
            (
                "fs_isolation",
                "none",
                r#"fs_isolation must be "image" or "chroot", got "none""#,
            ),
            (
                "denied_host_uids",
                "10-1",
                r#"unable to start validator: invalid range deniedHostUIDs "10-1": lower bound cannot be greater than upper bound"#,
            ),
            (
                "denied_host_gids",
                "x",
                r#"unable to start validator: invalid range deniedHostGIDs "x": range bound not valid"#,
            ),
        ] {
            assert_eq!(operator(option, value.into()), Err(wanted.to_owned()));
        }
        let caps = Value::from(&["not_a_cap", "CAP_Bad"][..]);
        assert_eq!(
            operator("allow_caps", caps),
            Err(
                "allow_caps configured with capabilities not supported by system: bad, not_a_cap"
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_denied_group_denies_its_members_and_nobody_else() {
        let operator = operator("denied_host_gids", "0-10".into()).unwrap();
        assert_eq!(operator.admit(&user(1000, &[])), Ok(()));
        assert_eq!(
            operator.admit(&user(1000, &[4])),
            Err("running as gid 4 is disallowed".to_owned())
        );
        assert_eq!(
            operator.admit(&user(0, &[])),
            Err("running as gid 0 is disallowed".to_owned())
        );
    }

    #[test]
    fn a_denied_uid_is_named() {
        let operator = operator("denied_host_uids", "1000".into()).unwrap();
        assert_eq!(
            operator.admit(&user(0, &[])),
            Err("running as uid 1000 is disallowed".to_owned())
        );
    }

    #[test]
    fn a_chroot_env_replaces_the_default_one() {
        let map = |source: &str, target: &str| {
            Value::Map(BTreeMap::from([(source.to_owned(), target.into())]))
        };
        assert_eq!(
            operator("chroot_env", map("/srv/root/usr", "/usr"))
                .unwrap()
                .chroot_env
                .len(),
            1
        );
        assert_eq!(
            operator("chroot_env", Value::Map(BTreeMap::new()))
                .unwrap()
                .chroot_env
                .len(),
            9
        );
        assert!(operator("chroot_env", map("usr", "/usr")).is_err());
        assert!(operator("chroot_env", map("/usr", "/")).is_err());
    }

    #[test]
    fn a_chroot_env_beside_a_chroot_of_the_clients_is_an_error() {
        let map = BTreeMap::from([("/usr".to_owned(), "/usr".into())]);
        let values = Values::from([
            ("chroot_env".to_owned(), Value::Map(map)),
            ("fs_isolation".to_owned(), "chroot".into()),
        ]);
        let told = Operator::read(
            &decode(EXEC_OPERATOR, &values).unwrap(),
            Supported::up_to(40),
        );
        assert!(told.unwrap_err().to_string().contains("client.chroot_env"));
    }
}
