//! Which face is asked for: by Nomad's cookie, and by the name that the program was started under.
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use driver::Kind;

use crate::terminal;

/// What Nomad sets for a plugin that it starts.
pub(crate) const COOKIE: &str = "NOMAD_PLUGIN_MAGIC_COOKIE";

/// EX_USAGE of sysexits(3).
const USAGE: u8 = 64;

/// The two faces, and the plugin's without anybody to talk to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Plugin(Kind),
    PluginWithoutNomad,
    CommandLine,
}

impl Face {
    /// Under a plugin's name this is a plugin; under any other it is one only when Nomad started it.
    pub(crate) fn of(arguments: &[OsString], cookie: Option<OsString>) -> Face {
        let by_name = arguments.first().and_then(|name| named(Path::new(name)));
        match (cookie, by_name) {
            (None, None) => Face::CommandLine,
            (None, Some(_)) => Face::PluginWithoutNomad,
            (Some(_), by_name) => Face::Plugin(asked(arguments).or(by_name).unwrap_or(Kind::Exec2)),
        }
    }
}

/// The driver that a file name stands for.
fn named(program: &Path) -> Option<Kind> {
    match program.file_name()?.to_str()? {
        "exec" | "nomad-driver-exec" => Some(Kind::Exec),
        "exec2" | "nomad-driver-exec2" => Some(Kind::Exec2),
        _ => None,
    }
}

/// `args = ["--driver=exec"]` of the agent's `plugin` block.
fn asked(arguments: &[OsString]) -> Option<Kind> {
    arguments.iter().skip(1).find_map(|argument| {
        match argument
            .to_str()?
            .trim_start_matches('-')
            .strip_prefix("driver=")?
        {
            "exec" => Some(Kind::Exec),
            "exec2" => Some(Kind::Exec2),
            _ => None,
        }
    })
}

const WITHOUT_NOMAD: &str = "\
This is a Nomad driver plugin and also the encamp command line.
  As a plugin: copy it to <data_dir>/plugins and add   plugin \"nomad-driver-exec2\" { config { } }   to the client config.
  As a command: encamp --help
";

/// Says what a plugin is that somebody started by hand.
pub(crate) fn explain() -> ExitCode {
    terminal::say(WITHOUT_NOMAD);
    ExitCode::from(USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(arguments: &[&str], cookie: Option<&str>) -> Face {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Face::of(&arguments, cookie.map(OsString::from))
    }

    #[test]
    fn without_a_cookie_it_is_a_command() {
        assert_eq!(face(&["/usr/bin/encamp", "run"], None), Face::CommandLine);
        assert_eq!(face(&[], None), Face::CommandLine);
    }

    #[test]
    fn under_a_plugins_name_it_is_that_plugin() {
        for (name, kind) in [
            ("/opt/plugins/exec", Kind::Exec),
            ("nomad-driver-exec", Kind::Exec),
            ("./exec2", Kind::Exec2),
            ("nomad-driver-exec2", Kind::Exec2),
        ] {
            assert_eq!(face(&[name], Some("c")), Face::Plugin(kind));
            assert_eq!(face(&[name], None), Face::PluginWithoutNomad);
        }
    }

    #[test]
    fn under_another_name_the_agents_arguments_decide() {
        assert_eq!(
            face(&["encamp", "--driver=exec"], Some("c")),
            Face::Plugin(Kind::Exec)
        );
        assert_eq!(
            face(&["encamp", "-driver=exec2"], Some("c")),
            Face::Plugin(Kind::Exec2)
        );
        assert_eq!(face(&["encamp"], Some("c")), Face::Plugin(Kind::Exec2));
    }
}
