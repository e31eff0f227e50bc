//! Lists, tuples, maps and objects.

use std::collections::BTreeMap;

use super::{Function, any, fixed, list, nullable, number, string, strings, variadic};
use crate::call::{Call, Failure, failed, text, whole};
use crate::cty::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("chunklist", &[list("list"), number("size")], chunklist),
    fixed("compact", &[strings("list")], compact),
    fixed("contains", &[any("list"), nullable("value")], contains),
    fixed("element", &[any("list"), number("index")], element),
    fixed("flatten", &[any("list")], flatten),
    fixed("hasindex", &[any("collection"), any("key")], |of, _| {
        Ok(Value::Bool(at(&of[0], &of[1])?.is_some()))
    }),
    fixed("index", &[any("collection"), any("key")], index),
    fixed("keys", &[any("inputMap")], keys),
    fixed("length", &[any("collection")], length),
    fixed(
        "lookup",
        &[any("inputMap"), string("key"), any("default")],
        lookup,
    ),
    fixed(
        "slice",
        &[any("list"), number("start_index"), number("end_index")],
        slice,
    ),
    fixed("values", &[any("mapping")], values),
    fixed("zipmap", &[strings("keys"), any("values")], zipmap),
    variadic("coalesce", &[], nullable("vals"), coalesce),
    variadic("coalescelist", &[], nullable("vals"), coalescelist),
    variadic("concat", &[], any("seqs"), concat),
    variadic("merge", &[], nullable("maps"), merge),
];

/// Items with what kept them together: the type of a list, or nothing for a tuple.
fn sequence(like: &Value, items: Vec<Value>) -> Value {
    match like {
        Value::List(kind, _) => Value::List(kind.clone(), items),
        _ => Value::Tuple(items),
    }
}

fn chunklist(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let Ok(size) = usize::try_from(whole(&of[1], 1)?) else {
        return failed("the size argument must be positive");
    };
    let (kind, items) = match &of[0] {
        Value::List(kind, items) => (kind, items),
        _ => return failed("a list is required"),
    };
    let chunks = items.chunks(if size == 0 { items.len().max(1) } else { size });
    let chunks = chunks.map(|chunk| Value::List(kind.clone(), chunk.to_vec()));
    Ok(Value::List(Type::list(kind.clone()), chunks.collect()))
}

fn compact(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let items = of[0].items().unwrap_or_default().iter();
    let kept = items.filter(|item| !item.is_null() && !text(item).is_empty());
    Ok(Value::List(Type::String, kept.cloned().collect()))
}

fn contains(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    match of[0].items() {
        Some(items) => Ok(Value::Bool(items.contains(&of[1]))),
        None => failed("argument must be list, tuple, or set"),
    }
}

fn element(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let items = match &of[0] {
        Value::List(_, items) | Value::Tuple(items) => items,
        other => return failed(format!("cannot read elements from {}", other.kind().name())),
    };
    let index = whole(&of[1], 1)?;
    let Ok(count @ 1..) = i64::try_from(items.len()) else {
        return failed("cannot use element function with an empty list");
    };
    let at = usize::try_from(index.rem_euclid(count)).unwrap_or_default();
    Ok(items[at].clone())
}

fn flatten(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let Some(items) = of[0].items() else {
        return failed("can only flatten lists, sets and tuples");
    };
    let mut flat = Vec::new();
    spread(items, &mut flat);
    Ok(Value::Tuple(flat))
}

fn spread(items: &[Value], flat: &mut Vec<Value>) {
    for item in items {
        match item.items() {
            Some(inner) => spread(inner, flat),
            None => flat.push(item.clone()),
        }
    }
}

/// What is at a key, in the collections that have keys.
fn at<'v>(collection: &'v Value, key: &Value) -> Result<Option<&'v Value>, Failure> {
    let position = || match key {
        Value::Number(number) if *number >= 0.0 && number.fract() == 0.0 => Some(*number as usize),
        _ => None,
    };
    match collection {
        Value::List(_, items) | Value::Tuple(items) => Ok(position().and_then(|at| items.get(at))),
        Value::Map(_, items) => Ok(items.get(text(key))),
        _ => failed("collection must be a list, a map or a tuple"),
    }
}

fn index(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (collection, key) = (&of[0], &of[1]);
    let is_number = matches!(key, Value::Number(_));
    let why = match collection {
        Value::Tuple(_) if !is_number => "key for tuple must be number".to_owned(),
        Value::List(..) if !is_number => "key for list must be number".to_owned(),
        Value::Map(..) if !matches!(key, Value::String(_)) => {
            "key for map must be string".to_owned()
        }
        Value::Tuple(items) if at(collection, key)?.is_none() => {
            format!("key must be between 0 and {} inclusive", items.len())
        }
        _ => match at(collection, key)? {
            Some(item) => return Ok(item.clone()),
            None => "invalid index".to_owned(),
        },
    };
    failed(why)
}

fn keys(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    match &of[0] {
        Value::Map(_, items) => Ok(Value::texts(items.keys().cloned())),
        Value::Object(items) => Ok(Value::Tuple(items.keys().map(Value::text).collect())),
        _ => Err(Failure::Argument(
            0,
            "must have map or object type".to_owned(),
        )),
    }
}

fn values(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    match &of[0] {
        Value::Map(kind, items) => Ok(Value::List(kind.clone(), items.values().cloned().collect())),
        Value::Object(items) => Ok(Value::Tuple(items.values().cloned().collect())),
        _ => failed("values() requires a map as the first argument"),
    }
}

