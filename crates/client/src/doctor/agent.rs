//! Whether a Nomad agent's configuration will do with our plugins what it says: Nomad passes in silence over what it does not find.
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use driver::Kind;
use driver::options::{Value, Values};
use jobspec::agent::{self, Agent, Map, Plugin};

use super::Finding;
use crate::config::as_written;
use crate::configuration::ConfigFile;
use crate::configuration::plugins::{is_empty, kind, names};

/// Where Nomad looks for plugins, below its data directory, when nobody says.
const PLUGINS: &str = "plugins";

/// What the files say together, as far as the plugins go.
#[derive(Default)]
struct Merged {
    plugin_dir: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    chroot_env: Map,
    plugins: Vec<Plugin>,
}

/// Looks at an agent's configuration files, in their order.
pub fn examine_agent(files: &[ConfigFile]) -> Vec<Finding> {
    let mut merged = Merged::default();
    let mut findings = Vec::new();
    for file in files {
        match agent::parse(&file.name, &file.text, &names()) {
            Ok(agent) => merged.add(agent),
            Err(mistakes) => findings.extend(mistakes.iter().map(|mistake| {
                let text = format!("{} cannot be read: {}", file.name, mistake.detail);
                Finding::failure("nomad.config", text)
            })),
        }
    }
    if findings.is_empty() {
        findings = merged.examine();
    }
    findings
}

impl Merged {
    fn add(&mut self, agent: Agent) {
        let path = |given: Option<jobspec::Spanned<String>>| given.map(|path| path.value.into());
        self.plugin_dir = path(agent.plugin_dir).or(self.plugin_dir.take());
        self.data_dir = path(agent.data_dir).or(self.data_dir.take());
        let map = agent.client.chroot_env.into_iter();
        self.chroot_env.extend(map.flat_map(|map| map.value));
        for plugin in agent.plugins {
            let mut known = self.plugins.iter_mut();
            match known.find(|before| before.name.value == plugin.name.value) {
                Some(_) if is_empty(&plugin) => {}
                Some(before) => *before = plugin,
                None => self.plugins.push(plugin),
            }
        }
    }

    fn directory(&self) -> Option<PathBuf> {
        let below = self.data_dir.as_ref().map(|data| data.join(PLUGINS));
        self.plugin_dir.clone().or(below)
    }

    fn examine(&self) -> Vec<Finding> {
        let Some(directory) = self.directory() else {
            let text = "these files have neither plugin_dir nor data_dir";
            return vec![Finding::failure("nomad.plugin_dir", text)];
        };
        let blocks = self
            .plugins
            .iter()
            .map(|plugin| file_of(plugin, &directory));
        let files = names().into_iter();
        let unused = files.filter_map(|name| self.unused(name, &directory));
        blocks.chain(unused).chain(self.chroot_env()).collect()
    }

    /// Nomad loads only what a block names.
    fn unused(&self, name: &str, directory: &Path) -> Option<Finding> {
        let path = directory.join(name);
        let named = self.plugins.iter().any(|plugin| plugin.name.value == name);
        (path.exists() && !named).then(|| {
            let text = format!("{} has no block, so Nomad does not load it", path.display());
            Finding::warning("nomad.plugin", text)
                .way_out(format!("plugin {name:?} {{ config {{}} }}"))
        })
    }

    /// The client's own map never reaches a driver that makes its root itself.
    fn chroot_env(&self) -> Option<Finding> {
        let exec = self
            .plugins
            .iter()
            .find(|plugin| kind(&plugin.name.value) == Some(Kind::Exec))?;
        let values = as_written(&exec.config);
        let chroot = values.get("fs_isolation") == Some(&"chroot".into());
        if self.chroot_env.is_empty() || chroot || given(&values) == self.chroot_env {
            return None;
        }
        let name = &exec.name.value;
        let text = format!(
            "client.chroot_env is not used by plugin {name:?}, whose own chroot_env differs from it"
        );
        let way_out =
            format!("give plugin {name:?} the same chroot_env, or fs_isolation = \"chroot\"");
        Some(Finding::failure("nomad.chroot_env", text).way_out(way_out))
    }
}

fn given(values: &Values) -> Map {
    let Some(Value::Map(map)) = values.get("chroot_env") else {
        return Map::new();
    };
    let text = |(from, to): (&String, &Value)| match to {
        Value::String(to) => Some((from.clone(), to.clone())),
        _ => None,
    };
    map.iter().filter_map(text).collect()
}

