#![allow(clippy::unwrap_used, reason = "tests")]
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::*;
use crate::artifacts::order::ARCHIVES;
use crate::testing::Scratch;

const ROOMY: Limits = Limits {
    download: None,
    unpacked: Some(1 << 20),
    files: Some(100),
    room: None,
    time: None,
};

/// One entry of an archive that is made for a test.
struct Entry<'a> {
    name: &'a [u8],
    kind: tar_crate::EntryType,
    mode: u32,
    link: &'a str,
    content: &'a [u8],
    size: Option<u64>,
}

use ::tar as tar_crate;

fn file<'a>(name: &'a [u8], content: &'a [u8]) -> Entry<'a> {
    Entry {
        name,
        kind: tar_crate::EntryType::Regular,
        mode: 0o644,
        link: "",
        content,
        size: None,
    }
}

fn special(name: &[u8], kind: tar_crate::EntryType) -> Entry<'_> {
    Entry {
        kind,
        ..file(name, b"")
    }
}

fn link<'a>(name: &'a [u8], kind: tar_crate::EntryType, to: &'a str) -> Entry<'a> {
    Entry {
        link: to,
        ..special(name, kind)
    }
}

/// Written byte by byte, since no library writes such names.
fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut header = tar_crate::Header::new_ustar();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(entry.name);
        header.as_old_mut().linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_size(entry.size.unwrap_or(entry.content.len() as u64));
        header.set_mtime(1_000_000_000);
        header.set_cksum();
        bytes.extend(header.as_bytes());
        bytes.extend(entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn zip(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, mode, content) in entries {
        let options = ::zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn kind(name: &str) -> Archive {
    ARCHIVES.iter().find(|(known, _)| *known == name).unwrap().1
}

fn all() -> Outcome {
    Outcome::Directory {
        name: "single".to_owned(),
        part: None,
    }
}

struct Ground {
    scratch: Scratch,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path().join("staging")).unwrap();
        fs::write(scratch.path().join("canary"), "alive").unwrap();
        Ground { scratch }
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("staging/out")
    }

    fn unpack(&self, bytes: &[u8], name: &str, result: &Outcome) -> Result<LeftOut, Problem> {
        self.within(bytes, name, result, ROOMY)
    }

    fn within(
        &self,
        bytes: &[u8],
        name: &str,
        result: &Outcome,
        limits: Limits,
    ) -> Result<LeftOut, Problem> {
        let download = self.scratch.path().join("staging/download");
        fs::write(&download, bytes).unwrap();
        unpack(&download, kind(name), result, &self.out(), limits)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.out().join(name)).unwrap()
    }

    /// Nothing beside the staging, and nothing but files and directories in it.
    fn is_clean(&self) {
        let mut names: Vec<_> = fs::read_dir(self.scratch.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["canary", "staging"]);
        let canary = self.scratch.path().join("canary");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
        assert_eq!(fs::metadata(&canary).unwrap().nlink(), 1);
        let mut left = vec![self.scratch.path().join("staging")];
        while let Some(path) = left.pop() {
            let found = fs::symlink_metadata(&path).unwrap();
            assert!(found.is_dir() || found.is_file(), "{path:?}");
            assert_eq!(found.permissions().mode() & 0o7000, 0, "{path:?}");
            if found.is_dir() {
                left.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            }
        }
    }
}

fn refusal(bytes: &[u8], name: &str) -> String {
    let ground = Ground::new();
    let problem = ground.unpack(bytes, name, &all()).unwrap_err();
    ground.is_clean();
    problem.to_string()
}

#[test]
fn a_tree_comes_out_with_modes_and_times() {
    let ground = Ground::new();
    let mut directory = special(b"bin/", tar_crate::EntryType::Directory);
    directory.mode = 0o750;
    let mut program = file(b"./bin/x", b"#!/bin/sh\n");
    program.mode = 0o755;
    let bytes = tar(&[directory, program, file(b"deep/er/y", b"y")]);
    assert_eq!(
        ground.unpack(&bytes, "tar", &all()).unwrap(),
        LeftOut::default()
    );
    assert_eq!(ground.read("bin/x"), "#!/bin/sh\n");
    assert_eq!(ground.read("deep/er/y"), "y");
    let mode = |name: &str| fs::metadata(ground.out().join(name)).unwrap().mode() & 0o7777;
    assert_eq!(
        (mode("bin"), mode("bin/x"), mode("deep/er/y")),
        (0o750, 0o755, 0o644)
    );
    let modified = fs::metadata(ground.out().join("bin/x")).unwrap().mtime();
    assert_eq!(modified, 1_000_000_000);
}