fn length(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let count = match &of[0] {
        Value::Map(_, items) => items.len(),
        other => match other.items() {
            Some(items) => items.len(),
            None => return failed("collection must be a list, a map or a tuple"),
        },
    };
    Ok(Value::count(count))
}

fn lookup(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (map, name, default) = (&of[0], text(&of[1]), &of[2]);
    match map {
        Value::Object(items) => Ok(items.get(name).unwrap_or(default).clone()),
        Value::Map(kind, items) => match (items.get(name), call.convert(default.clone(), kind)) {
            (_, Err(Failure::Reported)) => Err(Failure::Reported),
            (_, Err(_)) => Err(Failure::Argument(
                2,
                "the default value must have the same type as the map elements".to_owned(),
            )),
            (found, Ok(default)) => Ok(found.cloned().unwrap_or(default)),
        },
        _ => Err(Failure::Argument(
            0,
            "lookup() requires a map as the first argument".to_owned(),
        )),
    }
}

fn slice(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let items = match &of[0] {
        Value::List(_, items) | Value::Tuple(items) => items,
        Value::Set(..) => {
            let why = "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the result is not important";
            return Err(Failure::Argument(0, why.to_owned()));
        }
        _ => {
            return Err(Failure::Argument(
                0,
                "must be a list or tuple value".to_owned(),
            ));
        }
    };
    let start = bound(&of[1], 1, "start", items.len())?;
    let end = bound(&of[2], 2, "end", items.len())?;
    if start > end {
        return Err(Failure::Argument(
            1,
            "start index must not be greater than end index".to_owned(),
        ));
    }
    Ok(sequence(&of[0], items[start..end].to_vec()))
}

fn bound(value: &Value, argument: usize, which: &str, length: usize) -> Result<usize, Failure> {
    let wrong = |how: &str| {
        Err(Failure::Argument(
            argument,
            format!("{which} index must not be {how}"),
        ))
    };
    match usize::try_from(whole(value, argument)?) {
        Err(_) => wrong("less than zero"),
        Ok(at) if at > length => wrong("greater than the length of the list"),
        Ok(at) => Ok(at),
    }
}

fn zipmap(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let keys = of[0].items().unwrap_or_default();
    let (kind, values) = match &of[1] {
        Value::List(kind, values) => (Some(kind.clone()), values),
        Value::Tuple(values) => (None, values),
        _ => return failed("values argument must be a list or tuple value"),
    };
    if keys.len() != values.len() {
        return failed(format!(
            "number of keys ({}) does not match number of values ({})",
            keys.len(),
            values.len()
        ));
    }
    if let Some(at) = keys.iter().position(Value::is_null) {
        return failed(format!("keys list has null value at index {at}"));
    }
    let pairs = keys
        .iter()
        .map(|key| text(key).to_owned())
        .zip(values.iter().cloned())
        .collect();
    Ok(match kind {
        Some(kind) => Value::Map(kind, pairs),
        None => Value::Object(pairs),
    })
}

fn coalesce(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let kinds: Vec<Type> = of.iter().map(Value::kind).collect();
    let Some(kind) = call.unify(&kinds)? else {
        return failed("all arguments must have the same type");
    };
    match of.into_iter().find(|value| !value.is_null()) {
        Some(value) => call.convert(value, &kind),
        None => failed("no non-null arguments"),
    }
}

fn coalescelist(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    if of.is_empty() {
        return failed("at least one argument is required");
    }
    for value in of {
        match value.items() {
            Some([]) => {}
            None if value.is_null() => {}
            Some(_) => return Ok(value),
            None => return failed("coalescelist arguments must be lists or tuples"),
        }
    }
    failed("no non-null arguments")
}

fn concat(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    if of.is_empty() {
        return failed("at least one argument is required");
    }
    let mut items = Vec::new();
    for (at, value) in of.iter().enumerate() {
        match value {
            Value::List(_, more) | Value::Tuple(more) => items.extend(more.iter().cloned()),
            other => {
                let why = format!(
                    "all arguments must be lists or tuples; got {}",
                    other.kind().name()
                );
                return Err(Failure::Argument(at, why));
            }
        }
    }
    // Lists of one type stay a list.
    let kinds: Vec<Type> = of.iter().map(Value::kind).collect();
    let all_lists = kinds.iter().all(|kind| matches!(kind, Type::List(_)));
    match call.unify(&kinds)?.filter(|_| all_lists) {
        Some(kind) => call.convert(Value::Tuple(items), &kind),
        None => Ok(Value::Tuple(items)),
    }
}

fn merge(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let mut all = BTreeMap::new();
    for value in of.iter().filter(|value| !value.is_null()) {
        match value.entries() {
            Some(items) => all.extend(
                items
                    .iter()
                    .map(|(name, item)| (name.clone(), item.clone())),
            ),
            None => {
                return failed(format!(
                    "arguments must be maps or objects, got {:?}",
                    value.kind().name()
                ));
            }
        }
    }
    let kinds: Vec<Type> = of
        .iter()
        .filter(|value| !value.is_null())
        .map(Value::kind)
        .collect();
    Ok(match kinds.as_slice() {
        [Type::Map(kind), rest @ ..] if rest.iter().all(|other| *other == kinds[0]) => {
            Value::Map((**kind).clone(), all)
        }
        _ => Value::Object(all),
    })
}
