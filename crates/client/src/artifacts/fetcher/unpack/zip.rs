//! zip.
use std::fs::File;
use std::io::{self, BufReader};

use zip::ZipArchive;
use zip::result::ZipError;

use super::Problem;
use super::tree::{Marks, Tree};

/// The type of a file in a Unix mode.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

pub(super) fn unpack(from: File, tree: &mut Tree<'_>) -> Result<(), Problem> {
    let mut archive = ZipArchive::new(BufReader::new(from)).map_err(failed)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(failed)?;
        tree.entry(entry.size())?;
        let name = entry.name_raw().to_vec();
        let marks = Marks {
            mode: entry.unix_mode(),
            modified: None,
        };
        match entry.unix_mode().unwrap_or(0) & TYPE {
            _ if name.ends_with(b"/") => tree.directory(&name, marks)?,
            DIRECTORY => tree.directory(&name, marks)?,
            // Without a Unix mode it is a file.
            0 | REGULAR => tree.file(&name, marks, &mut entry)?,
            _ => tree.leave_out(&name),
        }
    }
    Ok(())
}

fn failed(error: ZipError) -> Problem {
    Problem::archive(io::Error::from(error))
}
