//! Sums of what comes, and lists of sums as `sha256sum` and BSD's tools write them.
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::artifacts::order::{Sum, SumKind};
use crate::digits::hex;

/// A sum that grows.
#[derive(Debug, Clone)]
pub(super) enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn of(kind: SumKind) -> Hasher {
        match kind {
            SumKind::Md5 => Hasher::Md5(Md5::new()),
            SumKind::Sha1 => Hasher::Sha1(Sha1::new()),
            SumKind::Sha256 => Hasher::Sha256(Sha256::new()),
            SumKind::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Md5(sum) => sum.update(bytes),
            Hasher::Sha1(sum) => sum.update(bytes),
            Hasher::Sha256(sum) => sum.update(bytes),
            Hasher::Sha512(sum) => sum.update(bytes),
        }
    }

    pub(super) fn digits(self) -> String {
        match self {
            Hasher::Md5(sum) => hex(&sum.finalize()),
            Hasher::Sha1(sum) => hex(&sum.finalize()),
            Hasher::Sha256(sum) => hex(&sum.finalize()),
            Hasher::Sha512(sum) => hex(&sum.finalize()),
        }
    }
}

/// The first sum in a list that is for one of these names, or for no name.
pub(super) fn find(list: &str, names: &[String]) -> Option<Sum> {
    list.lines().find_map(|line| {
        let (sum, name) = entry(line)?;
        let fits = name.is_none_or(|name| names.contains(&name));
        fits.then_some(sum)
    })
}

/// `MD5 (file) = sum`, `sum  file`, `sum *file` or a sum alone.
fn entry(line: &str) -> Option<(Sum, Option<String>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [kind, name, _, digits] => {
            let name = name.strip_prefix('(')?.strip_suffix(')')?;
            let sum = Sum::parse(&format!("{kind}:{digits}")).ok()?;
            Some((sum, Some(name.to_owned())))
        }
        [digits, name] => Some((Sum::parse(digits).ok()?, Some((*name).to_owned()))),
        [digits, ..] => Some((Sum::parse(digits).ok()?, None)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const EMPTY: [(SumKind, &str); 4] = [
        (SumKind::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
        (SumKind::Sha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (
            SumKind::Sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            SumKind::Sha512,
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
    ];

    #[test]
    fn the_sums_of_nothing_are_the_known_ones() {
        for (kind, digits) in EMPTY {
            assert_eq!(Hasher::of(kind).digits(), digits);
        }
    }

    #[test]
    fn a_list_is_read_in_every_style() {
        let (md5, sha256) = (EMPTY[0].1, EMPTY[2].1);
        let names = ["x.tgz", "*x.tgz", "dir/x.tgz"].map(str::to_owned);
        for list in [
            format!("# sums\n{md5}  other\n{sha256}  x.tgz\n"),
            format!("{sha256} *x.tgz"),
            format!("SHA256 (other) = {sha256}\nSHA256 (dir/x.tgz) = {sha256}\n"),
            format!("{sha256}\n"),
            format!("\n{sha256} and some words behind\n"),
        ] {
            assert_eq!(find(&list, &names).unwrap().digits, sha256, "{list}");
        }
    }

    #[test]
    fn a_list_without_the_file_has_no_sum() {
        let names = ["x.tgz".to_owned()];
        let list = format!("{}  other\nMD5 x.tgz = 00\nzz  x.tgz\n", EMPTY[0].1);
        assert_eq!(find(&list, &names), None);
        assert_eq!(find("", &names), None);
    }
}
