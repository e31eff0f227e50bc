//! Values with HCL's types, while expressions are evaluated.
//!
//! HCL tells a list from a tuple and a map from an object; functions, conversions and messages depend on it. What leaves the
//! evaluator is a [`crate::Value`], which no longer knows the difference.

mod conversion;
mod kind;
mod mismatch;
mod spec;
mod unify;

use std::cmp::Ordering;
use std::collections::BTreeMap;

pub(crate) use conversion::{convert, to_primitive};
pub(crate) use kind::Type;
pub(crate) use spec::{Openness, constraint};
pub(crate) use unify::unify;

/// A value of HCL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Without a value, but of a type.
    Null(Type),
    Bool(bool),
    Number(f64),
    String(String),
    /// Items of one type.
    List(Type, Vec<Value>),
    /// Items of one type, each once, in their order.
    Set(Type, Vec<Value>),
    /// Items of one type.
    Map(Type, BTreeMap<String, Value>),
    /// What `[…]` gives: items of any types.
    Tuple(Vec<Value>),
    /// What `{…}` gives.
    Object(BTreeMap<String, Value>),
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Value::String(text.into())
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Value::List(Type::String, texts.into_iter().map(Value::String).collect())
    }

    /// A count: none here reaches 2^53.
    #[allow(
        clippy::cast_precision_loss,
        reason = "no collection has so many items"
    )]
    pub(crate) fn count(count: usize) -> Self {
        Value::Number(count as f64)
    }

    /// A set of these, without the doubles.
    pub(crate) fn set(kind: Type, mut items: Vec<Value>) -> Self {
        items.sort_by(order);
        items.dedup();
        Value::Set(kind, items)
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Value::Null(_))
    }

    /// The type.
    pub(crate) fn kind(&self) -> Type {
        match self {
            Value::Null(kind) => kind.clone(),
            Value::Bool(_) => Type::Bool,
            Value::Number(_) => Type::Number,
            Value::String(_) => Type::String,
            Value::List(kind, _) => Type::List(Box::new(kind.clone())),
            Value::Set(kind, _) => Type::Set(Box::new(kind.clone())),
            Value::Map(kind, _) => Type::Map(Box::new(kind.clone())),
            Value::Tuple(items) => Type::Tuple(items.iter().map(Value::kind).collect()),
            Value::Object(items) => {
                Type::object(items.iter().map(|(name, item)| (name.clone(), item.kind())))
            }
        }
    }

    /// The type's name in messages, without looking inside.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Value::Null(_) => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(..) => "list",
            Value::Set(..) => "set",
            Value::Map(..) => "map",
            Value::Tuple(_) => "tuple",
            Value::Object(_) => "object",
        }
    }

    /// The items of a list, a set or a tuple.
    pub(crate) fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a map or an object.
    pub(crate) fn entries(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Map(_, items) | Value::Object(items) => Some(items),
            _ => None,
        }
    }

    /// The keys and items of any collection; a set's items are their own keys.
    pub(crate) fn into_pairs(self) -> Option<Vec<(Value, Value)>> {
        Some(match self {
            Value::List(_, items) | Value::Tuple(items) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| (Value::count(at), item))
                .collect(),
            Value::Set(_, items) => items.into_iter().map(|item| (item.clone(), item)).collect(),
            Value::Map(_, items) | Value::Object(items) => items
                .into_iter()
                .map(|(key, item)| (Value::String(key), item))
                .collect(),
            _ => return None,
        })
    }

    /// How many collections stand in each other, at most; of a value that is no collection none.
    pub(crate) fn depth(&self) -> usize {
        let deepest = match self {
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
                items.iter().map(Value::depth).max()
            }
            Value::Map(_, items) | Value::Object(items) => items.values().map(Value::depth).max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or(0)
    }

    /// How much a copy costs, in steps. A type that a value carries is copied with it.
    pub(crate) fn weight(&self) -> usize {
        const NODE: usize = 8;
        let inner: usize = match self {
            Value::String(text) => text.len(),
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
                items.iter().map(Value::weight).sum()
            }
            Value::Map(_, items) | Value::Object(items) => items
                .iter()
                .map(|(key, item)| key.len() + item.weight())
                .sum(),
            Value::Null(_) | Value::Bool(_) | Value::Number(_) => 0,
        };
        let kind = match self {
            Value::Null(kind)
            | Value::List(kind, _)
            | Value::Set(kind, _)
            | Value::Map(kind, _) => kind.size(),
            _ => 0,
        };
        inner.saturating_add(kind + NODE)
    }
}

/// The order of the items of a set: numbers by size, strings by their bytes, anything else by what it looks like.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => match (a.items(), b.items()) {
            (Some(a), Some(b)) => by_items(a.iter(), b.iter()),
            _ => match (a.entries(), b.entries()) {
                (Some(a), Some(b)) => a
                    .keys()
                    .cmp(b.keys())
                    .then_with(|| by_items(a.values(), b.values())),
                _ => a.noun().cmp(b.noun()),
            },
        },
    }
}

fn by_items<'v>(
    a: impl ExactSizeIterator<Item = &'v Value>,
    b: impl ExactSizeIterator<Item = &'v Value>,
) -> Ordering {
    let lengths = a.len().cmp(&b.len());
    let items = a.zip(b).map(|(a, b)| order(a, b));
    items.fold(Ordering::Equal, Ordering::then).then(lengths)
}

impl From<Value> for crate::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null(_) => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text),
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
                Self::List(items.into_iter().map(Self::from).collect())
            }
            Value::Map(_, items) | Value::Object(items) => Self::Object(
                items
                    .into_iter()
                    .map(|(key, item)| (key, Self::from(item)))
                    .collect(),
            ),
        }
    }
}

impl From<crate::Value> for Value {
    fn from(value: crate::Value) -> Self {
        match value {
            crate::Value::Null => Self::Null(Type::Any),
            crate::Value::Bool(bool) => Self::Bool(bool),
            crate::Value::Number(number) => Self::Number(number),
            crate::Value::String(text) => Self::String(text),
            crate::Value::List(items) => Self::Tuple(items.into_iter().map(Self::from).collect()),
            crate::Value::Object(items) => Self::Object(
                items
                    .into_iter()
                    .map(|(key, item)| (key, Self::from(item)))
                    .collect(),
            ),
        }
    }
}
