//! Destinations such as `alloc/x`, which Nomad's client resolves below the task directory: under fs isolation `chroot` the shared
//! directory is bound there, under `image` nothing is, so what was rendered there and what will be must reach it another way.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::lower::Directories;

/// Nothing deeper is moved; nobody renders that deep.
const MAX_DEPTH: u8 = 32;

/// Makes `alloc` in the task directory a link to the shared directory, after moving what lies there.
///
/// # Errors
/// When a file is in the way: neither of the two is given up.
pub(crate) fn redirect(at: &Directories) -> io::Result<()> {
    let link = at.task.join("alloc");
    match rustix::fs::symlinkat("../alloc", CWD, &link) {
        Err(Errno::EXIST) => {}
        done => return Ok(done?),
    }
    let (found, shared) = (
        rustix::fs::statat(CWD, &link, AtFlags::SYMLINK_NOFOLLOW)?,
        rustix::fs::stat(&at.alloc)?,
    );
    let bound = (found.st_dev, found.st_ino) == (shared.st_dev, shared.st_ino);
    // The bind of a chroot that the client built for the built-in driver serves as well.
    if bound || FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return Ok(());
    }
    merge(
        directory(CWD, &link)?,
        directory(CWD, &at.alloc)?.as_fd(),
        MAX_DEPTH,
    )?;
    rustix::fs::unlinkat(CWD, &link, AtFlags::REMOVEDIR)?;
    Ok(rustix::fs::symlinkat("../alloc", CWD, &link)?)
}

/// Opened by descriptor, links not followed: tasks write below the shared directory.
fn directory(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(
        at,
        path,
        OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn merge(from: OwnedFd, to: impl AsFd + Copy, depth: u8) -> io::Result<()> {
    for entry in Dir::read_from(&from)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        match rustix::fs::renameat_with(&from, name, to, name, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) if depth > 0 => {
                let inner =
                    directory(&from, name).and_then(|from| Ok((from, directory(to, name)?)));
                let (inner_from, inner_to) = inner.map_err(|_| in_the_way(name))?;
                merge(inner_from, inner_to.as_fd(), depth - 1)?;
                rustix::fs::unlinkat(&from, name, AtFlags::REMOVEDIR)?;
            }
            moved => moved?,
        }
    }
    Ok(())
}

fn in_the_way(name: &std::ffi::CStr) -> io::Error {
    let path = Path::new("alloc").join(name.to_string_lossy().as_ref());
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{} is in the shared directory already", path.display()),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;

    fn fresh(name: &str) -> Directories {
        let root =
            std::env::temp_dir().join(format!("encamp-shared-{}-{name}", std::process::id()));
        let at = Directories {
            alloc: root.join("alloc"),
            task: root.join("web"),
        };
        fs::create_dir_all(at.alloc.join("data")).unwrap();
        fs::create_dir_all(&at.task).unwrap();
        at
    }

    fn gone(at: &Directories) {
        fs::remove_dir_all(at.task.parent().unwrap()).unwrap();
    }

    #[test]
    fn later_renders_arrive_through_a_link() {
        let at = fresh("link");
        redirect(&at).unwrap();
        redirect(&at).unwrap();
        fs::write(at.task.join("alloc/x"), "later").unwrap();
        assert_eq!(fs::read_to_string(at.alloc.join("x")).unwrap(), "later");
        gone(&at);
    }

    #[test]
    fn what_was_rendered_is_moved() {
        let at = fresh("moved");
        fs::create_dir_all(at.task.join("alloc/data/deep")).unwrap();
        fs::write(at.task.join("alloc/data/deep/x"), "one").unwrap();
        fs::write(at.task.join("alloc/y"), "two").unwrap();
        redirect(&at).unwrap();
        assert_eq!(
            fs::read_to_string(at.alloc.join("data/deep/x")).unwrap(),
            "one"
        );
        assert_eq!(fs::read_to_string(at.alloc.join("y")).unwrap(), "two");
        assert!(at.task.join("alloc").is_symlink());
        gone(&at);
    }

    #[test]
    fn a_file_in_the_way_is_told_and_kept() {
        let at = fresh("kept");
        fs::create_dir_all(at.task.join("alloc")).unwrap();
        fs::write(at.task.join("alloc/data"), "new").unwrap();
        assert!(
            redirect(&at)
                .unwrap_err()
                .to_string()
                .contains("alloc/data is in the shared directory already")
        );
        assert_eq!(
            fs::read_to_string(at.task.join("alloc/data")).unwrap(),
            "new"
        );
        gone(&at);
    }
}
