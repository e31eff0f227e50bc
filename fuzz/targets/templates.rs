//! Any text as a template: parsed and rendered. A mistake's place must lie in the text, and nothing may run on for ever.
#![no_main]

use std::borrow::Cow;

use client::template::{Form, Surroundings, render};
use libfuzzer_sys::fuzz_target;

struct Environment;

impl Surroundings for Environment {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "FOO").then_some(Cow::Borrowed("{\"a\": [1, 2.5, null, {\"b\": \"c\"}]}"))
    }

    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Ok(path.as_bytes().to_vec())
    }
}

fuzz_target!(|text: &str| {
    let form = Form {
        left: "{{",
        right: "}}",
        error_on_missing_key: text.len() % 2 == 1,
    };
    if let Err(trouble) = render(text, form, &mut Environment) {
        let lines = text.matches('\n').count() + 1;
        assert!((1..=lines).contains(&trouble.line), "{trouble:?}");
        assert!(!trouble.what.is_empty());
    }
});
