//! Versions and what is asked of them, as the library has it that Nomad compares versions with (go-version): any number
//! of numeric parts, then perhaps what makes it a version before that one, then perhaps a remark.
//!
//! Two ways to ask: `version` lets a version with a prerelease meet only what names one of the same number, and has
//! `~>`; `semver` goes by order alone.

use std::cmp::Ordering;

/// A version; the remark behind `+` says nothing about order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    /// Three at least.
    parts: Vec<i64>,
    /// How many were written.
    written: usize,
    /// Behind the hyphen; empty: none.
    prerelease: String,
}

/// How a version is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// `1.2rc1`, too.
    Loose,
    /// A hyphen stands before a prerelease.
    Strict,
}

impl Version {
    fn parse(text: &str, grammar: Grammar) -> Option<Version> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let numeric = |c: char| c.is_ascii_digit() || c == '.';
        let end = text.find(|c| !numeric(c)).unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let parts: Option<Vec<i64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
        let mut parts = parts?;
        let written = parts.len();
        parts.resize(written.max(3), 0);
        let (before, remark) = match rest.split_once('+') {
            Some((before, remark)) => (before, Some(remark)),
            None => (rest, None),
        };
        if !remark.is_none_or(is_dotted) {
            return None;
        }
        Some(Version {
            parts,
            written,
            prerelease: prerelease(before, grammar)?.to_owned(),
        })
    }

    fn compare(&self, other: &Version) -> Ordering {
        if self.parts == other.parts {
            return match (self.prerelease.as_str(), other.prerelease.as_str()) {
                ("", "") => Ordering::Equal,
                ("", _) => Ordering::Greater,
                (_, "") => Ordering::Less,
                (own, others) => compare_prereleases(own, others),
            };
        }
        let longest = self.parts.len().max(other.parts.len());
        let part = |of: &Version, at| of.parts.get(at).copied().unwrap_or(0);
        (0..longest)
            .map(|at| part(self, at).cmp(&part(other, at)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// Without its hyphen. `None`: it is none.
fn prerelease(text: &str, grammar: Grammar) -> Option<&str> {
    if text.is_empty() {
        return Some("");
    }
    match text.strip_prefix('-') {
        Some(behind) if is_dotted(behind) => Some(behind),
        // A hyphen may also be a part of it.
        _ if grammar == Grammar::Loose && is_dotted(text) => Some(text),
        _ => None,
    }
}

fn is_dotted(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '~');
    text.split('.')
        .all(|part| !part.is_empty() && part.chars().all(fits))
}

fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let longest = a.split('.').count().max(b.split('.').count());
    let part = |of: &str, at: usize| of.split('.').nth(at).unwrap_or("").to_owned();
    (0..longest)
        .map(|at| compare_parts(&part(a, at), &part(b, at)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// A number is before a word. A part that is missing is before a number, and behind a word.
fn compare_parts(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (a.parse::<i64>(), b.parse::<i64>()) {
        (Ok(a), Ok(b)) if a > b => Ordering::Greater,
        (Ok(_), Ok(_)) => Ordering::Less,
        (Ok(_), Err(_)) if b.is_empty() => Ordering::Greater,
        (Err(_), Ok(_)) if a.is_empty() => Ordering::Less,
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) if a.is_empty() => Ordering::Greater,
        (Err(_), Err(_)) if b.is_empty() => Ordering::Less,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// What is asked of a version: all of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirements {
    all: Vec<(Relation, Version)>,
    grammar: Grammar,
}

/// How a version must stand to the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    /// `~>`: the last part that was written may grow.
    Pessimistic,
}

/// The longer ones first: `>=` begins as `>` does.
const RELATIONS: [(&str, Relation); 7] = [
    ("!=", Relation::NotEqual),
    (">=", Relation::GreaterOrEqual),
    ("<=", Relation::LessOrEqual),
    ("~>", Relation::Pessimistic),
    ("=", Relation::Equal),
    (">", Relation::Greater),
    ("<", Relation::Less),
];

impl Requirements {
    pub(super) fn of_versions(list: &str) -> Result<Requirements, String> {
        Self::parse(list, Grammar::Loose)
    }

    pub(super) fn of_semver(list: &str) -> Result<Requirements, String> {
        Self::parse(list, Grammar::Strict)
    }

    fn parse(list: &str, grammar: Grammar) -> Result<Requirements, String> {
        let one = |text: &str| {
            let malformed = || format!("malformed constraint {text:?}");
            let trimmed = text.trim_matches([' ', '\t', '\n', '\r', '\x0c']);
            let found = RELATIONS
                .iter()
                .find_map(|(word, relation)| Some((*relation, trimmed.strip_prefix(word)?)));
            let (relation, version) = found.unwrap_or((Relation::Equal, trimmed));
            if relation == Relation::Pessimistic && grammar == Grammar::Strict {
                return Err(malformed());
            }
            let version = version.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            let version = Version::parse(version, grammar).ok_or_else(malformed)?;
            Ok((relation, version))
        };
        let all: Result<_, String> = list.split(',').map(one).collect();
        Ok(Requirements { all: all?, grammar })
    }

    /// Whether a node's version meets them; what is no version meets nothing.
    pub(super) fn are_met_by(&self, version: &str) -> bool {
        let Some(version) = Version::parse(version, Grammar::Loose) else {
            return false;
        };
        self.all
            .iter()
            .all(|(relation, asked)| self.is_met(*relation, &version, asked))
    }

    fn is_met(&self, relation: Relation, version: &Version, asked: &Version) -> bool {
        let order = version.compare(asked);
        let comparable = self.grammar == Grammar::Strict || are_comparable(version, asked);
        match relation {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Greater => comparable && order.is_gt(),
            Relation::Less => comparable && order.is_lt(),
            Relation::GreaterOrEqual => comparable && order.is_ge(),
            Relation::LessOrEqual => comparable && order.is_le(),
            Relation::Pessimistic => comparable && order.is_ge() && is_near(version, asked),
        }
    }
}

/// A prerelease is compared with one of the same number only.
fn are_comparable(version: &Version, asked: &Version) -> bool {
    let is_pre = |of: &Version| !of.prerelease.is_empty();
    match (is_pre(version), is_pre(asked)) {
        (true, true) => version.parts == asked.parts,
        (true, false) => false,
        (false, _) => true,
    }
}

/// Only the last of the parts that were written may differ.
fn is_near(version: &Version, asked: &Version) -> bool {
    let length = asked.parts.len();
    if length > version.parts.len()
        || (!asked.prerelease.is_empty() && version.prerelease.is_empty())
    {
        return false;
    }
    let kept = asked.written - 1;
    version.parts[..kept] == asked.parts[..kept]
        && asked.parts[length - 1] <= version.parts[length - 1]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn meets(version: &str, asked: &str) -> bool {
        Requirements::of_versions(asked)
            .unwrap()
            .are_met_by(version)
    }

    fn meets_semver(version: &str, asked: &str) -> bool {
        Requirements::of_semver(asked).unwrap().are_met_by(version)
    }

    #[test]
    fn versions_meet_what_they_should() {
        for (version, asked) in [
            ("1.2.3", "1.2.3"),
            ("1.2.3", "= v1.2.3"),
            ("1.2", "1.2.0"),
            ("1.2.3.4", "> 1.2.3"),
            ("1.2.0.0", "1.2"),
            ("2.0.0", "> 1.0.0, < 3"),
            ("1.0.0-beta2", "> 1.0.0-beta1"),
            ("1.0.0-beta.2", "> 1.0.0-beta.1"),
            ("1.0.0-rc.10", "> 1.0.0-rc.9"),
            ("1.0.0+ent", "= 1.0.0"),
            ("1.0.0", "> 1.0.0-rc1"),
            ("1.0.0-rc1", "!= 1.0.0"),
            ("1.2.9", "~> 1.2.3"),
            ("1.9", "~> 1.2"),
            ("9", "~> 1"),
            ("1.2rc1", "= 1.2-rc1"),
            ("v1.0", ">= 1"),
        ] {
            assert!(meets(version, asked), "{version} {asked}");
        }
        for (version, asked) in [
            ("1.2.3", "!= 1.2.3"),
            ("1.2.3", "< 1.2.3"),
            ("1.0.0-beta1", "> 0.9"),
            ("1.0.0-beta1", ">= 1.0.0"),
            ("2.0.0-beta1", "> 1.0.0-beta1"),
            ("1.3.0", "~> 1.2.3"),
            ("1.2.2", "~> 1.2.3"),
            ("2.0", "~> 1.2"),
            ("1.2.3", "~> 1.2.3-rc1"),
            ("1.2", "~> 1.2.0.1"),
            ("x", ">= 0"),
            ("1..2", ">= 0"),
            ("", ">= 0"),
            ("99999999999999999999", ">= 0"),
        ] {
            assert!(!meets(version, asked), "{version} {asked}");
        }
    }

    #[test]
    fn semver_goes_by_order_alone() {
        assert!(meets_semver("1.0.0-beta1", "> 0.9"));
        assert!(meets_semver("2.0.0-beta1", "> 1.0.0-beta1"));
        assert!(meets_semver("6.18.44-generic", ">= 6.0.0, < 7.0.0"));
        assert!(!meets_semver("1.0.0-beta1", ">= 1.0.0"));
        for malformed in ["~> 1.0", "1.0rc1", "x", "", "1.0,"] {
            assert!(Requirements::of_semver(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for malformed in [
            "", " ", "x", ">= ", "1.0,", "=> 1", "1.0 2.0", "1.0+", "1.a.0",
        ] {
            assert!(Requirements::of_versions(malformed).is_err(), "{malformed}");
        }
        assert_eq!(
            Requirements::of_versions("1, >> 2").unwrap_err(),
            "malformed constraint \" >> 2\""
        );
    }

    /// Every version that a few numbers and a few prereleases make.
    fn versions() -> Vec<Version> {
        let prereleases = [
            "", "-1", "-2", "-10", "-a", "-b", "-a.1", "-a.b", "-rc1", "-rc.2.x", "-~x", "--",
        ];
        let numbers = [
            "0", "0.0.1", "0.1", "1", "1.0.0.1", "1.2.3", "1.10", "2.0.0.0",
        ];
        let all = numbers.iter().flat_map(|numbers| {
            prereleases
                .iter()
                .map(move |prerelease| format!("{numbers}{prerelease}"))
        });
        all.map(|text| Version::parse(&text, Grammar::Loose).unwrap())
            .collect()
    }

    #[test]
    fn of_two_versions_one_is_the_greater_whichever_comes_first() {
        let all = versions();
        for a in &all {
            assert!(a.compare(a).is_eq());
            for b in &all {
                assert_eq!(a.compare(b), b.compare(a).reverse(), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_numbers_decide_before_the_prerelease_does() {
        let all = versions();
        for a in &all {
            for b in &all {
                let numbers = a.parts.iter().zip(&b.parts).find(|(a, b)| a != b);
                if let Some((x, y)) = numbers {
                    assert_eq!(a.compare(b), x.cmp(y), "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn the_relations_agree_with_the_order() {
        let requirements = |grammar| Requirements {
            all: Vec::new(),
            grammar,
        };
        let all = versions();
        for grammar in [Grammar::Loose, Grammar::Strict] {
            let asked = requirements(grammar);
            for a in &all {
                for b in &all {
                    let is = |relation| asked.is_met(relation, a, b);
                    assert_ne!(is(Relation::Equal), is(Relation::NotEqual));
                    assert!(!(is(Relation::Less) && is(Relation::Greater)));
                    if is(Relation::Less) || is(Relation::Greater) {
                        assert!(is(Relation::NotEqual), "{a:?} {b:?}");
                    }
                    if is(Relation::Less) {
                        assert!(is(Relation::LessOrEqual) && !is(Relation::GreaterOrEqual));
                    }
                    if is(Relation::Pessimistic) {
                        assert!(is(Relation::GreaterOrEqual), "{a:?} {b:?}");
                    }
                }
            }
        }
    }
}
