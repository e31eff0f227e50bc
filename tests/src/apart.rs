//! Namespaces of a test's own: what it mounts and which network it makes never reach the host, however it ends.
//!
//! The test's program is executed once more under unshare(1), for this one test.
use std::process::Command;

use crate::World;

/// Names the test that already is apart.
const APART: &str = "ENCAMP_TEST_APART";

/// What is the test's own besides its mount namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// Nothing; mounts of the test's propagate as those of a host whose tree is private.
    Private,
    /// Nothing; the tree is shared, as systemd makes it.
    Shared,
    /// The network; `/run` is an empty tmpfs, where ip-netns(8) keeps its names.
    Network,
}

impl Apart {
    /// Runs the body in namespaces of its own. To be called as the test's only statement, with a closure written there: the closure's
    /// type says which test it is.
    ///
    /// # Panics
    /// When the body does.
    pub fn run<F: FnOnce(&World)>(self, body: F) {
        let name = test_name::<F>();
        if std::env::var(APART).is_ok_and(|apart| apart == name) {
            return body(&World::shared());
        }
        // Tests that want the host alone wait for this one.
        let _world = World::shared();
        let output = self.command(&name).output().expect("unshare(1)");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        // Were the name wrong, no test would run and nothing would fail.
        assert!(
            output.status.success() && stdout.contains("1 passed"),
            "{name}, apart:\n{stdout}\n{stderr}"
        );
    }

    fn command(self, name: &str) -> Command {
        let program = std::env::current_exe().expect("the test has a path");
        let propagation = match self {
            Apart::Private | Apart::Network => "private",
            Apart::Shared => "shared",
        };
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", propagation]);
        if self == Apart::Network {
            let script = "ip link set lo up && mount -t tmpfs tmpfs /run && exec \"$@\"";
            command.args(["--net", "sh", "-c", script, "sh"]);
        }
        command.arg(program).args(["--exact", name, "--nocapture"]);
        command.env(APART, name);
        command
    }
}

/// `module::test` of `crate::module::test::{{closure}}`.
fn test_name<F>() -> String {
    let path = std::any::type_name::<F>();
    let path = path.split_once("::").map_or(path, |(_, path)| path);
    path.trim_end_matches("::{{closure}}").to_owned()
}
