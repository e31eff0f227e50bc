//! What a pipeline carries.
use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::MAX_VALUE_DEPTH;

/// A value, as cheap to copy as a pointer.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing at all: a key that is missing, or a dot that was never set.
    Missing,
    /// A value that is there and says nothing: JSON's null.
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// Bytes, most often UTF-8.
    Text(Rc<[u8]>),
    List(Rc<List>),
    Map(Rc<Map>),
    /// The notebook that the templates of a rendering share.
    Scratch,
}

/// Values in their order.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Vec<Value>,
    depth: usize,
}

/// Values by name.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) entries: BTreeMap<String, Value>,
    /// What a name has that is not there.
    pub(crate) zero: Value,
    depth: usize,
}

impl Value {
    pub(crate) fn text(text: impl AsRef<[u8]>) -> Value {
        Value::Text(text.as_ref().into())
    }

    pub(crate) fn list(items: Vec<Value>) -> Result<Value, String> {
        let depth = deeper(items.iter())?;
        Ok(Value::List(Rc::new(List { items, depth })))
    }

    pub(crate) fn map(entries: BTreeMap<String, Value>) -> Result<Value, String> {
        let depth = deeper(entries.values())?;
        let zero = Value::Nil;
        Ok(Value::Map(Rc::new(Map {
            entries,
            zero,
            depth,
        })))
    }

    /// A map of texts, where what is missing is the empty text.
    pub(crate) fn texts(entries: BTreeMap<String, Value>) -> Value {
        let zero = Value::text("");
        Value::Map(Rc::new(Map {
            entries,
            zero,
            depth: 1,
        }))
    }

    fn depth(&self) -> usize {
        match self {
            Value::List(list) => list.depth,
            Value::Map(map) => map.depth,
            _ => 0,
        }
    }

    /// How much work a function has with it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::List(list) => list.items.len() * 16,
            Value::Map(map) => map.entries.len() * 16,
            _ => 0,
        }
    }

    /// What `if` makes of it.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Missing | Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Uint(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(list) => !list.items.is_empty(),
            Value::Map(map) => !map.entries.is_empty(),
            Value::Scratch => true,
        }
    }

    /// The name that Go has for its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Missing | Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint64",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::List(_) => "[]interface {}",
            Value::Map(map) if matches!(map.zero, Value::Text(_)) => "map[string]string",
            Value::Map(_) => "map[string]interface {}",
            Value::Scratch => "*template.Scratch",
        }
    }
}

fn deeper<'a>(inner: impl Iterator<Item = &'a Value>) -> Result<usize, String> {
    let depth = inner.map(Value::depth).max().unwrap_or(0) + 1;
    if depth > MAX_VALUE_DEPTH {
        return Err(format!("values lie more than {MAX_VALUE_DEPTH} deep"));
    }
    Ok(depth)
}
