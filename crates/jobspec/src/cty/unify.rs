//! The one type that values of several types can all have.

use std::collections::BTreeMap;

use super::Type;
use super::conversion::{Safety, convertible};

/// The type that all of these can be made, if there is one.
pub(crate) fn unify(types: &[Type]) -> Option<Type> {
    let known: Vec<&Type> = types.iter().filter(|kind| **kind != Type::Any).collect();
    let [first, rest @ ..] = known.as_slice() else {
        return Some(Type::Any);
    };
    if rest.iter().all(|kind| kind == first) {
        return Some((*first).clone());
    }
    alike(&known).or_else(|| preferred(&known))
}

/// Types of the same shape are unified part by part.
fn alike(types: &[&Type]) -> Option<Type> {
    let lists = types
        .iter()
        .all(|kind| matches!(kind, Type::List(_) | Type::Tuple(_)));
    let maps = types
        .iter()
        .all(|kind| matches!(kind, Type::Map(_) | Type::Object(..)));
    let sets = types.iter().all(|kind| matches!(kind, Type::Set(_)));
    if lists {
        tuples(types).or_else(|| items(types).map(|item| Type::List(Box::new(item))))
    } else if maps {
        objects(types).or_else(|| items(types).map(|item| Type::Map(Box::new(item))))
    } else if sets {
        items(types).map(|item| Type::Set(Box::new(item)))
    } else {
        None
    }
}

/// The one type of all items of all.
fn items(types: &[&Type]) -> Option<Type> {
    let mut all = Vec::new();
    for kind in types {
        match kind {
            Type::List(item) | Type::Set(item) | Type::Map(item) => all.push((**item).clone()),
            Type::Tuple(items) => all.extend(items.iter().cloned()),
            Type::Object(items, _) => all.extend(items.values().cloned()),
            _ => {}
        }
    }
    unify(&all)
}

/// Tuples of the same length keep being tuples.
fn tuples(types: &[&Type]) -> Option<Type> {
    let mut columns: Vec<Vec<Type>> = Vec::new();
    for (at, kind) in types.iter().enumerate() {
        let Type::Tuple(items) = kind else {
            return None;
        };
        if at == 0 {
            columns = vec![Vec::new(); items.len()];
        }
        if items.len() != columns.len() {
            return None;
        }
        for (column, item) in columns.iter_mut().zip(items) {
            column.push(item.clone());
        }
    }
    let columns: Option<Vec<Type>> = columns.iter().map(|column| unify(column)).collect();
    columns.map(Type::Tuple)
}

/// Objects with the same attributes keep being objects.
fn objects(types: &[&Type]) -> Option<Type> {
    let mut columns: BTreeMap<&String, Vec<Type>> = BTreeMap::new();
    for kind in types {
        let Type::Object(items, _) = kind else {
            return None;
        };
        for (name, item) in items {
            columns.entry(name).or_default().push(item.clone());
        }
    }
    if columns.values().any(|column| column.len() != types.len()) {
        return None;
    }
    let columns: Option<Vec<(String, Type)>> = columns
        .into_iter()
        .map(|(name, column)| Some((name.clone(), unify(&column)?)))
        .collect();
    columns.map(Type::object)
}

/// The first of the types that all others become without loss.
fn preferred(types: &[&Type]) -> Option<Type> {
    let fits = |wanted: &&&Type| {
        types
            .iter()
            .all(|kind| convertible(kind, wanted, Safety::Safe))
    };
    types.iter().find(fits).map(|kind| (*kind).clone())
}
