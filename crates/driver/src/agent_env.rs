//! What of the agent's own environment reaches a task.
//!
//! Nomad's client merges the agent's whole environment into a task's, tokens included, unless the root is an image's. A plugin is started
//! with that same environment, so it can tell what was merged in: what is equal in name and value.
use std::collections::BTreeMap;

use crate::api::{ConfigError, FsIsolation};
use crate::glob::glob;
use crate::options::{Read as _, Values};

/// What programs need to find programs, speak the host's language and reach the network by its ways; an HCL list.
pub(crate) const DEFAULT: &str = r#"["PATH", "LANG", "LC_*", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"]"#;

const OPTION: &str = "agent_env";

/// Beginnings of the names that Nomad's client sets itself, also when the agent's own environment has the same.
const CLIENTS: [&str; 19] = [
    "NOMAD_ADDR_",
    "NOMAD_ALLOC_",
    "NOMAD_CPU_",
    "NOMAD_DC",
    "NOMAD_GROUP_",
    "NOMAD_HOST_",
    "NOMAD_IP",
    "NOMAD_JOB_",
    "NOMAD_MEMORY_",
    "NOMAD_META_",
    "NOMAD_NAMESPACE",
    "NOMAD_PARENT_CGROUP",
    "NOMAD_PORT_",
    "NOMAD_REGION",
    "NOMAD_SECRETS_DIR",
    "NOMAD_SHORT_",
    "NOMAD_TASK_",
    "NOMAD_UNIX_ADDR",
    "NOMAD_UPSTREAM_",
];

/// What the agent adds to a plugin's environment, and what Nomad's client keeps from tasks by default (`env.denylist`).
const NEVER: [&str; 25] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_METADATA_URL",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CONSUL_HTTP_TOKEN",
    "CONSUL_HTTP_TOKEN_FILE",
    "CONSUL_LICENSE",
    "CONSUL_LICENSE_PATH",
    "CONSUL_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "NOMAD_LICENSE",
    "NOMAD_LICENSE_PATH",
    "NOMAD_PLUGIN_MAGIC_COOKIE",
    "NOMAD_TOKEN",
    "PLUGIN_CLIENT_CERT",
    "PLUGIN_MAX_PORT",
    "PLUGIN_MIN_PORT",
    "PLUGIN_MULTIPLEX_GRPC",
    "PLUGIN_PROTOCOL_VERSIONS",
    "PLUGIN_UNIX_SOCKET_DIR",
    "PLUGIN_UNIX_SOCKET_GROUP",
    "VAULT_LICENSE",
    "VAULT_LICENSE_PATH",
    "VAULT_TOKEN",
];

/// Names, with `*` for any characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<String>);

impl Patterns {
    /// From checked values.
    pub(crate) fn read(values: &Values) -> Result<Patterns, ConfigError> {
        let patterns = values.strings(OPTION);
        let bad = patterns
            .iter()
            .find(|pattern| pattern.is_empty() || pattern.contains(['=', '\0']));
        match bad {
            Some(pattern) => Err(ConfigError::Value {
                option: OPTION,
                message: format!(
                    "agent_env must hold names of environment variables, with * for any characters, got {pattern:?}"
                ),
            }),
            None => Ok(Patterns(patterns)),
        }
    }

    fn take(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| glob(pattern, name))
    }
}

/// The agent's environment and what of it the operator lets through. Without an agent there is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AgentEnv<'a> {
    pub(crate) patterns: &'a Patterns,
    /// Under `Image` the client passes nothing on, otherwise everything.
    pub(crate) isolation: FsIsolation,
    pub(crate) variables: &'a BTreeMap<String, String>,
}

impl<'a> AgentEnv<'a> {
    /// What a task gets where the client passes nothing on.
    pub(crate) fn offered(self) -> impl Iterator<Item = (&'a String, &'a String)> {
        let nothing_came = self.isolation == FsIsolation::Image;
        self.variables.iter().filter(move |(name, _)| {
            nothing_came && !NEVER.contains(&name.as_str()) && self.patterns.take(name)
        })
    }

    /// Whether a variable of a task is the agent's and not let through.
    pub(crate) fn withholds(self, name: &str, value: &str) -> bool {
        self.isolation != FsIsolation::Image
            && self.variables.get(name).is_some_and(|own| own == value)
            && !self.patterns.take(name)
            && !CLIENTS.iter().any(|prefix| name.starts_with(prefix))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::options::{decode, tables::EXEC_OPERATOR};

    fn patterns(list: Option<&[&str]>) -> Result<Patterns, ConfigError> {
        let given = list.map(|list| (OPTION.to_owned(), list.into()));
        Patterns::read(&decode(EXEC_OPERATOR, &given.into_iter().collect()).unwrap())
    }

    fn agent() -> BTreeMap<String, String> {
        [
            ("PATH", "/bin"),
            ("LC_TIME", "C"),
            ("SECRET", "s"),
            ("VAULT_TOKEN", "v"),
            ("NOMAD_REGION", "global"),
            ("PLUGIN_MIN_PORT", "10000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn offered(patterns: &Patterns) -> Vec<String> {
        let variables = agent();
        let agent = AgentEnv {
            patterns,
            isolation: FsIsolation::Image,
            variables: &variables,
        };
        assert!(!agent.withholds("SECRET", "s"));
        agent.offered().map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn by_default_a_task_gets_what_names_no_secret() {
        assert_eq!(offered(&patterns(None).unwrap()), ["LC_TIME", "PATH"]);
        assert_eq!(offered(&patterns(Some(&[])).unwrap()), [""; 0]);
    }

    #[test]
    fn with_a_star_it_gets_everything_but_what_nomad_keeps() {
        assert_eq!(
            offered(&patterns(Some(&["*"])).unwrap()),
            ["LC_TIME", "NOMAD_REGION", "PATH", "SECRET"]
        );
    }

    #[test]
    fn withheld_is_what_equals_the_agents_own_and_is_not_the_clients() {
        let (patterns, variables) = (patterns(None).unwrap(), agent());
        let agent = AgentEnv {
            patterns: &patterns,
            isolation: FsIsolation::Unveil,
            variables: &variables,
        };
        assert_eq!(agent.offered().count(), 0);
        assert!(agent.withholds("SECRET", "s"));
        assert!(!agent.withholds("SECRET", "the job's own"));
        assert!(!agent.withholds("PATH", "/bin"));
        assert!(!agent.withholds("NOMAD_REGION", "global"));
        assert!(!agent.withholds("OTHER", "s"));
    }

    #[test]
    fn what_cannot_be_a_name_is_an_error() {
        for bad in ["", "A=B", "A\0"] {
            assert!(patterns(Some(&[bad])).is_err(), "{bad:?}");
        }
    }
}
