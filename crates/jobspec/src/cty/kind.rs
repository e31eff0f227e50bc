//! Types, and their names in messages.

use std::collections::{BTreeMap, BTreeSet};

/// A type, or with `Any` in it a constraint on one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Any,
    Bool,
    Number,
    String,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    /// The attributes, and which of them may be missing: a value's own type has none of these.
    Object(BTreeMap<String, Type>, BTreeSet<String>),
}

impl Type {
    pub(crate) fn object(attributes: impl IntoIterator<Item = (String, Type)>) -> Self {
        Type::Object(attributes.into_iter().collect(), BTreeSet::new())
    }

    pub(crate) fn list(of: Type) -> Self {
        Type::List(Box::new(of))
    }

    pub(crate) fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }

    /// The type of the items of a list, set or map.
    pub(crate) fn item(&self) -> Option<&Type> {
        match self {
            Type::List(item) | Type::Set(item) | Type::Map(item) => Some(item),
            _ => None,
        }
    }

    /// How many parts it has.
    pub(crate) fn size(&self) -> usize {
        let inner = match self {
            Type::Any | Type::Bool | Type::Number | Type::String => 0,
            Type::List(item) | Type::Set(item) | Type::Map(item) => item.size(),
            Type::Tuple(items) => items.iter().map(Type::size).sum(),
            Type::Object(items, _) => items
                .iter()
                .map(|(name, item)| name.len() + item.size())
                .sum(),
        };
        inner + 1
    }

    pub(crate) fn has_any(&self) -> bool {
        match self {
            Type::Any => true,
            Type::Bool | Type::Number | Type::String => false,
            Type::List(item) | Type::Set(item) | Type::Map(item) => item.has_any(),
            Type::Tuple(items) => items.iter().any(Type::has_any),
            Type::Object(items, _) => items.values().any(Type::has_any),
        }
    }

    /// The type of values: nothing is optional in it.
    pub(crate) fn exact(&self) -> Self {
        match self {
            Type::List(item) => Type::List(Box::new(item.exact())),
            Type::Set(item) => Type::Set(Box::new(item.exact())),
            Type::Map(item) => Type::Map(Box::new(item.exact())),
            Type::Tuple(items) => Type::Tuple(items.iter().map(Type::exact).collect()),
            Type::Object(items, _) => Type::object(
                items
                    .iter()
                    .map(|(name, item)| (name.clone(), item.exact())),
            ),
            simple => simple.clone(),
        }
    }

    /// `list of string`.
    pub(crate) fn name(&self) -> String {
        self.named("dynamic", "dynamic")
    }

    /// The same, where `Any` stands for what was left open.
    pub(crate) fn name_of_constraint(&self) -> String {
        self.named("any type", "any single type")
    }

    fn named(&self, any: &str, any_item: &str) -> String {
        let of = |collection: &str, item: &Type| {
            format!("{collection} of {}", item.named(any_item, any_item))
        };
        match self {
            Type::Any => any.to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Number => "number".to_owned(),
            Type::String => "string".to_owned(),
            Type::List(item) => of("list", item),
            Type::Set(item) => of("set", item),
            Type::Map(item) => of("map", item),
            Type::Tuple(_) => "tuple".to_owned(),
            Type::Object(..) => "object".to_owned(),
        }
    }
}
