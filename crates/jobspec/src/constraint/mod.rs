//! What a job asks of a node's attributes, and whether an attribute meets it: Nomad's operators, as its scheduler has
//! them.

mod order;
mod version;

use std::fmt;

use regex::Regex;
use serde::Serialize;

use crate::Span;
use version::Requirements;

/// A `constraint`: one attribute, one operator, one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Constraint {
    /// Where the block is.
    pub span: Span,
    /// `attribute`: `${attr.kernel.name}`, or a text that stands for itself.
    pub attribute: String,
    /// `operator`, as it was written: `=`, `==` and `is` mean the same.
    pub operator: String,
    /// `value`.
    pub value: String,
}

/// What the words for operators mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Regexp,
    Version,
    Semver,
    ContainsAll,
    ContainsAny,
    IsSet,
    IsNotSet,
    DistinctHosts,
    DistinctProperty,
}

/// Every word, in the order in which messages list them.
pub(crate) const OPERATORS: [(&str, Operator); 19] = [
    ("=", Operator::Equal),
    ("==", Operator::Equal),
    ("is", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("not", Operator::NotEqual),
    (">", Operator::Greater),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    ("<=", Operator::LessOrEqual),
    ("regexp", Operator::Regexp),
    ("version", Operator::Version),
    ("semver", Operator::Semver),
    ("set_contains", Operator::ContainsAll),
    ("set_contains_all", Operator::ContainsAll),
    ("set_contains_any", Operator::ContainsAny),
    ("is_set", Operator::IsSet),
    ("is_not_set", Operator::IsNotSet),
    ("distinct_hosts", Operator::DistinctHosts),
    ("distinct_property", Operator::DistinctProperty),
];

impl Operator {
    pub(crate) fn of(word: &str) -> Option<Operator> {
        let known = OPERATORS.iter().find(|(known, _)| *known == word);
        known.map(|(_, operator)| *operator)
    }
}

impl Constraint {
    /// Whether the two sides, each looked up on the node, meet it. `None`: the node has no such attribute.
    pub fn is_met(&self, attribute: Option<&str>, value: Option<&str>) -> bool {
        let both = attribute.zip(value);
        let meets = |check: fn(&str, &str) -> bool| both.is_some_and(|(a, b)| check(a, b));
        match Operator::of(&self.operator) {
            Some(Operator::Equal) => meets(|a, b| a == b),
            // What is not there is not equal to anything.
            Some(Operator::NotEqual) => attribute.unwrap_or("") != value.unwrap_or(""),
            Some(Operator::Less) => meets(|a, b| order::compare(a, b).is_some_and(|is| is.is_lt())),
            Some(Operator::LessOrEqual) => {
                meets(|a, b| order::compare(a, b).is_some_and(|is| is.is_le()))
            }
            Some(Operator::Greater) => {
                meets(|a, b| order::compare(a, b).is_some_and(|is| is.is_gt()))
            }
            Some(Operator::GreaterOrEqual) => {
                meets(|a, b| order::compare(a, b).is_some_and(|is| is.is_ge()))
            }
            Some(Operator::Regexp) => {
                meets(|a, b| Regex::new(b).is_ok_and(|pattern| pattern.is_match(a)))
            }
            Some(Operator::Version) => {
                meets(|a, b| Requirements::of_versions(b).is_ok_and(|asked| asked.are_met_by(a)))
            }
            Some(Operator::Semver) => {
                meets(|a, b| Requirements::of_semver(b).is_ok_and(|asked| asked.are_met_by(a)))
            }
            Some(Operator::ContainsAll) => meets(|a, b| parts(b).all(|part| holds(a, part))),
            Some(Operator::ContainsAny) => meets(|a, b| parts(b).any(|part| holds(a, part))),
            Some(Operator::IsSet) => attribute.is_some(),
            Some(Operator::IsNotSet) => attribute.is_none(),
            // One node is always different from all others.
            Some(Operator::DistinctHosts | Operator::DistinctProperty) => true,
            None => false,
        }
    }
}

/// As Nomad's scheduler writes one.
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.attribute, self.operator, self.value)
    }
}

