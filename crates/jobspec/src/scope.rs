//! What can be known of a task and of its node, to evaluate `config` with.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cty::{Type, Value};

type Map = BTreeMap<String, String>;

/// The variables of `config`: plain names and `env.…` from the task's environment, and `attr.…`, `node.…`, `meta.…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// The task's environment.
    pub env: Map,
    /// The node's attributes, without the leading `attr.`.
    pub attr: Map,
    /// What is known of the node itself, without the leading `node.`.
    pub node: Map,
    /// The node's meta, without the leading `meta.`.
    pub meta: Map,
}

impl Scope {
    /// The variables by name; a name with periods becomes objects in objects.
    pub(crate) fn tree(&self) -> BTreeMap<String, Value> {
        let mut tree = nested(&self.env);
        let (attr, meta) = (nested(&self.attr), nested(&self.meta));
        let mut node = nested(&self.node);
        node.insert("attr".to_owned(), Value::Object(attr.clone()));
        node.insert("meta".to_owned(), Value::Object(meta.clone()));
        let env = self.env.iter();
        let env = env.map(|(name, value)| (name.clone(), Value::String(value.clone())));
        tree.insert("env".to_owned(), Value::Map(Type::String, env.collect()));
        tree.insert("attr".to_owned(), Value::Object(attr));
        tree.insert("meta".to_owned(), Value::Object(meta));
        tree.insert("node".to_owned(), Value::Object(node));
        tree
    }
}

/// A name with an empty part has no place in the tree. Of `a` and `a.b` the shorter one has it, as in Nomad.
fn nested(flat: &Map) -> BTreeMap<String, Value> {
    let mut tree = BTreeMap::new();
    for (name, value) in flat {
        let parts: Vec<&str> = name.split('.').collect();
        // Each level of the tree is one of the stack when it is dropped.
        if parts.len() <= MAX_PARTS && parts.iter().all(|part| !part.is_empty()) {
            insert(&mut tree, &parts, value);
        }
    }
    tree
}

const MAX_PARTS: usize = 64;

fn insert(tree: &mut BTreeMap<String, Value>, parts: &[&str], value: &str) {
    match parts {
        [] => {}
        [last] => {
            tree.insert((*last).to_owned(), Value::String(value.to_owned()));
        }
        [first, rest @ ..] => {
            let inner = tree.entry((*first).to_owned());
            if let Value::Object(inner) = inner.or_insert_with(|| Value::Object(BTreeMap::new())) {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Map {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn text(value: &str) -> Value {
        Value::String(value.to_owned())
    }

    #[test]
    fn periods_make_objects_and_the_shorter_name_wins() {
        let flat = map(&[
            ("a.b", "1"),
            ("a.b.c", "2"),
            ("a-.b", "3"),
            ("x", "4"),
            ("x.y", "5"),
        ]);
        let tree = nested(&flat);
        let inner = |name: &str, value| Value::Object(BTreeMap::from([(name.to_owned(), value)]));
        assert_eq!(tree["a"], inner("b", text("1")));
        assert_eq!(tree["a-"], inner("b", text("3")));
        assert_eq!(tree["x"], text("4"));
    }

    #[test]
    fn names_with_empty_parts_or_too_many_are_left_out() {
        let deep = "a.".repeat(100_000) + "a";
        let flat = map(&[
            (".a", "1"),
            ("b.", "2"),
            ("c..d", "3"),
            (&deep, "4"),
            ("e", "5"),
        ]);
        let names: Vec<_> = nested(&flat).into_keys().collect();
        assert_eq!(names, ["e"]);
    }

    #[test]
    fn the_four_roots_are_always_there_and_no_variable_takes_their_place() {
        let scope = Scope {
            env: map(&[("node", "n"), ("env", "e"), ("attr.x", "x")]),
            ..Scope::default()
        };
        let tree = scope.tree();
        for root in ["attr", "env", "meta", "node"] {
            assert!(tree[root].entries().is_some(), "{root}");
        }
        assert_eq!(tree["attr"], Value::Object(BTreeMap::new()));
    }
}
