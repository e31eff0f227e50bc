//! Every description that differs from a given one in one place: one for each leaf, each list, each map and each choice.
use sandbox::Spec;
use serde_json::{Value, json};

/// A description with one place changed.
pub(crate) struct Mutant {
    /// Where.
    pub(crate) place: String,
    /// The changed one.
    pub(crate) spec: Spec,
}

/// All of them.
///
/// # Panics
/// When a place cannot be changed: then a field would escape the comparison.
pub(crate) fn all(spec: &Spec) -> Vec<Mutant> {
    let tree = serde_json::to_value(spec).unwrap();
    let mut places = Vec::new();
    list(&tree, String::new(), &mut places);
    places
        .into_iter()
        .map(|place| mutant(&tree, place))
        .collect()
}

/// JSON pointers to every node but the outermost.
fn list(tree: &Value, path: String, places: &mut Vec<String>) {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match tree {
        Value::Object(entries) => entries
            .iter()
            .for_each(|(key, value)| list(value, format!("{path}/{}", escape(key)), places)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| list(value, format!("{path}/{at}"), places)),
        _ => {}
    }
    // A struct's fields cannot be taken away or added to; what is in it is changed place by place.
    if !path.is_empty() && (!tree.is_object() || is_map_or_choice(&path, tree)) {
        places.push(path);
    }
}

/// An environment, or the one key of an enum's variant.
fn is_map_or_choice(path: &str, tree: &Value) -> bool {
    let key = tree.as_object().and_then(|entries| entries.keys().next());
    path.ends_with("/env") || key.is_some_and(|key| key.starts_with(char::is_uppercase))
}

fn mutant(tree: &Value, place: String) -> Mutant {
    let was = tree.pointer(&place).unwrap();
    let attempt = |value: Value| -> Result<Spec, String> {
        let mut changed = tree.clone();
        *changed.pointer_mut(&place).unwrap() = value;
        serde_json::from_value(changed).map_err(|error| error.to_string())
    };
    let mut candidates = candidates(was);
    let mut told = Vec::new();
    while let Some(candidate) = candidates.pop() {
        if candidate == *was {
            continue;
        }
        match attempt(candidate) {
            Ok(spec) => return Mutant { place, spec },
            Err(error) => {
                // serde names the other words that it would take.
                if told.is_empty() {
                    candidates.extend(words(&error));
                }
                told.push(error);
            }
        }
    }
    panic!("nothing else fits at {place}, which is {was}: {told:?}")
}

/// Other values of the same type, and of others where the type cannot be seen; the last is tried first.
fn candidates(was: &Value) -> Vec<Value> {
    match was {
        Value::Bool(yes) => vec![json!(!yes)],
        Value::Number(number) => [-1, 1]
            .map(|step| json!(number.as_i64().map_or(1, |number| number + step)))
            .into(),
        Value::String(text) => vec![json!("WRITE"), json!("READ"), json!(format!("{text}~"))],
        Value::Null => vec![
            json!({"argument": 0, "mask": 1, "value": 1}),
            json!({"rules": [], "scoped": true}),
            json!("Private"),
            json!("x"),
            json!(1),
        ],
        Value::Array(items) => match items.split_last() {
            Some((_, rest)) => vec![json!(rest)],
            None => vec![
                json!([{"target": "/x", "path": "/x", "access": "r"}]),
                json!([1]),
                json!(["x"]),
            ],
        },
        Value::Object(entries) if entries.len() == 1 => vec![
            json!({"Directory": {"scratch": "/x", "no_pivot_root": false}}),
            json!({"Host": {"read_only": true, "slave": true}}),
            json!("Cover"),
            json!("Null"),
        ],
        Value::Object(entries) => {
            let mut more = entries.clone();
            more.insert("MORE".to_owned(), json!("x"));
            vec![Value::Object(more)]
        }
    }
}

/// The words between backticks after "expected".
fn words(error: &str) -> impl Iterator<Item = Value> {
    let expected = error.split_once("expected").map_or("", |(_, rest)| rest);
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|word| json!(word))
}
