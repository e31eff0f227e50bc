//! The functions of consul-template that need neither Consul nor Vault, and what a template finds around it.
mod collect;
mod encode;
mod json;
mod math;
mod regex;
mod scratch;
mod text;
mod time;
mod toml;
mod unavailable;
mod yaml;
mod yaml_write;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::go::{Budget, Function, Parameter, Value, World};

pub(crate) use unavailable::unavailable;

type Call = fn(&mut Rendering<'_>, &[Value]) -> Result<Value, String>;

/// One function: its name, what it takes, and what it does.
struct Entry {
    name: &'static str,
    function: Function,
    call: Call,
}

const fn entry(
    name: &'static str,
    fixed: &'static [Parameter],
    rest: Option<Parameter>,
    call: Call,
) -> Entry {
    Entry {
        name,
        function: Function { fixed, rest },
        call,
    }
}

/// Says whether a function is known, called or not.
pub(crate) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

fn find(name: &str) -> Option<&'static Entry> {
    let tables = [
        SURROUNDINGS,
        text::TABLE,
        encode::TABLE,
        math::TABLE,
        collect::TABLE,
    ];
    tables
        .into_iter()
        .flatten()
        .find(|entry| entry.name == name)
}

/// What the templates of a task see of it.
pub trait Surroundings {
    /// A variable of the task, or what is known of its node.
    fn variable(&self, name: &str) -> Option<Cow<'_, str>>;

    /// What stands in a file that belongs to the task.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String>;
}

/// One rendering of one template.
pub(crate) struct Rendering<'a> {
    around: &'a mut dyn Surroundings,
    notes: BTreeMap<String, Value>,
    expressions: regex::Expressions,
    budget: Budget,
}

impl<'a> Rendering<'a> {
    pub(crate) fn new(around: &'a mut dyn Surroundings) -> Rendering<'a> {
        Rendering {
            around,
            notes: BTreeMap::new(),
            expressions: regex::Expressions::default(),
            budget: Budget::new(),
        }
    }
}

impl World for Rendering<'_> {
    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn function(&self, name: &str) -> Option<Function> {
        find(name).map(|entry| entry.function)
    }

    fn call(&mut self, name: &str, args: &[Value]) -> Result<Value, String> {
        match find(name) {
            Some(entry) => (entry.call)(self, args),
            None => Err("is not a defined function".to_owned()),
        }
    }

    fn scratch(&mut self, method: &str, args: &[Value]) -> Result<Value, String> {
        scratch::call(&mut self.notes, &mut self.budget, method, args)
    }
}

const SURROUNDINGS: &[Entry] = &[
    entry("env", &[Parameter::Text], None, |rendering, args| {
        let value = rendering.around.variable(&word(args, 0));
        Ok(Value::text(value.unwrap_or_default().as_bytes()))
    }),
    entry("mustEnv", &[Parameter::Text], None, |rendering, args| {
        let name = word(args, 0);
        match rendering.around.variable(&name) {
            Some(value) if !value.is_empty() => Ok(Value::text(value.as_bytes())),
            _ => Err(format!("required environment variable {name} is empty")),
        }
    }),
    entry(
        "envOrDefault",
        &[Parameter::Text, Parameter::Text],
        None,
        |rendering, args| match rendering.around.variable(&word(args, 0)) {
            Some(value) => Ok(Value::text(value.as_bytes())),
            None => Ok(Value::text(bytes(args, 1))),
        },
    ),
    entry("file", &[Parameter::Text], None, |rendering, args| {
        let path = word(args, 0);
        if path.is_empty() {
            return Ok(Value::text(""));
        }
        rendering.around.file(path.trim()).map(Value::text)
    }),
    entry("scratch", &[], None, |_, _| Ok(Value::Scratch)),
    entry("timestamp", &[], Some(Parameter::Text), |_, args| {
        time::timestamp(args)
    }),
];

/// The bytes of an argument that is a text; the types are checked before the call.
fn bytes(args: &[Value], index: usize) -> &[u8] {
    match args.get(index) {
        Some(Value::Text(text)) => text,
        _ => b"",
    }
}

/// An argument as text, where every byte that is none is replaced.
fn word(args: &[Value], index: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes(args, index))
}
