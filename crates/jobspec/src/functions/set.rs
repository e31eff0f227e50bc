//! Sets.

use super::{Function, any, fixed, set, variadic};
use crate::call::{Call, Failure, failed};
use crate::cty::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic(
        "setintersection",
        &[set("first_set")],
        set("other_sets"),
        intersection,
    ),
    variadic("setunion", &[set("first_set")], set("other_sets"), union),
    variadic("setproduct", &[], any("sets"), product),
    fixed("distinct", &[super::list("list")], distinct),
];

/// The sets in the one type that all of them can have.
fn alike(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<(Type, Vec<Vec<Value>>), Failure> {
    let kinds: Vec<Type> = of
        .iter()
        .filter(|set| set.items().is_some_and(|items| !items.is_empty()))
        .map(Value::kind)
        .collect();
    let Some(kind) = call.unify(&kinds)? else {
        return failed("given sets must all have compatible element types");
    };
    let mut sets = Vec::new();
    for set in of {
        let converted = if kind == Type::Any {
            Ok(set)
        } else {
            call.convert(set, &kind)
        };
        match converted {
            Ok(Value::Set(_, items)) => sets.push(items),
            Err(Failure::Reported) => return Err(Failure::Reported),
            _ => return failed("given sets must all have compatible element types"),
        }
    }
    Ok((kind.item().cloned().unwrap_or(Type::Any), sets))
}

fn union(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (kind, sets) = alike(of, call)?;
    Ok(Value::set(kind, sets.into_iter().flatten().collect()))
}

fn intersection(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (kind, mut sets) = alike(of, call)?;
    let mut kept = sets.remove(0);
    for set in sets {
        call.spend(kept.len().saturating_mul(set.len()))?;
        kept.retain(|item| set.contains(item));
    }
    Ok(Value::set(kind, kept))
}

fn distinct(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let kind = of[0].kind().item().cloned().unwrap_or(Type::Any);
    let mut kept: Vec<Value> = Vec::new();
    for item in of[0].items().unwrap_or_default() {
        call.spend(kept.len())?;
        if !kept.contains(item) {
            kept.push(item.clone());
        }
    }
    Ok(Value::List(kind, kept))
}

fn product(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    if of.len() < 2 {
        return failed("at least two arguments are required");
    }
    let mut columns = Vec::new();
    for (at, value) in of.iter().enumerate() {
        columns.push(column(value, at, call)?);
    }
    let rows = columns
        .iter()
        .map(|(_, items)| items.len())
        .fold(1, usize::saturating_mul);
    call.spend(rows.saturating_mul(columns.len() + 1).saturating_mul(8))?;
    let mut tuples: Vec<Vec<Value>> = vec![Vec::new()];
    for (_, items) in &columns {
        let weight: usize = items.iter().map(Value::weight).sum();
        call.spend(tuples.len().saturating_mul(weight))?;
        tuples = tuples
            .iter()
            .flat_map(|row| {
                items
                    .iter()
                    .map(|item| row.iter().cloned().chain([item.clone()]).collect())
            })
            .collect();
    }
    let kind = Type::Tuple(columns.iter().map(|(kind, _)| kind.clone()).collect());
    let tuples = tuples.into_iter().map(Value::Tuple).collect();
    // A product of sets has no order of its own.
    Ok(
        match of.iter().all(|value| matches!(value, Value::Set(..))) {
            true => Value::set(kind, tuples),
            false => Value::List(kind, tuples),
        },
    )
}

fn column(
    value: &Value,
    at: usize,
    call: &mut Call<'_, '_>,
) -> Result<(Type, Vec<Value>), Failure> {
    let list = match value {
        Value::List(kind, items) | Value::Set(kind, items) => {
            return Ok((kind.clone(), items.clone()));
        }
        Value::Tuple(_) => call.convert(value.clone(), &Type::list(Type::Any)),
        _ => {
            return Err(Failure::Argument(
                at,
                "a set or a list is required".to_owned(),
            ));
        }
    };
    match list {
        Ok(Value::List(kind, items)) => Ok((kind, items)),
        Err(Failure::Reported) => Err(Failure::Reported),
        _ => Err(Failure::Argument(
            at,
            "all elements must be of the same type".to_owned(),
        )),
    }
}
