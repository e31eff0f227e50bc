//! Licences, sources and bans of every dependency, held against `deny.toml`.
//!
//! The part of cargo-deny that works without its advisory database, so that a new machine need not build that program first.
//! `deny.toml` is written for both.
use toml::Table;

use crate::metadata::{self, Metadata, Package};
use crate::{Outcome, Repository};

/// The lists of `deny.toml` that are held.
#[derive(Debug, Default)]
struct Policy {
    allow: Vec<String>,
    /// What one package beside that may have, by its name.
    exceptions: Vec<(String, Vec<String>)>,
    banned: Vec<String>,
    registries: Vec<String>,
}

/// Reads `deny.toml` and holds every package against it.
pub(crate) fn run(repository: &Repository) -> Outcome {
    let text = std::fs::read_to_string(repository.root.join("deny.toml"))?;
    let policy = read(&text)?;
    let mut found = check(&policy, &repository.metadata);
    // Its own workspace: what only the targets need is nobody's licence in use, and held all the same.
    let fuzz = metadata::load(&repository.root.join("fuzz"))?;
    found.extend(each(&policy, &fuzz));
    found.sort();
    found.dedup();
    Ok(found)
}

fn read(text: &str) -> Result<Policy, Box<dyn std::error::Error>> {
    let table: Table = text.parse()?;
    let policy = Policy {
        allow: list(&table, "licenses", "allow"),
        exceptions: exceptions(&table),
        banned: list(&table, "bans", "deny"),
        registries: list(&table, "sources", "allow-registry"),
    };
    if policy.allow.is_empty() || policy.registries.is_empty() {
        return Err("deny.toml: no licenses.allow or no sources.allow-registry".into());
    }
    Ok(policy)
}

/// A list whose entries are strings, or tables that have one of cargo-deny's naming keys.
fn list(table: &Table, section: &str, key: &str) -> Vec<String> {
    let entries = table
        .get(section)
        .and_then(|section| section.get(key))
        .and_then(toml::Value::as_array);
    entries.into_iter().flatten().filter_map(name).collect()
}

fn exceptions(table: &Table) -> Vec<(String, Vec<String>)> {
    let entries = table
        .get("licenses")
        .and_then(|section| section.get("exceptions"))
        .and_then(toml::Value::as_array);
    let read = |entry: &toml::Value| {
        let allow = entry.get("allow")?.as_array()?;
        let allow = allow.iter().filter_map(toml::Value::as_str);
        Some((name(entry)?, allow.map(String::from).collect()))
    };
    entries.into_iter().flatten().filter_map(read).collect()
}

fn name(entry: &toml::Value) -> Option<String> {
    let named = entry
        .get("crate")
        .or_else(|| entry.get("name"))
        .unwrap_or(entry);
    named.as_str().map(String::from)
}

fn check(policy: &Policy, metadata: &Metadata) -> Vec<String> {
    let mut found: Vec<_> = each(policy, metadata).collect();
    found.extend(unused(policy, metadata));
    found
}

fn each<'a>(policy: &'a Policy, metadata: &'a Metadata) -> impl Iterator<Item = String> + 'a {
    metadata
        .packages
        .values()
        .flat_map(|package| of_package(policy, package))
}

fn of_package(policy: &Policy, package: &Package) -> Vec<String> {
    let name = format!("{} {}", package.name, package.version);
    let mut found = Vec::new();
    let excepted = policy
        .exceptions
        .iter()
        .filter(|(of, _)| *of == package.name);
    let allow: Vec<String> = excepted
        .flat_map(|(_, allow)| allow)
        .chain(&policy.allow)
        .cloned()
        .collect();
    match package
        .license
        .as_deref()
        .map(|license| allowed(license, &allow))
    {
        Some(Ok(true)) => {}
        Some(Ok(false)) => found.push(format!(
            "{name}: licence {:?} is not allowed",
            package.license.as_deref().unwrap_or_default()
        )),
        Some(Err(reason)) => found.push(format!("{name}: {reason}")),
        None => found.push(format!("{name}: no licence is stated")),
    }
    if let Some(source) = package.source.as_deref()
        && !policy
            .registries
            .iter()
            .any(|registry| source == format!("registry+{registry}"))
    {
        found.push(format!("{name}: comes from {source}"));
    }
    if policy.banned.contains(&package.name) {
        found.push(format!("{name}: is banned"));
    }
    found
}