#[test]
fn set_id_bits_and_the_sticky_bit_are_taken_away() {
    let ground = Ground::new();
    let mut program = file(b"su", b"x");
    program.mode = 0o7755;
    let mut directory = special(b"d/", tar_crate::EntryType::Directory);
    directory.mode = 0o7777;
    ground
        .unpack(&tar(&[program, directory]), "tar", &all())
        .unwrap();
    ground.is_clean();
    let ground = Ground::new();
    ground
        .unpack(&zip(&[("su", 0o104_755, b"x")]), "zip", &all())
        .unwrap();
    ground.is_clean();
    assert_eq!(ground.read("su"), "x");
}

#[test]
fn links_devices_and_pipes_are_left_out_and_counted() {
    use tar_crate::EntryType as T;
    let ground = Ground::new();
    let bytes = tar(&[
        link(b"soft", T::Symlink, "/etc/passwd"),
        link(b"hard", T::Link, "../canary"),
        special(b"char", T::Char),
        special(b"block", T::Block),
        special(b"pipe", T::Fifo),
        file(b"x", b"x"),
    ]);
    let left_out = ground.unpack(&bytes, "tar", &all()).unwrap();
    assert_eq!(
        (left_out.count, left_out.first.as_deref()),
        (5, Some("soft"))
    );
    ground.is_clean();
    assert_eq!(fs::read_dir(ground.out()).unwrap().count(), 1);
}

#[test]
fn a_link_in_a_zip_is_left_out() {
    let ground = Ground::new();
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    writer.add_symlink("d", "/etc", options).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(ground.unpack(&bytes, "zip", &all()).unwrap().count, 1);
    ground.is_clean();
}

#[test]
fn nothing_is_written_through_a_link() {
    use tar_crate::EntryType as T;
    for to in ["../..", "/tmp"] {
        let ground = Ground::new();
        let bytes = tar(&[link(b"d", T::Symlink, to), file(b"d/canary", b"dead")]);
        ground.unpack(&bytes, "tar", &all()).unwrap();
        ground.is_clean();
        assert_eq!(ground.read("d/canary"), "dead");
    }
    let ground = Ground::new();
    let bytes = tar(&[link(b"x", T::Symlink, "../../canary"), file(b"x", b"dead")]);
    ground.unpack(&bytes, "tar", &all()).unwrap();
    ground.is_clean();
    assert_eq!(ground.read("x"), "dead");
}

#[test]
fn names_that_lead_outside_are_refused() {
    for name in [&b"../canary"[..], b"a/../../canary", b"a/..", b".."] {
        let text = refusal(&tar(&[file(name, b"dead")]), "tar");
        assert!(text.ends_with("contains '..'"), "{text}");
    }
    let text = refusal(&tar(&[file(b"/tmp/encamp-canary", b"dead")]), "tar");
    assert!(text.ends_with("is an absolute path"), "{text}");
    let text = refusal(&zip(&[("../canary", 0o644, b"dead")]), "zip");
    assert!(text.ends_with("contains '..'"), "{text}");
    let text = refusal(&zip(&[("/tmp/encamp-canary", 0o644, b"dead")]), "zip");
    assert!(text.ends_with("is an absolute path"), "{text}");
    assert!(!Path::new("/tmp/encamp-canary").exists());
}

#[test]
fn the_later_of_two_entries_counts() {
    let ground = Ground::new();
    let mut first = file(b"x", b"longer than the second");
    first.mode = 0o444;
    ground
        .unpack(&tar(&[first, file(b"x", b"2")]), "tar", &all())
        .unwrap();
    assert_eq!(ground.read("x"), "2");
}

