//! A directory that becomes a guest's root: programs of this machine with the libraries they need.
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Result;
use super::programs::output;

pub(crate) struct Tree {
    pub(crate) root: PathBuf,
}

impl Tree {
    /// Empty, with the directories that every root has; `/bin` and its like lead into `/usr`, as on Debian.
    pub(crate) fn new(root: PathBuf) -> Result<Tree> {
        if root.exists() {
            std::fs::remove_dir_all(&root)?;
        }
        let tree = Tree { root };
        for directory in ["bin", "sbin", "lib", "lib64"] {
            tree.directory(&format!("usr/{directory}"), 0o755)?;
            symlink(format!("usr/{directory}"), tree.path(directory))?;
        }
        for directory in [
            "dev",
            "etc",
            "home",
            "media",
            "mnt",
            "opt",
            "proc",
            "root",
            "run",
            "srv",
            "sys",
            "usr/local/bin",
            "usr/share/zoneinfo",
            "var/lib",
        ] {
            tree.directory(directory, 0o755)?;
        }
        for directory in ["tmp", "var/tmp"] {
            tree.directory(directory, 0o1777)?;
        }
        Ok(tree)
    }

    /// Where a path of the guest's is here.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    fn directory(&self, inside: &str, mode: u32) -> Result<()> {
        let path = self.path(inside);
        std::fs::create_dir_all(&path)?;
        Ok(std::fs::set_permissions(
            path,
            std::fs::Permissions::from_mode(mode),
        )?)
    }

    /// Copies a file to a path inside.
    pub(crate) fn copy(&self, from: &Path, inside: &str) -> Result<()> {
        let to = self.path(inside);
        std::fs::create_dir_all(to.parent().ok_or("a path without a directory")?)?;
        std::fs::copy(from, &to).map_err(|error| format!("copy {}: {error}", from.display()))?;
        Ok(())
    }

    /// Copies a program to a path inside, and the libraries that it needs to theirs.
    pub(crate) fn program(&self, from: &Path, inside: &str) -> Result<()> {
        self.copy(from, inside)?;
        for library in libraries(from)? {
            if !self.path(&library).exists() {
                self.copy(Path::new(&library), &library)?;
            }
        }
        Ok(())
    }

    /// Copies a program of this machine to where it is; `None` when there is none.
    pub(crate) fn host_program(&self, name: &str) -> Result<Option<()>> {
        let places = ["/usr/bin", "/usr/sbin"].map(|place| Path::new(place).join(name));
        let Some(path) = places.into_iter().find(|path| path.exists()) else {
            return Ok(None);
        };
        self.program(&path, &path.display().to_string()).map(Some)
    }
}

/// By ldd(1), which fails for what is not dynamic.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let Ok(listed) = output(Command::new("ldd").arg(program)) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for line in listed.lines() {
        let path = line.split_whitespace().find(|word| word.starts_with('/'));
        found.extend(path.map(str::to_owned));
        if line.contains("not found") {
            return Err(format!("{}: {}", program.display(), line.trim()).into());
        }
    }
    Ok(found)
}
