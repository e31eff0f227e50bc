//! From an archive to files and directories, and to nothing else.
mod compressed;
mod part;
mod tar;
mod tree;
mod zip;

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::problem::Problem;
use crate::artifacts::order::{Archive, Holds, Limits, Outcome, Packed};
use tree::{Shape, Tree};

use tree::LeftOut;

/// Where an archive is unpacked before the part that is wanted is taken out of it.
const WHOLE: &str = "whole";

/// Takes a file as it came.
pub(super) fn keep(download: &Path, result: &Outcome, out: &Path) -> Result<(), Problem> {
    let to = match result {
        Outcome::File => out.to_owned(),
        Outcome::Directory { name, .. } => {
            fs::create_dir(out).map_err(Problem::write)?;
            out.join(name)
        }
    };
    // What the server says of it tells nothing of its mode.
    let mode = fs::Permissions::from_mode(tree::FILE);
    fs::set_permissions(download, mode).map_err(Problem::write)?;
    fs::rename(download, to).map_err(Problem::write)
}

/// Unpacks a file, and takes what is wanted of it.
pub(super) fn unpack(
    download: &Path,
    archive: Archive,
    result: &Outcome,
    out: &Path,
    limits: Limits,
) -> Result<LeftOut, Problem> {
    let file = File::open(download).map_err(Problem::archive)?;
    match result {
        Outcome::File => into(file, archive, Shape::One, out, limits),
        Outcome::Directory { name, part: None } => {
            into(file, archive, Shape::Many { single: name }, out, limits)
        }
        Outcome::Directory {
            name,
            part: Some(wanted),
        } => {
            let whole = out.with_file_name(WHOLE);
            let shape = Shape::Many { single: name };
            let left_out = into(file, archive, shape, &whole, limits)?;
            part::take(&whole, wanted, out)?;
            fs::remove_dir_all(&whole).map_err(Problem::write)?;
            Ok(left_out)
        }
    }
}

fn into(
    file: File,
    archive: Archive,
    shape: Shape<'_>,
    out: &Path,
    limits: Limits,
) -> Result<LeftOut, Problem> {
    let mut tree = Tree::new(out, shape, limits)?;
    match archive.holds {
        Holds::Zip => zip::unpack(file, &mut tree)?,
        Holds::Tar => tar::unpack(opened(file, archive.packed)?, &mut tree)?,
        Holds::File => tree.single_file(&mut opened(file, archive.packed)?)?,
    }
    tree.finish()
}

fn opened(file: File, packed: Packed) -> Result<Box<dyn Read>, Problem> {
    compressed::reader(BufReader::with_capacity(64 << 10, file), packed)
}

/// Unpacks bytes of anybody's into a directory that does not exist: what the fuzzer is given.
#[doc(hidden)]
pub fn try_unpacking(bytes: &[u8], archive: Archive, out: &Path, limits: Limits) {
    let download = out.with_extension("download");
    let result = Outcome::Directory {
        name: "file".to_owned(),
        part: None,
    };
    if fs::write(&download, bytes).is_ok() {
        // Whether it is refused is not the question there, but what is left.
        let _ = unpack(&download, archive, &result, out, limits);
        let _ = fs::remove_file(&download);
    }
}

#[cfg(test)]
mod tests;
