//! What a pipeline carries.
use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::{MAX_VALUE_DEPTH, MAX_WEIGHT};

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
    size: Size,
}

/// Values by name.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) entries: BTreeMap<String, Value>,
    /// What a name has that is not there.
    pub(crate) zero: Value,
    size: Size,
}

/// What a walk through a value meets. One value may lie in many places of another, as YAML's aliases do: it counts in each.
#[derive(Debug, Clone, Copy)]
struct Size {
    depth: usize,
    weight: usize,
}

/// Of a list or a map without anything.
const NOTHING_INSIDE: Size = Size {
    depth: 1,
    weight: 0,
};
/// What any value weighs, besides its text or its values.
const LEAST: usize = 16;

impl Size {
    fn add(&mut self, inner: &Value, name: &str) {
        self.depth = self.depth.max(inner.depth() + 1);
        let weight = inner.weight().saturating_add(name.len());
        self.weight = self.weight.saturating_add(weight);
    }

    fn within_bounds(self) -> Result<Size, String> {
        if self.depth > MAX_VALUE_DEPTH {
            return Err(format!("values lie more than {MAX_VALUE_DEPTH} deep"));
        }
        if self.weight > MAX_WEIGHT {
            return Err(format!(
                "a value holds more than {} MiB, counting what lies in it at several places at each",
                MAX_WEIGHT >> 20
            ));
        }
        Ok(self)
    }
}

impl Default for Map {
    fn default() -> Map {
        Map {
            entries: BTreeMap::new(),
            zero: Value::Nil,
            size: NOTHING_INSIDE,
        }
    }
}

impl Map {
    fn of(entries: BTreeMap<String, Value>, zero: Value) -> Result<Map, String> {
        let mut size = NOTHING_INSIDE;
        entries
            .iter()
            .for_each(|(name, inner)| size.add(inner, name));
        let size = size.within_bounds()?;
        Ok(Map {
            entries,
            zero,
            size,
        })
    }

    /// The same with one more entry, or another for one that is there. A depth that is gone still counts.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Result<Map, String> {
        let mut size = self.size;
        size.add(&value, name);
        if let Some(before) = self.entries.get(name) {
            size.weight -= before.weight() + name.len();
        }
        self.size = size.within_bounds()?;
        self.entries.insert(name.to_owned(), value);
        Ok(self)
    }
}

impl Value {
    pub(crate) fn text(text: impl AsRef<[u8]>) -> Value {
        Value::Text(text.as_ref().into())
    }

    pub(crate) fn list(items: Vec<Value>) -> Result<Value, String> {
        let mut size = NOTHING_INSIDE;
        items.iter().for_each(|inner| size.add(inner, ""));
        let size = size.within_bounds()?;
        Ok(Value::List(Rc::new(List { items, size })))
    }

    pub(crate) fn map(entries: BTreeMap<String, Value>) -> Result<Value, String> {
        Map::of(entries, Value::Nil).map(|map| Value::Map(Rc::new(map)))
    }

    /// A map of texts, where what is missing is the empty text.
    pub(crate) fn texts(entries: BTreeMap<String, Value>) -> Result<Value, String> {
        Map::of(entries, Value::text("")).map(|map| Value::Map(Rc::new(map)))
    }

    fn depth(&self) -> usize {
        match self {
            Value::List(list) => list.size.depth,
            Value::Map(map) => map.size.depth,
            _ => 0,
        }
    }

    /// How much work somebody has who walks through all of it.
    pub(crate) fn weight(&self) -> usize {
        let inside = match self {
            Value::Text(text) => text.len(),
            Value::List(list) => list.size.weight,
            Value::Map(map) => map.size.weight,
            _ => 0,
        };
        LEAST + inside
    }

    /// Of a text; nothing else has one.
    pub(super) fn text_length(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
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
