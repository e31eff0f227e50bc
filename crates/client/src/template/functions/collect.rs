//! Lists and maps.
use std::collections::BTreeMap;

use memchr::memmem;

use super::super::go::{Map, Parameter, Value};
use super::{Entry, Rendering, entry, text, word};

pub(super) const TABLE: &[Entry] = &[
    entry("in", ANY_TWO, None, |_, args| {
        Ok(Value::Bool(is_in(&args[0], &args[1])))
    }),
    entry("contains", ANY_TWO, None, |_, args| {
        Ok(Value::Bool(is_in(&args[1], &args[0])))
    }),
    entry("containsAll", LIST_AND_ANY, None, |rendering, args| {
        Ok(Value::Bool(!is_any(rendering, args, false)?))
    }),
    entry("containsAny", LIST_AND_ANY, None, |rendering, args| {
        Ok(Value::Bool(is_any(rendering, args, true)?))
    }),
    entry("containsNone", LIST_AND_ANY, None, |rendering, args| {
        Ok(Value::Bool(!is_any(rendering, args, true)?))
    }),
    entry("containsNotAll", LIST_AND_ANY, None, |rendering, args| {
        Ok(Value::Bool(is_any(rendering, args, false)?))
    }),
    entry("splitToMap", THREE_TEXTS, None, |_, args| {
        split_to_map(args)
    }),
    entry("explodeMap", &[Parameter::Map], None, |_, args| {
        explode(args)
    }),
    entry("mergeMap", TWO_MAPS, None, |_, args| merge(args, false)),
    entry("mergeMapWithOverride", TWO_MAPS, None, |_, args| {
        merge(args, true)
    }),
];

const ANY_TWO: &[Parameter] = &[Parameter::Any, Parameter::Any];
const LIST_AND_ANY: &[Parameter] = &[Parameter::List, Parameter::Any];
const THREE_TEXTS: &[Parameter] = &[Parameter::Text, Parameter::Text, Parameter::Text];
const TWO_MAPS: &[Parameter] = &[Parameter::Map, Parameter::Map];

fn items(args: &[Value]) -> &[Value] {
    match args.first() {
        Some(Value::List(list)) => &list.items,
        _ => &[],
    }
}

/// Whether a list has a value, or a text another.
fn is_in(all: &Value, value: &Value) -> bool {
    match (all, value) {
        (Value::Text(all), Value::Text(part)) => memmem::find(all, part).is_some(),
        (Value::List(list), value) => list.items.iter().any(|item| match (item, value) {
            (Value::Int(one), Value::Int(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            _ => false,
        }),
        _ => false,
    }
}

/// Whether any item of the first argument is in the second, or is not. Each item costs a walk through the second.
fn is_any(rendering: &mut Rendering<'_>, args: &[Value], wanted: bool) -> Result<bool, String> {
    for item in items(args) {
        rendering.budget.spend(args[1].weight())?;
        if is_in(&args[1], item) == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

fn split_to_map(args: &[Value]) -> Result<Value, String> {
    let (between, inside, text) = (word(args, 0), word(args, 1), word(args, 2));
    let parts = text::parts(&between, &text)?.into_iter();
    let pairs = parts.filter_map(|part| part.split_once(&*inside));
    let entries = pairs.map(|(name, value)| (name.to_owned(), Value::text(value)));
    Value::texts(entries.collect())
}

fn entries(args: &[Value], index: usize) -> BTreeMap<String, Value> {
    match args.get(index) {
        Some(Value::Map(map)) => map.entries.clone(),
        _ => BTreeMap::new(),
    }
}

/// `a/b` becomes `b` in `a`.
fn explode(args: &[Value]) -> Result<Value, String> {
    let mut tree = Branch::default();
    for (path, value) in entries(args, 0) {
        tree.insert(&path, value)
            .map_err(|what| format!("explodeMap: {what}"))?;
    }
    tree.into_value()
}

#[derive(Default)]
struct Branch(BTreeMap<String, Twig>);

enum Twig {
    Branch(Branch),
    Leaf(Value),
}

impl Branch {
    fn insert(&mut self, path: &str, value: Value) -> Result<(), String> {
        let parts: Vec<&str> = path.split('/').collect();
        if parts.len() > MAX_PARTS {
            return Err(format!("{path:?} has more than {MAX_PARTS} parts"));
        }
        let mut branch = self;
        let (last, above) = parts.split_last().unwrap_or((&"", &[]));
        for part in above {
            let twig = branch.0.entry((*part).to_owned());
            match twig.or_insert_with(|| Twig::Branch(Branch::default())) {
                Twig::Branch(inner) => branch = inner,
                Twig::Leaf(_) => return Err(format!("not a map: {path:?}: {part:?} has a value")),
            }
        }
        if !last.is_empty() {
            branch.0.insert((*last).to_owned(), Twig::Leaf(value));
        }
        Ok(())
    }

    fn into_value(self) -> Result<Value, String> {
        let entries = self.0.into_iter();
        let entries: Result<BTreeMap<_, _>, String> = entries
            .map(|(name, twig)| {
                let value = match twig {
                    Twig::Branch(branch) => branch.into_value()?,
                    Twig::Leaf(value) => value,
                };
                Ok((name, value))
            })
            .collect();
        Value::map(entries?)
    }
}

/// Each part is a map in a map.
const MAX_PARTS: usize = 64;

/// The first map with what the second has besides; maps in both are merged too.
fn merge(args: &[Value], overrides: bool) -> Result<Value, String> {
    match args {
        [Value::Map(to), Value::Map(from)] => merged(to, from, overrides),
        _ => Err("two maps are needed".to_owned()),
    }
}

fn merged(to: &Map, from: &Map, overrides: bool) -> Result<Value, String> {
    let mut entries = to.entries.clone();
    for (name, value) in &from.entries {
        let before = entries.get(name);
        let after = match (before, value) {
            (Some(Value::Map(to)), Value::Map(from)) => merged(to, from, overrides)?,
            (Some(before), Value::Nil) if !overrides => before.clone(),
            (Some(before), _) if before.truth() && !overrides => before.clone(),
            (_, value) => value.clone(),
        };
        entries.insert(name.clone(), after);
    }
    Value::map(entries)
}