/// Why a value cannot be one for this operator.
pub(crate) fn unfit(operator: Operator, value: &str) -> Option<String> {
    match operator {
        Operator::Regexp => {
            let error = Regex::new(value).err()?;
            // The first lines show the pattern again.
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default();
            let why = why.trim_start_matches("error: ");
            Some(format!("Regular expression failed to compile: {why}."))
        }
        Operator::Version => {
            let error = Requirements::of_versions(value).err()?;
            Some(format!("Version constraint is invalid: {error}."))
        }
        Operator::Semver => {
            let error = Requirements::of_semver(value).err()?;
            Some(format!("Semver constraint is invalid: {error}."))
        }
        Operator::ContainsAll | Operator::ContainsAny if value.is_empty() => {
            Some("A set_contains operator needs a value.".to_owned())
        }
        Operator::DistinctProperty if !value.is_empty() && !counts(value) => Some(format!(
            "The value of distinct_property is how many allocations may share it, from 1; {value:?} is no such number."
        )),
        _ => None,
    }
}

fn counts(value: &str) -> bool {
    value.parse::<u64>().is_ok_and(|count| count > 0)
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

fn holds(list: &str, wanted: &str) -> bool {
    parts(list).any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(operator: &str) -> Constraint {
        Constraint {
            span: 0..0,
            attribute: "${attr.x}".to_owned(),
            operator: operator.to_owned(),
            value: String::new(),
        }
    }

    fn met(attribute: &str, operator: &str, value: &str) -> bool {
        constraint(operator).is_met(Some(attribute), Some(value))
    }

    #[test]
    fn operators_mean_what_they_say() {
        for (attribute, operator, value) in [
            ("linux", "=", "linux"),
            ("linux", "==", "linux"),
            ("linux", "is", "linux"),
            ("linux", "!=", "darwin"),
            ("linux", "not", "darwin"),
            ("amd64", "regexp", "^(amd|arm)64$"),
            ("6.18.44", "regexp", r"^6\.\d+"),
            ("6.18.44-generic", "semver", ">= 6.0.0"),
            ("1.7.3", "version", ">= 1.7, < 2.0"),
            ("1.7.3", "version", "~> 1.7"),
            ("a, b,c", "set_contains", "b,a"),
            ("a,b,c", "set_contains_all", "c"),
            ("a,b,c", "set_contains_any", "x, c"),
            ("8", "<", "10"),
            ("8", "<=", "8"),
            ("1.5", ">", "1.25"),
            ("b", ">=", "a10"),
            ("x", "distinct_hosts", "true"),
            ("x", "distinct_property", "3"),
        ] {
            assert!(
                met(attribute, operator, value),
                "{attribute} {operator} {value}"
            );
        }
        for (attribute, operator, value) in [
            ("linux", "=", "Linux"),
            ("linux", "!=", "linux"),
            ("amd64", "regexp", "^md"),
            ("amd64", "regexp", "("),
            ("6.18.44-generic", "version", ">= 6.0.0"),
            ("none", "version", ">= 0"),
            ("1.7.3", "version", "nonsense"),
            ("a,b", "set_contains", "a,c"),
            ("a,b", "set_contains_any", "c,d"),
            ("10", "<", "8"),
            ("a", ">", "b"),
            ("x", "nosuch", "x"),
        ] {
            assert!(
                !met(attribute, operator, value),
                "{attribute} {operator} {value}"
            );
        }
    }

    #[test]
    fn what_the_node_does_not_have_meets_only_what_asks_for_that() {
        for (word, operator) in OPERATORS {
            let expected = matches!(
                operator,
                Operator::NotEqual
                    | Operator::IsNotSet
                    | Operator::DistinctHosts
                    | Operator::DistinctProperty
            );
            assert_eq!(constraint(word).is_met(None, Some("1")), expected, "{word}");
        }
        assert!(constraint("is_set").is_met(Some(""), Some("")));
        assert!(!constraint("is_not_set").is_met(Some(""), Some("")));
    }

    #[test]
    fn what_an_operator_cannot_use_is_told() {
        for (operator, value) in [
            (Operator::Regexp, "a("),
            (Operator::Version, ">= x"),
            (Operator::Version, ""),
            (Operator::Semver, "~> 1.0"),
            (Operator::ContainsAny, ""),
            (Operator::DistinctProperty, "0"),
        ] {
            let told = unfit(operator, value).unwrap_or_default();
            assert!(told.ends_with('.') && !told.contains('\n'), "{told}");
        }
        assert_eq!(unfit(Operator::DistinctProperty, ""), None);
        assert_eq!(unfit(Operator::Version, ">= 1.0.0-beta1+ent, != 2"), None);
    }
}
