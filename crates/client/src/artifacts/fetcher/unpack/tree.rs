//! What comes out of an archive. Names are checked here, and nothing but files and directories is made: where there is
//! no link, no name can lead outside.
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::Problem;
use crate::artifacts::order::Limits;

/// Deeper than anybody nests, and shallow enough for whoever walks it.
pub(in crate::artifacts) const DEPTH: usize = 100;
/// Of a file whose archive does not say.
pub(super) const FILE: u32 = 0o644;
/// Set-id bits and the sticky bit are not for strangers to set.
const MODE: u32 = 0o777;

/// What is expected of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'a> {
    /// One file.
    One,
    /// Whatever it holds.
    Many {
        /// The name of a file that has none.
        single: &'a str,
    },
}

/// What an entry says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// Permissions, and whatever else is in a mode.
    pub(super) mode: Option<u32>,
    /// When it was changed.
    pub(super) modified: Option<SystemTime>,
}

/// Entries that were not made: links, devices, pipes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::artifacts) struct LeftOut {
    /// How many.
    pub(in crate::artifacts) count: u64,
    /// The name of the first.
    pub(in crate::artifacts) first: Option<String>,
}

/// A tree that grows.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    top: &'a Path,
    shape: Shape<'a>,
    limits: Limits,
    entries: u64,
    files: u64,
    written: u64,
    directories: Vec<(PathBuf, u32)>,
    left_out: LeftOut,
}

impl<'a> Tree<'a> {
    pub(super) fn new(top: &'a Path, shape: Shape<'a>, limits: Limits) -> Result<Self, Problem> {
        if let Shape::Many { .. } = shape {
            fs::create_dir_all(top).map_err(Problem::write)?;
        }
        Ok(Tree {
            top,
            shape,
            limits,
            entries: 0,
            files: 0,
            written: 0,
            directories: Vec::new(),
            left_out: LeftOut::default(),
        })
    }

    /// Counts an entry before anything of it is looked at.
    pub(super) fn entry(&mut self, size: u64) -> Result<(), Problem> {
        self.entries += 1;
        match self.limits.files {
            Some(limit) if self.entries > limit => Err(Problem::ManyFiles { limit }),
            _ => self.room_for(size),
        }
    }

    fn room_for(&self, more: u64) -> Result<(), Problem> {
        let bytes = self.written.saturating_add(more);
        if let Some(limit) = self.limits.unpacked.filter(|limit| bytes > *limit) {
            return Err(Problem::LongArchive { limit });
        }
        match self.limits.room {
            Some(room) if bytes > room => Err(Problem::NoRoom { room }),
            _ => Ok(()),
        }
    }

    /// Makes a directory.
    pub(super) fn directory(&mut self, name: &[u8], marks: Marks) -> Result<(), Problem> {
        let path = below(name)?;
        if let Shape::One = self.shape {
            return Err(Problem::Refused("expected a single file".to_owned()));
        }
        let path = self.top.join(path);
        fs::create_dir_all(&path).map_err(|error| clash(name, error))?;
        if let Some(mode) = marks.mode {
            self.directories.push((path, mode & MODE | 0o700));
        }
        Ok(())
    }

    /// Makes a file; one of the same name is replaced, as in any archive that was added to.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        marks: Marks,
        content: &mut dyn Read,
    ) -> Result<(), Problem> {
        let path = below(name)?;
        if path.as_os_str().is_empty() {
            return Err(refused(name, "has no name"));
        }
        self.files += 1;
        let path = match self.shape {
            Shape::One if self.files > 1 => {
                let several = "expected a single file, got multiple".to_owned();
                return Err(Problem::Refused(several));
            }
            Shape::One => self.top.to_owned(),
            Shape::Many { .. } => self.top.join(path),
        };
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(|error| clash(name, error))?;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(clash(name, error)),
            _ => self.write(&path, marks, content),
        }
    }

    /// The whole of what is no archive inside.
    pub(super) fn single_file(&mut self, content: &mut dyn Read) -> Result<(), Problem> {
        let name = match self.shape {
            Shape::One => "file",
            Shape::Many { single } => single,
        };
        self.file(name.as_bytes(), Marks::default(), content)
    }

    fn write(&mut self, path: &Path, marks: Marks, content: &mut dyn Read) -> Result<(), Problem> {
        let mut new = OpenOptions::new();
        let mut file = new
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(Problem::write)?;
        let mut chunk = vec![0; 128 << 10];
        loop {
            let got = content.read(&mut chunk)?;
            if got == 0 {
                break;
            }
            self.room_for(got as u64)?;
            self.written += got as u64;
            file.write_all(&chunk[..got]).map_err(Problem::write)?;
        }
        mark(&file, marks).map_err(Problem::write)
    }

    /// Takes note of an entry that is not made.
    pub(super) fn leave_out(&mut self, name: &[u8]) {
        self.left_out.count += 1;
        let name = || String::from_utf8_lossy(name).into_owned();
        self.left_out.first.get_or_insert_with(name);
    }

    /// Directories get their modes last, or nothing could be made in some of them.
    pub(super) fn finish(mut self) -> Result<LeftOut, Problem> {
        if let (Shape::One, 0) = (self.shape, self.files) {
            return Err(Problem::Refused("it holds no file".to_owned()));
        }
        self.directories.sort();
        for (path, mode) in self.directories.iter().rev() {
            fs::set_permissions(path, Permissions::from_mode(*mode)).map_err(Problem::write)?;
        }
        Ok(self.left_out)
    }
}

fn mark(file: &File, marks: Marks) -> io::Result<()> {
    let mode = marks.mode.unwrap_or(FILE) & MODE;
    file.set_permissions(Permissions::from_mode(mode))?;
    match marks.modified {
        Some(time) => file.set_modified(time),
        None => Ok(()),
    }
}

/// A name as a path below the top.
fn below(name: &[u8]) -> Result<PathBuf, Problem> {
    if name.contains(&0) {
        return Err(refused(name, "has the character NUL in its name"));
    }
    let mut path = PathBuf::new();
    for part in Path::new(OsStr::from_bytes(name)).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err(refused(name, "contains '..'")),
            _ => return Err(refused(name, "is an absolute path")),
        }
    }
    match path.components().count() {
        deep if deep > DEPTH => Err(refused(name, "is nested too deeply")),
        _ => Ok(path),
    }
}

fn refused(name: &[u8], why: &str) -> Problem {
    Problem::Refused(format!("its entry {} {why}", shown(name)))
}

/// A path that is a file and a directory at once.
fn clash(name: &[u8], error: io::Error) -> Problem {
    Problem::Archive(format!("its entry {}: {error}", shown(name)))
}

fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    format!("{:?}", text.chars().take(200).collect::<String>())
}
