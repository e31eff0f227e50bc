//! What the fetcher is asked for, and what it says: both cross the border to a process that nobody trusts.
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that the fetcher is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Without the parameters that are for us, and with its credentials.
    pub(super) url: String,
    /// Of the request.
    pub(super) headers: Vec<(String, String)>,
    /// The server may be anybody.
    pub(super) insecure: bool,
    /// What its sum must be.
    pub(super) sum: Option<Wanted>,
    /// What kind of archive it is; `None`: it is taken as it comes.
    pub(super) archive: Option<Archive>,
    /// What comes out.
    pub(super) result: Outcome,
    /// What it may cost.
    pub(super) limits: Limits,
}

/// A sum, or where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wanted {
    /// Itself.
    Sum(Sum),
    /// In a file of many sums, by any of these names.
    In {
        /// The file's URL.
        url: String,
        /// Of what is fetched.
        names: Vec<String>,
    },
}

/// A sum in lower-case digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) kind: SumKind,
    pub(super) digits: String,
}

/// The sums that Nomad knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SumKind {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl SumKind {
    pub(super) const ALL: [SumKind; 4] = [
        SumKind::Md5,
        SumKind::Sha1,
        SumKind::Sha256,
        SumKind::Sha512,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            SumKind::Md5 => "md5",
            SumKind::Sha1 => "sha1",
            SumKind::Sha256 => "sha256",
            SumKind::Sha512 => "sha512",
        }
    }

    /// How many digits it has.
    pub(super) fn digits(self) -> usize {
        match self {
            SumKind::Md5 => 32,
            SumKind::Sha1 => 40,
            SumKind::Sha256 => 64,
            SumKind::Sha512 => 128,
        }
    }
}

impl Sum {
    /// `type:digits` or digits alone, whose number tells the type.
    pub(super) fn parse(text: &str) -> Result<Sum, String> {
        let text = text.trim();
        let (kind, digits) = match text.split_once(':') {
            Some((kind, digits)) => (Some(Self::kind(kind)?), digits),
            None => (None, text),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "invalid checksum: {digits:?} has other than hexadecimal digits"
            ));
        }
        let mut kinds = SumKind::ALL.into_iter();
        match kinds.find(|known| known.digits() == digits.len()) {
            Some(found) if kind.is_none_or(|kind| kind == found) => Ok(Sum {
                kind: found,
                digits: digits.to_ascii_lowercase(),
            }),
            _ => Err(match kind {
                Some(kind) => format!("invalid {} checksum: {digits}", kind.name()),
                None => format!("unknown type for checksum {digits}"),
            }),
        }
    }

    fn kind(name: &str) -> Result<SumKind, String> {
        let name = name.to_ascii_lowercase();
        let mut kinds = SumKind::ALL.into_iter();
        kinds
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("unsupported checksum type: {name}"))
    }
}

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// What is inside.
    pub holds: Holds,
    /// What is around it.
    pub packed: Packed,
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names of formats")]
pub enum Holds {
    /// One file.
    File,
    Tar,
    Zip,
}

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names of formats")]
pub enum Packed {
    Plain,
    Gz,
    Bz2,
    Xz,
    Zst,
}

/// Names as they follow a dot, the longer ones first.
pub const ARCHIVES: [(&str, Archive); 14] = [
    ("tar.bz2", archive(Holds::Tar, Packed::Bz2)),
    ("tar.zst", archive(Holds::Tar, Packed::Zst)),
    ("tar.gz", archive(Holds::Tar, Packed::Gz)),
    ("tar.xz", archive(Holds::Tar, Packed::Xz)),
    ("tbz2", archive(Holds::Tar, Packed::Bz2)),
    ("tzst", archive(Holds::Tar, Packed::Zst)),
    ("bz2", archive(Holds::File, Packed::Bz2)),
    ("tar", archive(Holds::Tar, Packed::Plain)),
    ("tgz", archive(Holds::Tar, Packed::Gz)),
    ("txz", archive(Holds::Tar, Packed::Xz)),
    ("zip", archive(Holds::Zip, Packed::Plain)),
    ("zst", archive(Holds::File, Packed::Zst)),
    ("gz", archive(Holds::File, Packed::Gz)),
    ("xz", archive(Holds::File, Packed::Xz)),
];

const fn archive(holds: Holds, packed: Packed) -> Archive {
    Archive { holds, packed }
}

/// What comes out, below [`OUT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// It is the file.
    File,
    /// It is a directory.
    Directory {
        /// The name of a single file in it.
        name: String,
        /// The part of an archive that is wanted; `*` and `?` stand for what they do in a shell.
        part: Option<String>,
    },
}

/// What fetching may cost; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of the download.
    pub download: Option<u64>,
    /// Bytes of what is unpacked.
    pub unpacked: Option<u64>,
    /// Entries of an archive.
    pub files: Option<u64>,
    /// Bytes that the disk has left for this.
    pub room: Option<u64>,
    /// How long all of it may take.
    pub time: Option<Duration>,
}

/// Where the fetcher finds its order.
pub(super) const ORDER: &str = "/order";
/// The one directory that it may write to.
pub(super) const STAGING: &str = "/staging";
/// Where it says how it goes, below [`STAGING`].
pub(super) const REPORT: &str = "report";
/// Where the result is, below [`STAGING`].
pub(super) const OUT: &str = "out";

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Line {
    /// So much has come.
    Progress { bytes: u64, total: Option<u64> },
    /// All has come and its sum is right; what follows is unpacking.
    Unpacking,
    /// Entries of an archive that were not made.
    LeftOut { count: u64, first: String },
    /// All is done.
    Done { bytes: u64 },
    /// It is not.
    Failed { reason: String },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_sum_tells_its_type_by_its_length() {
        for kind in SumKind::ALL {
            let digits = "Ab".repeat(kind.digits() / 2);
            let bare = Sum::parse(&digits).unwrap();
            assert_eq!(
                (bare.kind, bare.digits),
                (kind, digits.to_ascii_lowercase())
            );
            assert_eq!(
                Sum::parse(&format!("{}:{digits}", kind.name()))
                    .unwrap()
                    .kind,
                kind
            );
        }
    }

    #[test]
    fn what_is_no_sum_is_refused() {
        assert_eq!(
            Sum::parse("00").unwrap_err(),
            "unknown type for checksum 00"
        );
        assert_eq!(
            Sum::parse("md5:00").unwrap_err(),
            "invalid md5 checksum: 00"
        );
        assert_eq!(
            Sum::parse("sha3:00").unwrap_err(),
            "unsupported checksum type: sha3"
        );
        assert_eq!(
            Sum::parse("md5:zz").unwrap_err(),
            "invalid checksum: \"zz\" has other than hexadecimal digits"
        );
    }
}
