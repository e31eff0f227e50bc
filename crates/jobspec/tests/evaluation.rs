//! Expressions and their values, as `config` gets them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use jobspec::{Job, Value, parse};

fn job(expression: &str) -> Job {
    let text = format!(
        "job \"a\" {{\n task \"b\" {{\n driver = \"exec\"\n config {{\n v = {expression}\n}}\n}}\n}}\n"
    );
    parse("job.hcl", &text).unwrap_or_else(|mistakes| panic!("{expression}: {mistakes:#?}"))
}

fn value(expression: &str) -> Value {
    let job = job(expression);
    job.groups[0].tasks[0].config.attributes["v"].value.clone()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn object<const N: usize>(items: [(&str, Value); N]) -> Value {
    let items = items.map(|(key, value)| (key.to_owned(), value));
    Value::Object(BTreeMap::from(items))
}

#[test]
fn literals_have_their_values() {
    for (expression, expected) in [
        ("null", Value::Null),
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("5", Value::Number(5.0)),
        ("-5", Value::Number(-5.0)),
        ("- 5", Value::Number(-5.0)),
        ("- /* 4 */ 5", Value::Number(-5.0)),
        ("1.5e-3", Value::Number(0.0015)),
        ("\"\"", text("")),
        ("\"a b\"", text("a b")),
        (
            "\"\\\"\\n\\r\\t\\\\\\u00e9\\U0001F600\"",
            text("\"\n\r\t\\é😀"),
        ),
        ("\"$ $$ % $(a) $A { }\"", text("$ $$ % $(a) $A { }")),
        ("(\"a\")", text("a")),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn collections_have_their_items() {
    let list = |items: &[Value]| Value::List(items.to_vec());
    for (expression, expected) in [
        ("[]", list(&[])),
        (
            "[1, \"a\", true, null]",
            list(&[
                Value::Number(1.0),
                text("a"),
                Value::Bool(true),
                Value::Null,
            ]),
        ),
        (
            "[\n1,\n# comment\n[2],\n]",
            list(&[Value::Number(1.0), list(&[Value::Number(2.0)])]),
        ),
        ("{}", object([])),
        (
            "{ a = 1, \"b c\" : 2 }",
            object([("a", Value::Number(1.0)), ("b c", Value::Number(2.0))]),
        ),
        (
            "{\na = 1\n\n(\"b\") = {}\n}",
            object([("a", Value::Number(1.0)), ("b", object([]))]),
        ),
        (
            "{ 1 = 1, true = 2 }",
            object([("1", Value::Number(1.0)), ("true", Value::Number(2.0))]),
        ),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn heredocs_have_their_text() {
    for (expression, expected) in [
        ("<<EOT\nEOT", ""),
        ("<<EOT\na\n  b\nEOT", "a\n  b\n"),
        ("<<EOT\na\n  EOT", "a\n"),
        ("<<-EOT\n    a\n      b\n\n    c\n    EOT", "a\n  b\n\nc\n"),
        ("<<-EOT\n    a\n  \n    b\n    EOT", "a\n  \nb\n"),
        (
            "<<EOT\n\\n \"quoted\" $HOME $$ %d\nEOT",
            "\\n \"quoted\" $HOME $$ %d\n",
        ),
        ("<<EOT\nEOTX\nEOT", "EOTX\n"),
        ("<<EOT\r\na\r\nEOT", "a\r\n"),
    ] {
        assert_eq!(value(expression), text(expected), "{expression}");
    }
}

#[test]
fn operators_calculate() {
    for (expression, expected) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("7 % 4", 3.0),
        ("-7 % 4", -3.0),
        ("10 - 2 - 3", 5.0),
        ("1 / 4", 0.25),
        ("0.1 + 0.2", 0.3),
        ("3 * 0.1", 0.3),
        ("\"5\" + 1", 6.0),
        ("-\"5\"", -5.0),
        ("-(2 + 3)", -5.0),
        ("5 - 5", 0.0),
    ] {
        assert_eq!(value(expression), Value::Number(expected), "{expression}");
    }
}

#[test]
fn operators_compare_and_decide() {
    for (expression, expected) in [
        ("1 < 2", true),
        ("2 <= 2", true),
        ("1 > 2", false),
        ("2 >= 3", false),
        ("1 == 1.0", true),
        ("1 == \"1\"", false),
        ("\"a\" != \"b\"", true),
        ("[1, 2] == [1, 2]", true),
        ("null == null", true),
        ("true && false || true", true),
        ("!true", false),
        ("!\"false\"", true),
        ("!!true", true),
        ("1 + 1 == 2 && !(3 > 4)", true),
    ] {
        assert_eq!(value(expression), Value::Bool(expected), "{expression}");
    }
}

#[test]
fn conditionals_choose_and_unify() {
    assert_eq!(value("true ? 1 : 2"), Value::Number(1.0));
    assert_eq!(value("false ? 1 : 2"), Value::Number(2.0));
    assert_eq!(value("\"true\" ? \"a\" : \"b\""), text("a"));
    assert_eq!(value("true ? 1 : \"b\""), text("1"));
    assert_eq!(value("true ? null : 1"), Value::Null);
    assert_eq!(value("false ? 1 : true ? 2 : 3"), Value::Number(2.0));
}

#[test]
fn escapes_give_the_text_for_the_shell() {
    let env = "$${HOME:-/} %%{x} $$$${Y}";
    let text = format!(
        "job \"a\" {{\n task \"b\" {{\n driver = \"exec\"\n env = {{ A = \"{env}\" }}\n}}\n}}\n"
    );
    let job = parse("job.hcl", &text).unwrap();
    assert_eq!(job.groups[0].tasks[0].env["A"], "${HOME:-/} %{x} $$${Y}");
}

#[test]
fn what_a_local_refers_to_is_referred_to_by_what_uses_it() {
    let text = "locals {\n a = \"${local.b[0]}/y\"\n b = [\"${B}\", \"$${C}\"]\n}\njob \"a\" {\n task \"b\" {\n driver = \"exec\"\n env {\n A = local.a\n B = \"1\"\n }\n }\n}\n";
    let job = parse("job.hcl", text).unwrap();
    let task = &job.groups[0].tasks[0];
    assert_eq!(task.env["A"], "${B}/y");
    assert_eq!(task.env_references["A"], ["B".to_owned()].into());
}