#[test]
fn a_path_is_not_a_file_and_a_directory_at_once() {
    let text = refusal(&tar(&[file(b"x", b""), file(b"x/y", b"")]), "tar");
    assert!(
        text.starts_with("cannot unpack it: its entry \"x/y\""),
        "{text}"
    );
    let text = refusal(&tar(&[file(b"x/y", b""), file(b"x", b"")]), "tar");
    assert!(
        text.starts_with("cannot unpack it: its entry \"x\""),
        "{text}"
    );
}

#[test]
fn names_need_not_be_text() {
    let ground = Ground::new();
    ground
        .unpack(&tar(&[file(b"\xff\xfe", b"x")]), "tar", &all())
        .unwrap();
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    assert!(ground.out().join(name).exists());
}

#[test]
fn a_name_without_end_is_refused() {
    let name = "a/".repeat(49) + "b";
    let names: Vec<u8> = name.into_bytes();
    let ground = Ground::new();
    ground
        .unpack(&tar(&[file(&names, b"x")]), "tar", &all())
        .unwrap();
    let mut long = tar_crate::Builder::new(Vec::new());
    let mut header = tar_crate::Header::new_gnu();
    header.set_size(0);
    long.append_data(&mut header, "a/".repeat(101) + "b", &b""[..])
        .unwrap();
    let text = refusal(&long.into_inner().unwrap(), "tar");
    assert!(text.ends_with("is nested too deeply"), "{text}");
}

#[test]
fn too_many_entries_are_refused() {
    let names: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| file(name.as_bytes(), b""))
        .collect();
    let text = refusal(&tar(&entries), "tar");
    assert!(
        text.ends_with("decompression_file_count_limit, 100"),
        "{text}"
    );
    let entries: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), 0o644, &b""[..]))
        .collect();
    let text = refusal(&zip(&entries), "zip");
    assert!(
        text.ends_with("decompression_file_count_limit, 100"),
        "{text}"
    );
}

#[test]
fn what_claims_to_be_huge_is_refused_before_anything_is_written() {
    let mut huge = file(b"x", b"");
    huge.size = Some(1 << 40);
    let ground = Ground::new();
    let problem = ground.unpack(&tar(&[huge]), "tar", &all()).unwrap_err();
    assert!(matches!(problem, Problem::LongArchive { limit: 1_048_576 }));
    assert_eq!(fs::read_dir(ground.out()).unwrap().count(), 0);
}

