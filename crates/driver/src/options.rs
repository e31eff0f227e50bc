//! Every option of both drivers, of a task and of the operator, declared once.
//!
//! The decoding of an HCL `config {}` block, the schema a plugin reports, the decoding of msgpack and the typed
//! configuration all derive from these tables.
use std::collections::BTreeMap;

mod decode;
mod msgpack;
mod read;
mod suggest;
pub(crate) mod tables;

pub use decode::decode;
pub use msgpack::{MsgpackError, from_msgpack};
pub(crate) use read::Read;

/// The type of an option, in hclspec's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `string`
    String,
    /// `bool`
    Bool,
    /// `number` that must be an integer.
    Integer,
    /// `list(string)`
    Strings,
    /// `map(string)` (hclspec `block_attrs`, which takes both spellings)
    StringMap,
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// As it is written in HCL.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What holds when it is absent, as an HCL expression (`true`, `"private"`); `None`: absent.
    pub default: Option<&'static str>,
}

/// A value as HCL or msgpack has it, before it is checked against an option.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are the types'")]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

/// What was configured, by option name.
pub type Values = BTreeMap<String, Value>;

/// A value that does not fit its option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {reason}")]
pub struct Mismatch {
    /// The option (or the unknown name).
    pub option: String,
    /// In Nomad's words where it has some: `a number is required`, with a suggestion for an unknown name.
    pub reason: String,
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Value {
        Value::List(list.into_iter().map(Value::String).collect())
    }
}

impl From<&[&str]> for Value {
    fn from(list: &[&str]) -> Value {
        Value::List(list.iter().map(|text| Value::from(*text)).collect())
    }
}

impl Value {
    /// The type's name as hcldec says it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "tuple",
            Value::Map(_) => "object",
        }
    }
}
