//! What differs between two descriptions, two tasks or two sheets of facts.
use driver::TaskConfig;
use driver::options::{self, Opt};
use sandbox::Spec;
use serde_json::Value;

/// One line for each place where the descriptions differ.
pub(crate) fn specs(one: &Spec, other: &Spec) -> Vec<String> {
    let tree = |spec| serde_json::to_value(spec).unwrap();
    let found = values(&tree(one), &tree(other));
    if found.is_empty() && one != other {
        return vec!["a field that is not written".to_owned()];
    }
    found
}

/// One line for each place where two trees differ.
pub(crate) fn values(one: &Value, other: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", one, other, &mut found);
    found
}

fn walk(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(these), Value::Object(those)) => {
            let more = those.keys().filter(|key| !these.contains_key(*key));
            for key in these.keys().chain(more) {
                let (this, that) = (&one[key], &other[key]);
                match (these.contains_key(key), those.contains_key(key)) {
                    (true, true) => walk(&format!("{path}/{key}"), this, that, found),
                    (there, _) => found.push(format!(
                        "{path}/{key}: {}",
                        if there {
                            "only in the first"
                        } else {
                            "only in the second"
                        }
                    )),
                }
            }
        }
        (Value::Array(these), Value::Array(those)) if these.len() == those.len() => {
            for (at, (this, that)) in these.iter().zip(those).enumerate() {
                walk(&format!("{path}/{at}"), this, that, found);
            }
        }
        _ if one != other => found.push(format!("{path}: {one} and {other}")),
        _ => {}
    }
}

/// One line for each line in which the tasks differ. An option that was not given and one that was given its default are the same.
pub(crate) fn tasks(schema: &[Opt], one: &TaskConfig, other: &TaskConfig) -> Vec<String> {
    let decoded = |task: &TaskConfig| TaskConfig {
        driver_config: options::decode(schema, &task.driver_config).unwrap(),
        ..task.clone()
    };
    let (one, other) = (decoded(one), decoded(other));
    if one == other {
        return Vec::new();
    }
    let (these, those) = (format!("{one:#?}"), format!("{other:#?}"));
    let mut found: Vec<_> = these
        .lines()
        .zip(those.lines())
        .filter(|(this, that)| this != that)
        .map(|(this, that)| format!("{} and {}", this.trim(), that.trim()))
        .collect();
    if found.is_empty() {
        found.push(format!("{these} and {those}"));
    }
    found
}
