//! What consul-template itself, run with Go, made of some two hundred templates: `templates/go.jsonl`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::borrow::Cow;

use client::template::{Form, Surroundings, render};
use serde::Deserialize;

/// One line of the table.
#[derive(Deserialize)]
struct Vector {
    template: String,
    /// Whether keys that are missing are errors.
    #[serde(default)]
    strict: bool,
    output: String,
    /// What Go said, if it refused the template.
    #[serde(default)]
    error: String,
}

/// The environment that the table was made with.
struct Environment;

impl Surroundings for Environment {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match name {
            "NAME" => "web",
            "PORT" => "8080",
            "EMPTY" => "",
            "JSON" => r#"{"a":{"b":[1,2.5,true,null,"x"]},"n":1000000,"s":"<&>"}"#,
            _ => return None,
        }))
    }

    fn file(&mut self, _: &str) -> Result<Vec<u8>, String> {
        Err("there are no files here".to_owned())
    }
}

#[test]
fn templates_are_rendered_as_go_renders_them() {
    let table = include_str!("templates/go.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let form = Form {
            left: "{{",
            right: "}}",
            error_on_missing_key: vector.strict,
        };
        let got = render(&vector.template, form, &mut Environment);
        let right = match &got {
            Ok(bytes) => vector.error.is_empty() && *bytes == vector.output.as_bytes(),
            Err(_) => !vector.error.is_empty(),
        };
        if !right {
            let got = got.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            wrong.push(format!(
                "{}\n  go:   {:?} {}\n  here: {got:?}",
                vector.template, vector.output, vector.error
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
