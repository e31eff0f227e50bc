//! What the host says through the environment, and the one line it is answered with.
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::NotServed;

const COOKIE: (&str, &str) = (
    "NOMAD_PLUGIN_MAGIC_COOKIE",
    "e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255",
);

/// go-plugin's own protocol, and Nomad's protocol over it.
const CORE_PROTOCOL: u32 = 1;
const NOMAD_PROTOCOL: u32 = 2;

/// What the host asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Directories for the socket, best first.
    pub(crate) socket_dirs: Vec<PathBuf>,
    /// It wants to be told whether connections can be multiplexed.
    pub(crate) asks_for_multiplexing: bool,
}

impl Host {
    /// Reads the environment, given as a function of a variable's name.
    pub(crate) fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Result<Host, NotServed> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        if set(COOKIE.0).is_none_or(|value| value != COOKIE.1) {
            return Err(NotServed::NoHost);
        }
        // A host that encrypts would not be served in the clear by accident.
        if set("PLUGIN_CLIENT_CERT").is_some() {
            return Err(NotServed::WantsTls);
        }
        let given = ["PLUGIN_UNIX_SOCKET_DIR", "TMPDIR"]
            .into_iter()
            .filter_map(set)
            .map(PathBuf::from);
        Ok(Host {
            socket_dirs: given.chain([PathBuf::from("/tmp")]).collect(),
            asks_for_multiplexing: set("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }

    /// The handshake line. The certificate's field stays empty: a host that sent none falls over what it finds there.
    pub(crate) fn line(&self, socket: &Path) -> String {
        let multiplexing = if self.asks_for_multiplexing {
            "|false"
        } else {
            ""
        };
        format!(
            "{CORE_PROTOCOL}|{NOMAD_PROTOCOL}|unix|{}|grpc|{multiplexing}\n",
            socket.display()
        )
    }
}

/// Whether the environment has the cookie by which an agent that starts a plugin makes itself known.
#[must_use]
pub fn started_by_nomad() -> bool {
    std::env::var_os(COOKIE.0).is_some_and(|value| value == COOKIE.1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn host(variables: &[(&str, &str)]) -> Result<Host, NotServed> {
        let all = [&[COOKIE], variables].concat();
        Host::from_env(|name| {
            all.iter()
                .rev()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn a_missing_or_other_cookie_is_not_served() {
        assert!(matches!(Host::from_env(|_| None), Err(NotServed::NoHost)));
        assert!(matches!(host(&[(COOKIE.0, "x")]), Err(NotServed::NoHost)));
    }

    #[test]
    fn a_host_that_encrypts_is_refused() {
        assert!(matches!(
            host(&[("PLUGIN_CLIENT_CERT", "-----BEGIN")]),
            Err(NotServed::WantsTls)
        ));
        assert!(host(&[("PLUGIN_CLIENT_CERT", "")]).is_ok());
    }

    #[test]
    fn the_line_has_six_fields_and_a_seventh_only_on_request() {
        let socket = Path::new("/tmp/plugin1/socket");
        assert_eq!(
            host(&[]).unwrap().line(socket),
            "1|2|unix|/tmp/plugin1/socket|grpc|\n"
        );
        let multiplexing = host(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).unwrap();
        assert_eq!(
            multiplexing.line(socket),
            "1|2|unix|/tmp/plugin1/socket|grpc||false\n"
        );
    }

    #[test]
    fn the_hosts_directory_comes_before_the_systems() {
        let host = host(&[("TMPDIR", "/var/tmp"), ("PLUGIN_UNIX_SOCKET_DIR", "/run/p")]).unwrap();
        assert_eq!(
            host.socket_dirs,
            ["/run/p", "/var/tmp", "/tmp"].map(PathBuf::from)
        );
    }
}