/// A GNU sparse file of 1 TiB in 512 bytes.
#[test]
fn a_hole_without_end_is_refused() {
    let mut header = tar_crate::Header::new_gnu();
    header.as_old_mut().name[..1].copy_from_slice(b"x");
    header.set_entry_type(tar_crate::EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_mtime(0);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_is_extended(false);
    gnu.sparse[0].set_offset(1 << 40);
    gnu.sparse[0].set_length(0);
    gnu.set_real_size(1 << 40);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.resize(2048, 0);
    let text = refusal(&bytes, "tar");
    assert!(
        text.contains("decompression_size_limit, 1048576 bytes"),
        "{text}"
    );
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer =
        lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(6)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn packed(bytes: &[u8], name: &str) -> Vec<u8> {
    match kind(name).packed {
        Packed::Plain => bytes.to_vec(),
        Packed::Gz => gz(bytes),
        Packed::Bz2 => bz2(bytes),
        Packed::Xz => xz(bytes),
        Packed::Zst => zst(bytes),
    }
}

#[test]
fn every_kind_of_archive_is_unpacked() {
    for (name, archive) in ARCHIVES {
        let inside = match archive.holds {
            Holds::File => b"content".to_vec(),
            Holds::Tar => tar(&[file(b"single", b"content")]),
            Holds::Zip => zip(&[("single", 0o644, b"content")]),
        };
        let bytes = packed(&inside, name);
        let ground = Ground::new();
        ground.unpack(&bytes, name, &all()).unwrap();
        assert_eq!(ground.read("single"), "content", "{name}");
        let ground = Ground::new();
        ground.unpack(&bytes, name, &Outcome::File).unwrap();
        assert_eq!(
            fs::read_to_string(ground.out()).unwrap(),
            "content",
            "{name}"
        );
    }
}

#[test]
fn what_is_packed_in_several_pieces_comes_out_whole() {
    for name in ["gz", "bz2", "xz", "zst"] {
        let mut bytes = packed(b"one ", name);
        if name == "zst" {
            // A frame without content.
            bytes.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        }
        bytes.extend(packed(b"two", name));
        let ground = Ground::new();
        ground.unpack(&bytes, name, &all()).unwrap();
        assert_eq!(ground.read("single"), "one two", "{name}");
    }
}

#[test]
fn a_bomb_is_refused_in_every_packing() {
    let zeros = vec![0; 2 << 20];
    for name in ["gz", "bz2", "xz", "zst"] {
        let text = refusal(&packed(&zeros, name), name);
        assert!(text.contains("decompression_size_limit"), "{name}: {text}");
    }
    let text = refusal(&gz(&tar(&[file(b"x", &zeros)])), "tgz");
    assert!(text.contains("decompression_size_limit"), "{text}");
    let text = refusal(&zip(&[("x", 0o644, &zeros)]), "zip");
    assert!(text.contains("decompression_size_limit"), "{text}");
}

#[test]
fn a_disk_is_not_filled() {
    let limits = Limits {
        room: Some(10),
        ..ROOMY
    };
    let ground = Ground::new();
    let problem = ground
        .within(&gz(b"more than ten"), "gz", &all(), limits)
        .unwrap_err();
    assert!(matches!(problem, Problem::NoRoom { room: 10 }));
}

#[test]
fn a_single_file_is_asked_of_an_archive_of_several() {
    for (bytes, problem) in [
        (
            tar(&[file(b"a", b""), file(b"b", b"")]),
            "expected a single file, got multiple",
        ),
        (
            tar(&[special(b"a/", tar_crate::EntryType::Directory)]),
            "expected a single file",
        ),
        (tar(&[]), "it holds no file"),
    ] {
        let ground = Ground::new();
        let refused = ground.unpack(&bytes, "tar", &Outcome::File).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("the archive is refused: {problem}")
        );
    }
}

fn part(wanted: &str) -> Outcome {
    Outcome::Directory {
        name: "single".to_owned(),
        part: Some(wanted.to_owned()),
    }
}

#[test]
fn a_part_of_an_archive_is_taken_out_of_it() {
    let bytes = tar(&[
        file(b"app-1.2/bin/x", b"x"),
        file(b"app-1.2/doc/y", b"y"),
        file(b"top", b"t"),
    ]);
    for (wanted, name) in [
        ("app-*/bin", "x"),
        ("app-1.2", "bin/x"),
        ("app-?.?/doc/y", "y"),
    ] {
        let ground = Ground::new();
        ground.unpack(&bytes, "tar", &part(wanted)).unwrap();
        assert!(ground.out().join(name).exists(), "{wanted}");
        assert!(!ground.out().join("top").exists());
        ground.is_clean();
    }
    for (wanted, problem) in [("nope", "not found"), ("*", "matches multiple paths")] {
        let ground = Ground::new();
        let refused = ground.unpack(&bytes, "tar", &part(wanted)).unwrap_err();
        assert!(refused.to_string().contains(problem), "{refused}");
    }
}

#[test]
fn what_is_broken_or_cut_short_is_told() {
    for (name, archive) in ARCHIVES {
        let inside = match archive.holds {
            Holds::File => b"content".repeat(1000),
            Holds::Tar => tar(&[file(b"single", &b"content".repeat(1000))]),
            Holds::Zip => zip(&[("single", 0o644, &b"content".repeat(1000))]),
        };
        let bytes = packed(&inside, name);
        let text = refusal(&bytes[..bytes.len() / 2], name);
        assert!(text.starts_with("cannot unpack it"), "{name}: {text}");
        if name != "tar" {
            let text = refusal(b"this is no archive at all, but plain words", name);
            assert!(text.starts_with("cannot unpack it"), "{name}: {text}");
        }
    }
}

#[test]
fn a_file_that_is_no_archive_is_kept_as_it_came() {
    let ground = Ground::new();
    let download = ground.scratch.path().join("staging/download");
    fs::write(&download, "x").unwrap();
    keep(&download, &all(), &ground.out()).unwrap();
    assert_eq!(ground.read("single"), "x");
    let mode = fs::metadata(ground.out().join("single")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o644);
}
