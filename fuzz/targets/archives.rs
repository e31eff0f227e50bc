//! Any bytes as an archive of every kind, the first byte says which: unpacked into a directory. Whatever comes of it, there are only files
//! and directories in it, none of them with a set-id bit, and no more than the limits say.
#![no_main]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use client::artifacts::{ARCHIVES, Limits, try_unpacking};
use libfuzzer_sys::fuzz_target;

const BYTES: u64 = 64 << 10;
const FILES: u64 = 32;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let (_, archive) = ARCHIVES[usize::from(*kind) % ARCHIVES.len()];
    let limits = Limits {
        unpacked: Some(BYTES),
        files: Some(FILES),
        ..Limits::default()
    };
    let ground = ground();
    let _ = std::fs::remove_dir_all(&ground);
    std::fs::create_dir_all(&ground).expect("a directory of this process's own");
    try_unpacking(bytes, archive, &ground.join("out"), limits);
    let written = look(&ground.join("out"));
    assert!(written <= BYTES, "{written} bytes");
    let beside = std::fs::read_dir(&ground).expect("as above").count();
    assert!(beside <= 1, "something lies beside");
});

/// Below what whoever runs this removes in the end.
fn ground() -> PathBuf {
    std::env::temp_dir().join("ground")
}

/// How many bytes lie below.
fn look(path: &Path) -> u64 {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return 0;
    };
    assert!(found.is_dir() || found.is_file(), "{path:?}");
    assert_eq!(found.mode() & 0o7000, 0, "{path:?}");
    if found.is_file() {
        return found.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| look(&entry.path())).sum()
}