/// A block configures the file of its name; without that, nobody.
fn file_of(plugin: &Plugin, directory: &Path) -> Finding {
    let name = &plugin.name.value;
    let path = directory.join(name);
    let shown = path.display();
    let (check, install) = (
        "nomad.plugin",
        format!("cp \"$(command -v encamp)\" {shown}"),
    );
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {
            Finding::fine(check, format!("plugin {name:?} configures {shown}"))
        }
        Ok(_) => Finding::failure(check, format!("{shown} cannot be executed")).way_out(install),
        Err(_) if path.is_symlink() => {
            let text = format!("{shown} is a link to nothing, with which the agent does not start");
            Finding::failure(check, text).way_out(install)
        }
        Err(error) => {
            let whom = if name == "exec" {
                "only Nomad's own driver"
            } else {
                "nobody"
            };
            let text = format!("plugin {name:?} configures {whom}: {shown}: {error}");
            Finding::failure(check, text).way_out(install)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use std::fs;

    /// What is found with these plugin files, for a configuration that follows the directories.
    fn found(name: &str, plugins: &[(&str, u32)], text: &str) -> Vec<(Level, String)> {
        found_in(name, plugins, &[text])
    }

    /// The same for several files.
    fn found_in(name: &str, plugins: &[(&str, u32)], texts: &[&str]) -> Vec<(Level, String)> {
        let root = std::env::temp_dir().join(format!("encamp-agent-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("plugins")).unwrap();
        for (plugin, mode) in plugins {
            let path = root.join("plugins").join(plugin);
            fs::write(&path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        let files: Vec<_> = texts
            .iter()
            .map(|text| ConfigFile {
                name: "nomad.hcl".into(),
                text: format!("data_dir = {root:?}\n{text}"),
            })
            .collect();
        let findings = examine_agent(&files);
        fs::remove_dir_all(&root).unwrap();
        findings
            .into_iter()
            .map(|finding| (finding.level, finding.text))
            .collect()
    }

    fn levels(found: &[(Level, String)]) -> Vec<Level> {
        found.iter().map(|(level, _)| *level).collect()
    }

    #[test]
    fn a_block_with_its_file_is_fine() {
        let found = found("fine", &[("exec", 0o755)], "plugin \"exec\" {}");
        assert_eq!(levels(&found), [Level::Fine]);
    }

    #[test]
    fn a_block_without_a_file_of_its_name_fails() {
        let found = found(
            "lost",
            &[("nomad-driver-exec", 0o755)],
            "plugin \"exec\" {}",
        );
        assert_eq!(levels(&found), [Level::Failure, Level::Warning]);
        assert!(found[0].1.contains("only Nomad's own driver"), "{found:?}");
        assert!(found[1].1.contains("does not load it"), "{found:?}");
    }

    #[test]
    fn a_file_that_cannot_be_executed_fails() {
        let found = found("plain", &[("exec2", 0o644)], "plugin \"exec2\" {}");
        assert_eq!(levels(&found), [Level::Failure]);
    }

    #[test]
    fn a_chroot_env_of_the_clients_that_the_plugin_does_not_share_fails() {
        let client = "client {\n  chroot_env {\n    \"/srv\" = \"/srv\"\n  }\n}\n";
        let with = |name, config: &str| {
            let block = format!("plugin \"exec\" {{\n  config {{\n    {config}\n  }}\n}}");
            levels(&found(
                name,
                &[("exec", 0o755)],
                &format!("{client}{block}"),
            ))
        };
        assert_eq!(with("none", ""), [Level::Fine, Level::Failure]);
        assert_eq!(
            with("other", "chroot_env = { \"/a\" = \"/a\" }"),
            [Level::Fine, Level::Failure]
        );
        assert_eq!(
            with("same", "chroot_env = { \"/srv\" = \"/srv\" }"),
            [Level::Fine]
        );
        assert_eq!(with("client", "fs_isolation = \"chroot\""), [Level::Fine]);
    }

    #[test]
    fn an_empty_block_takes_nothing_from_an_earlier_one_as_in_nomad() {
        let client = "client {\n  chroot_env {\n    \"/srv\" = \"/srv\"\n  }\n}\n";
        let same =
            "plugin \"exec\" {\n  config {\n    chroot_env = { \"/srv\" = \"/srv\" }\n  }\n}\n";
        let with = |name, after: &str| {
            let files = [client, same, after];
            levels(&found_in(name, &[("exec", 0o755)], &files))
        };
        assert_eq!(with("empty", "plugin \"exec\" {}"), [Level::Fine]);
        assert_eq!(
            with("empty-config", "plugin \"exec\" {\n  config {}\n}"),
            [Level::Fine]
        );
        assert_eq!(
            with(
                "other-config",
                "plugin \"exec\" {\n  config {\n    no_pivot_root = true\n  }\n}"
            ),
            [Level::Fine, Level::Failure]
        );
    }

    #[test]
    fn what_cannot_be_read_fails() {
        assert_eq!(levels(&found("broken", &[], "plugin {")), [Level::Failure]);
    }
}
