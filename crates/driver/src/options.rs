//! Every option of both drivers, of a task and of the operator, declared once.
//!
//! The decoding of an HCL `config {}` block, the schema a plugin reports, the decoding of msgpack and the typed
//! configuration all derive from these tables.
use std::collections::BTreeMap;

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

/// Decodes what Nomad sends as `msgpack_config` or `msgpack_driver_config`. No bytes and nil are the empty map.
pub fn from_msgpack(_bytes: &[u8]) -> Result<Values, Mismatch> {
    todo!()
}
