//! The one type that values of several types can all have.

use std::collections::BTreeMap;

use super::Type;
use super::conversion::{Safety, convertible};
use crate::steps::Steps;

/// The type that all of these can be made, if there is one, and if there is work enough left to find it.
pub(crate) fn unify(types: &[Type], steps: &mut Steps) -> Option<Type> {
    // Here, because what follows may come here twice at each level.
    if !steps.take(types.iter().map(Type::size).sum()) {
        return None;
    }
    let known: Vec<&Type> = types.iter().filter(|kind| **kind != Type::Any).collect();
    let [first, rest @ ..] = known.as_slice() else {
        return Some(Type::Any);
    };
    if rest.iter().all(|kind| kind == first) {
        return Some((*first).clone());
    }
    alike(&known, steps).or_else(|| preferred(&known, steps))
}

/// Types of the same shape are unified part by part.
fn alike(types: &[&Type], steps: &mut Steps) -> Option<Type> {
    let lists = types
        .iter()
        .all(|kind| matches!(kind, Type::List(_) | Type::Tuple(_)));
    let maps = types
        .iter()
        .all(|kind| matches!(kind, Type::Map(_) | Type::Object(..)));
    let sets = types.iter().all(|kind| matches!(kind, Type::Set(_)));
    if lists {
        tuples(types, steps).or_else(|| items(types, steps).map(Type::list))
    } else if maps {
        objects(types, steps).or_else(|| items(types, steps).map(|item| Type::Map(Box::new(item))))
    } else if sets {
        items(types, steps).map(|item| Type::Set(Box::new(item)))
    } else {
        None
    }
}

/// The one type of all items of all.
fn items(types: &[&Type], steps: &mut Steps) -> Option<Type> {
    let mut all = Vec::new();
    for kind in types {
        match kind {
            Type::List(item) | Type::Set(item) | Type::Map(item) => all.push((**item).clone()),
            Type::Tuple(items) => all.extend(items.iter().cloned()),
            Type::Object(items, _) => all.extend(items.values().cloned()),
            _ => {}
        }
    }
    unify(&all, steps)
}

/// Tuples of the same length keep being tuples.
fn tuples(types: &[&Type], steps: &mut Steps) -> Option<Type> {
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
    let columns: Option<Vec<Type>> = columns.iter().map(|column| unify(column, steps)).collect();
    columns.map(Type::Tuple)
}

/// Objects with the same attributes keep being objects.
fn objects(types: &[&Type], steps: &mut Steps) -> Option<Type> {
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
        .map(|(name, column)| Some((name.clone(), unify(&column, steps)?)))
        .collect();
    columns.map(Type::object)
}

/// The first of the types that all others become without loss. What becomes a type becomes whatever that becomes, so that one look at
/// each finds the only one that it can be.
fn preferred(types: &[&Type], steps: &mut Steps) -> Option<Type> {
    let mut fits = |kind: &Type, wanted: &Type| convertible(kind, wanted, Safety::Safe, steps);
    let (mut best, rest) = types.split_first()?;
    for kind in rest {
        if !fits(kind, best) {
            best = kind;
        }
    }
    types
        .iter()
        .all(|kind| fits(kind, best))
        .then(|| (*best).clone())
}
