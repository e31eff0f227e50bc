//! tar, as GNU, BSD and POSIX write it.
use std::io::Read;
use std::time::{Duration, SystemTime};

use tar::{Archive, EntryType, Header};

use super::Problem;
use super::tree::{Marks, Tree};

pub(super) fn unpack(from: impl Read, tree: &mut Tree<'_>) -> Result<(), Problem> {
    let mut archive = Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry?;
        tree.entry(entry.size())?;
        let name = entry.path_bytes().into_owned();
        let marks = marks(entry.header());
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                tree.file(&name, marks, &mut entry)?;
            }
            EntryType::Directory => tree.directory(&name, marks)?,
            // Words about the archive itself.
            EntryType::XGlobalHeader | EntryType::XHeader => {}
            _ => tree.leave_out(&name),
        }
    }
    Ok(())
}

/// What cannot be read is not there.
fn marks(header: &Header) -> Marks {
    let modified = header.mtime().ok().map(Duration::from_secs);
    Marks {
        mode: header.mode().ok(),
        modified: modified.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
    }
}
