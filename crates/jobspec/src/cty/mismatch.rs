//! Why a type is not another, in HCL's words.

use std::collections::{BTreeMap, BTreeSet};

use super::Type;
use super::conversion::{Safety, convertible};
use crate::steps::Steps;

/// The reason why there is no conversion.
pub(super) fn mismatch(got: &Type, wanted: &Type, steps: &mut Steps) -> String {
    match (got, wanted) {
        (Type::Object(got, _), Type::Object(wanted, optional)) => {
            objects(got, wanted, optional, steps)
        }
        (Type::Tuple(_), Type::List(item)) if **item == Type::Any => same("list"),
        (Type::Tuple(_), Type::Set(item)) if **item == Type::Any => same("set"),
        (Type::Object(..), Type::Map(item)) if **item == Type::Any => same("map"),
        (Type::Tuple(items), Type::List(item) | Type::Set(item)) => {
            let names = items
                .iter()
                .enumerate()
                .map(|(at, kind)| (at.to_string(), kind));
            first_misfit(names, item, steps)
        }
        (Type::Object(items, _), Type::Map(item)) => {
            let names = items.iter().map(|(name, kind)| (format!("{name:?}"), kind));
            first_misfit(names, item, steps)
        }
        (Type::List(got) | Type::Set(got), Type::List(wanted)) => items("list", got, wanted, steps),
        (Type::List(got) | Type::Set(got), Type::Set(wanted)) => items("set", got, wanted, steps),
        (Type::Map(got), Type::Map(wanted)) => items("map", got, wanted, steps),
        (got, wanted) if confusing(got, wanted) => {
            format!("{} required", wanted.name_of_constraint())
        }
        (got, wanted) => format!("{} required, but have {}", wanted.name(), got.name()),
    }
}

fn same(collection: &str) -> String {
    format!("all {collection} elements must have the same type")
}

fn items(collection: &str, got: &Type, wanted: &Type, steps: &mut Steps) -> String {
    format!(
        "incorrect {collection} element type: {}",
        mismatch(got, wanted, steps)
    )
}

fn first_misfit<'t>(
    mut items: impl Iterator<Item = (String, &'t Type)>,
    wanted: &Type,
    steps: &mut Steps,
) -> String {
    let misfit = items.find(|(_, kind)| !convertible(kind, wanted, Safety::Unsafe, steps));
    match misfit {
        Some((name, kind)) => format!("element {name}: {}", mismatch(kind, wanted, steps)),
        None => format!("all elements must be {}", wanted.name_of_constraint()),
    }
}

fn objects(
    got: &BTreeMap<String, Type>,
    wanted: &BTreeMap<String, Type>,
    optional: &BTreeSet<String>,
    steps: &mut Steps,
) -> String {
    let missing: Vec<&String> = wanted
        .keys()
        .filter(|name| !got.contains_key(*name) && !optional.contains(*name))
        .collect();
    match missing.as_slice() {
        [] => {}
        [one] => return format!("attribute {one:?} is required"),
        [one, two] => return format!("attributes {one:?} and {two:?} are required"),
        [most @ .., last] => {
            let most: String = most.iter().map(|name| format!("{name:?}, ")).collect();
            return format!("attributes {most}and {last:?} are required");
        }
    }
    let misfit = wanted.iter().find_map(|(name, wanted)| {
        let got = got.get(name)?;
        let fits = convertible(got, wanted, Safety::Unsafe, steps);
        (!fits).then(|| format!("attribute {name:?}: {}", mismatch(got, wanted, steps)))
    });
    misfit.unwrap_or_else(|| "incorrect object attributes".to_owned())
}

/// Whether naming what was given would only puzzle: a string can be a number, after all.
fn confusing(got: &Type, wanted: &Type) -> bool {
    if got.is_primitive() != wanted.is_primitive() || *wanted == Type::String {
        return got.item().is_some() && wanted.item().is_some();
    }
    !matches!(
        (got, wanted),
        (Type::Number, Type::Bool) | (Type::Bool, Type::Number)
    ) && !matches!(
        (got, wanted),
        (Type::Tuple(_), Type::Object(..)) | (Type::Object(..), Type::Tuple(_))
    )
}