/// Licences that are allowed and that nobody has.
fn unused(policy: &Policy, metadata: &Metadata) -> Vec<String> {
    let stated = |allowed: &String| {
        metadata
            .packages
            .values()
            .filter_map(|package| package.license.as_deref())
            .any(|license| license.contains(allowed.as_str()))
    };
    policy
        .allow
        .iter()
        .filter(|allowed| !stated(allowed))
        .map(|allowed| format!("deny.toml: {allowed:?} is allowed and nobody has it"))
        .collect()
}

/// Evaluates an SPDX expression; `/` is the old way to write OR.
fn allowed(expression: &str, allow: &[String]) -> Result<bool, String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut parser = Parser {
        words: spaced.split_whitespace().peekable(),
        allow,
    };
    let result = parser.alternatives();
    match (result, parser.words.next()) {
        (Some(result), None) => Ok(result),
        _ => Err(format!("licence {expression:?} is not understood")),
    }
}

struct Parser<'a, Words: Iterator<Item = &'a str>> {
    words: std::iter::Peekable<Words>,
    allow: &'a [String],
}

impl<'a, Words: Iterator<Item = &'a str>> Parser<'a, Words> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut result = self.requirements()?;
        while self.words.next_if_eq(&"OR").is_some() {
            result |= self.requirements()?;
        }
        Some(result)
    }

    fn requirements(&mut self) -> Option<bool> {
        let mut result = self.licence()?;
        while self.words.next_if_eq(&"AND").is_some() {
            result &= self.licence()?;
        }
        Some(result)
    }

    fn licence(&mut self) -> Option<bool> {
        if self.words.next_if_eq(&"(").is_some() {
            let result = self.alternatives()?;
            return self.words.next_if_eq(&")").map(|_| result);
        }
        let mut name = self
            .words
            .next()
            .filter(|word| !["OR", "AND", "WITH", ")"].contains(word))?
            .to_owned();
        if self.words.next_if_eq(&"WITH").is_some() {
            name = format!("{name} WITH {}", self.words.next()?);
        }
        Some(self.allow.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{Policy, allowed, check, each, read};
    use crate::metadata::{Metadata, Package};

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        [bans]
        deny = [{ crate = "openssl", reason = "x" }]
        [sources]
        allow-registry = ["https://example.org/index"]
    "#;

    fn policy() -> Policy {
        read(POLICY).unwrap()
    }

    fn package(name: &str, license: Option<&str>, source: &str) -> Metadata {
        let package = Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: license.map(String::from),
            source: Some(source.into()),
            ..Package::default()
        };
        let mut metadata = Metadata::default();
        metadata.packages.insert(name.into(), package);
        metadata
    }

    #[test]
    fn expressions_are_evaluated() {
        let allow = policy().allow;
        let cases = [
            ("MIT", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
            ("(GPL-3.0 OR MIT) AND MIT", true),
            ("MIT OR GPL-3.0 AND GPL-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(allowed(expression, &allow), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn an_expression_that_is_not_understood_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT MIT", "OR MIT"] {
            assert!(
                allowed(expression, &policy().allow).is_err(),
                "{expression}"
            );
        }
    }

    #[test]
    fn a_good_package_passes() {
        let found = check(
            &policy(),
            &package("a", Some("MIT"), "registry+https://example.org/index"),
        );
        assert_eq!(
            found,
            [r#"deny.toml: "Apache-2.0 WITH LLVM-exception" is allowed and nobody has it"#]
        );
    }

    #[test]
    fn licence_source_and_ban_are_each_found() {
        let good = "registry+https://example.org/index";
        let cases = [
            (
                package("a", Some("GPL-3.0"), good),
                "a 1.0.0: licence \"GPL-3.0\" is not allowed",
            ),
            (package("a", None, good), "a 1.0.0: no licence is stated"),
            (
                package("a", Some("MIT"), "git+https://x"),
                "a 1.0.0: comes from git+https://x",
            ),
            (
                package("openssl", Some("MIT"), good),
                "openssl 1.0.0: is banned",
            ),
        ];
        for (metadata, expected) in cases {
            let found = check(&policy(), &metadata);
            assert!(
                found.iter().any(|line| line == expected),
                "{expected}: {found:?}"
            );
        }
    }

    #[test]
    fn an_exception_is_for_one_package() {
        let policy = Policy {
            exceptions: vec![("a".to_owned(), vec!["NCSA".to_owned()])],
            ..policy()
        };
        let good = "registry+https://example.org/index";
        for (name, expected) in [("a", 0), ("b", 1)] {
            let metadata = package(name, Some("MIT AND NCSA"), good);
            assert_eq!(each(&policy, &metadata).count(), expected, "{name}");
        }
    }

    #[test]
    fn a_policy_that_allows_nothing_is_refused() {
        assert!(read("[licenses]\nallow = []").is_err());
    }
}
