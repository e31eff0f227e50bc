//! Comma-separated values.

use std::collections::{BTreeMap, BTreeSet};

use super::{Function, fixed, string};
use crate::call::{Call, Failure, failed, text};
use crate::cty::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[fixed("csvdecode", &[string("str")], decode)];

/// Each line an object, with the names of the first.
fn decode(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text(&of[0]).as_bytes());
    let mut rows = reader.records();
    let names: Vec<String> = match rows.next() {
        Some(Ok(row)) => row.iter().map(str::to_owned).collect(),
        Some(Err(error)) => return failed(error.to_string()),
        None => return failed("missing header line"),
    };
    let mut seen = BTreeSet::new();
    if let Some(double) = names.iter().find(|name| !seen.insert(*name)) {
        return failed(format!("duplicate column name {double:?}"));
    }
    let mut objects = Vec::new();
    for row in rows {
        let row = row.map_err(|error| error.to_string())?;
        if row.len() != names.len() {
            let line = row.position().map_or(0, csv::Position::line);
            return failed(format!(
                "CSV parse error on line {line}: wrong number of fields"
            ));
        }
        call.spend(names.iter().map(|name| name.len() + 8).sum())?;
        let cells = row.iter().map(Value::text);
        objects.push(Value::Object(
            names.iter().cloned().zip(cells).collect::<BTreeMap<_, _>>(),
        ));
    }
    let kind = Type::object(names.into_iter().map(|name| (name, Type::String)));
    Ok(Value::List(kind, objects))
}
