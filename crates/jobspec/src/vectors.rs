//! What HCL as Nomad builds it makes of expressions, recorded once: the expression, the type of its value and the value as JSON, or
//! `error` and what was said.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use hcl_edit::parser;

use crate::cty::{Type, Value};
use crate::diagnostic::Diagnostic;
use crate::eval::typed;
use crate::names::{Functions, Known, Names, Others};
use crate::report::Report;

/// What comes out otherwise here, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        r####"format("%b %o %X %e %g %G %E", 5, 8, 255, 1.5, 1e21, 1e-7, 2)"####,
        EXACT,
    ),
    (r####"regex_replace("hello", "(", "x")"####, WORDS),
    (r####"uuidv5("foo","x")"####, WORDS),
    (r####"jsondecode("{")"####, WORDS),
    (r####"yamldecode("a: [")"####, WORDS),
    (r####"try({}.a, {}.b)"####, "on one line"),
    (
        r####"convert({a="1"}, object({a=number, b=optional(string)}))"####,
        "optional attributes may be missing",
    ),
    (r####"bcrypt("a", 99)"####, WORDS),
    (r####"7 % 0"####, "a division by zero is a mistake"),
    (r####"10 / 3"####, EXACT),
    (r####"1e30"####, EXACT),
    (r####"123456789012345678901234567890"####, EXACT),
    (r####"jsonencode(1e20)"####, EXACT),
    (r####"yamldecode("a\n---\nb")"####, WORDS),
    (
        r####"cidrsubnet("10.0.0.0/8", -1, 0)"####,
        "a subnet is no larger than its network",
    ),
    (
        r####"cidrhost("fd00::/64", 18446744073709551615)"####,
        EXACT,
    ),
    (r####"signum(1.5)"####, WORDS),
    (r####"formatdate("YYYY", "2018-13-02T23:12:01Z")"####, WORDS),
    (
        r####"jsonencode([1.5, -0, 1e-7, "</script>&"])"####,
        "there is one zero",
    ),
    (r####"jsondecode("[1,")"####, WORDS),
    (r####"jsondecode("\"a\" x")"####, WORDS),
    (r####"base64decode("//8=")"####, WORDS),
    (
        r####"reverse("e\u0301a")"####,
        "texts keep the form of their letters; Nomad composes them",
    ),
    (r####"jsondecode(NOMAD_X)"####, WORDS),
    (
        r####"bcrypt("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")"####,
        WORDS,
    ),
];

const EXACT: &str = "numbers are kept in 64 bits, and digits that would be lost are refused";
const WORDS: &str = "the words of another library";

fn evaluate(expression: &str) -> Result<Value, Vec<Diagnostic>> {
    let known = Known {
        roots: ["var", "local"]
            .map(|root| {
                (
                    root.to_owned(),
                    Value::Object(std::collections::BTreeMap::new()),
                )
            })
            .into(),
        others: Others::Literal,
        functions: Functions::Job(Some(".".into())),
        ..Known::default()
    };
    let mut report = Report::with(Names::known(known), expression);
    let tree =
        parser::parse_expr(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    typed(&tree, &mut report).map_err(|_| report.into_diagnostics())
}

fn json(value: Value) -> serde_json::Value {
    fn plain(value: crate::Value) -> serde_json::Value {
        match value {
            crate::Value::Null => serde_json::Value::Null,
            crate::Value::Bool(bool) => bool.into(),
            crate::Value::Number(number) => number.into(),
            crate::Value::String(text) => text.into(),
            crate::Value::List(items) => items.into_iter().map(plain).collect(),
            crate::Value::Object(items) => items
                .into_iter()
                .map(|(name, item)| (name, plain(item)))
                .collect(),
        }
    }
    plain(value.into())
}

/// The same where all numbers are floats.
fn floats(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().map(|float| float + 0.0).into(),
        serde_json::Value::Array(items) => items.into_iter().map(floats).collect(),
        serde_json::Value::Object(items) => items
            .into_iter()
            .map(|(name, item)| (name, floats(item)))
            .collect(),
        other => other,
    }
}

fn shown(result: Result<Value, Vec<Diagnostic>>) -> (String, serde_json::Value) {
    match result {
        Ok(value) => {
            let kind = match value.kind() {
                Type::Any => "dynamic".to_owned(),
                kind => kind.name(),
            };
            (kind, floats(json(value)))
        }
        Err(mistakes) => {
            let words: Vec<String> = mistakes
                .iter()
                .map(|mistake| format!("{}; {}", mistake.summary, mistake.detail))
                .collect();
            ("error".to_owned(), words.join(" | ").into())
        }
    }
}

#[test]
fn expressions_come_to_what_nomad_makes_of_them() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/expressions.jsonl");
    let mut wrong = String::new();
    let mut different = DIFFERENT
        .iter()
        .map(|(expression, _)| *expression)
        .collect::<std::collections::BTreeSet<_>>();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let [expression, kind, expected]: [String; 3] = serde_json::from_str(line).unwrap();
        let got = shown(evaluate(&expression));
        let value = if kind == "error" {
            expected.into()
        } else {
            floats(serde_json::from_str(&expected).unwrap())
        };
        let wanted = (kind, value);
        if different.remove(expression.as_str()) {
            assert_ne!(got, wanted, "{expression} is no different any more");
        } else if got != wanted {
            wrong += &format!(
                "{expression}\n  nomad {} {}\n  here  {} {}\n",
                wanted.0, wanted.1, got.0, got.1
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(different.is_empty(), "not in the file: {different:?}");
}
