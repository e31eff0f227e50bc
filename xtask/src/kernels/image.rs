//! The initramfs that a guest boots: everything it will ever have.
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::Kernel;
use super::programs::{self, Programs, output, succeed};
use super::rows::{Guest, Init, Runs};
use super::tree::Tree;
use super::{Result, Store};

/// Where the programs of the suite are in a guest; `init.sh` knows it too.
pub(crate) const PROGRAMS: &str = "/opt/encamp";

/// Programs of this machine that the tests run, on the host's side or inside of tasks. Whatever else a shell wants is busybox.
const TOOLS: [&str; 21] = [
    "cat", "chrt", "nice", "env", "head", "ip", "ldconfig", "ls", "nsenter", "perl", "prlimit",
    "setpriv", "setsid", "sh", "sleep", "stty", "true", "umount", "unshare", "id", "bash",
];

/// What perl's sockets are made of, below [`PERL`].
const SOCKET: [&str; 9] = [
    "Carp.pm",
    "Exporter.pm",
    "Socket.pm",
    "XSLoader.pm",
    "auto/Socket/Socket.so",
    "overloading.pm",
    "strict.pm",
    "warnings.pm",
    "warnings/register.pm",
];

/// The part of perl that every Debian has.
const PERL: &str = "/usr/lib/x86_64-linux-gnu/perl-base";

/// Files of this machine that programs look into.
const FILES: [&str; 10] = [
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
];

/// The unit that runs the suite.
const UNIT: &str = "suite.service";

/// systemd and what tells it to reload.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/usr/bin/systemctl"];

/// Makes the image of a guest and says where it is.
pub(crate) fn make(
    store: &Store,
    programs: &Programs,
    kernel: &Kernel,
    row: &str,
    guest: &Guest,
) -> Result<PathBuf> {
    let tree = Tree::new(store.kept("trees")?.join(row))?;
    tools(&tree)?;
    for program in contents(store, programs, &guest.runs)? {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        tree.program(&program, &format!("{PROGRAMS}/{name}"))?;
    }
    for path in &kernel.modules {
        module(&tree, path)?;
    }
    tree.copy(&store.sources().join("init.sh"), "/init")?;
    if guest.init == Init::Systemd {
        systemd(store, &tree)?;
    }
    pack(store, &tree, row)
}

/// The programs under test and those that test them.
fn contents(store: &Store, programs: &Programs, runs: &Runs) -> Result<Vec<PathBuf>> {
    match runs {
        Runs::Suite(_) => {
            let entries = std::fs::read_dir(&programs.directory)?;
            entries.map(|entry| Ok(entry?.path())).collect()
        }
        Runs::PluginHost => Ok(vec![
            programs.directory.join("encamp"),
            programs::plugin_host(store)?,
        ]),
    }
}

fn tools(tree: &Tree) -> Result<()> {
    tree.host_program("busybox")?
        .ok_or("no busybox on this machine")?;
    for name in TOOLS {
        if tree.host_program(name)?.is_none() {
            println!("xtask kernels: no {name} on this machine, so none in the guest");
        }
    }
    for path in FILES.into_iter().filter(|path| Path::new(path).exists()) {
        tree.copy(Path::new(path), path)?;
    }
    tree.copy(Path::new("/usr/lib/os-release"), "/usr/lib/os-release")?;
    std::os::unix::fs::symlink("../usr/lib/os-release", tree.path("/etc/os-release"))?;
    // This machine's own is nobody's business; tests try to read one.
    std::fs::write(tree.path("/etc/shadow"), "root:*:19000::::::\n")?;
    std::fs::set_permissions(tree.path("/etc/shadow"), Permissions::from_mode(0o640))?;
    for file in SOCKET {
        let path = format!("{PERL}/{file}");
        tree.copy(Path::new(&path), &path)?;
    }
    for applet in output(Command::new("busybox").arg("--list"))?.lines() {
        let taken =
            ["usr/bin", "usr/sbin"].map(|place| tree.path(&format!("{place}/{applet}")).exists());
        if taken == [false; 2] {
            std::os::unix::fs::symlink("busybox", tree.path(&format!("usr/bin/{applet}")))?;
        }
    }
    Ok(())
}

/// Newer kernels have theirs compressed.
fn module(tree: &Tree, path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let inside = format!("/{name}");
    tree.copy(path, &inside)?;
    if name.ends_with(".xz") {
        succeed(Command::new("xz").arg("-d").arg(tree.path(&inside)))?;
    }
    Ok(())
}

fn systemd(store: &Store, tree: &Tree) -> Result<()> {
    for path in SYSTEMD {
        tree.program(Path::new(path), path)?;
    }
    tree.copy(
        &store.sources().join(UNIT),
        &format!("/etc/systemd/system/{UNIT}"),
    )
}

/// Not compressed: to unpack it would take the guest longer than to be handed it.
fn pack(store: &Store, tree: &Tree, row: &str) -> Result<PathBuf> {
    let image = store.kept("images")?.join(row);
    let script = "find . -mindepth 1 -print0 | cpio --null --create --format=newc --owner=0:0 --quiet > \"$0\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(&image);
    succeed(shell.current_dir(&tree.root))?;
    Ok(image)
}
