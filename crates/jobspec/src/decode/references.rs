//! Which names the values of `env` refer to.
//!
//! After the first evaluation `${X}` and `$${X}` are the same text. They are told apart here, so that a value that
//! uses another of the same block gets it, in whatever order they stand, and one that was escaped does not.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::{Expression, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::structure::Structure;
use hcl_edit::visit::{Visit, visit_expr, visit_traversal};

use crate::fields::Fields;
use crate::traversal::first_name;

pub(crate) type References = BTreeMap<String, BTreeSet<String>>;

/// Looks at a block or a written map; another expression for a whole map refers to nothing.
pub(crate) fn of_env(fields: &Fields<'_>, locals: &References) -> References {
    let mut all = References::new();
    let mut add = |name: &str, value: &Expression| {
        let names = of(value, locals);
        if !names.is_empty() {
            all.insert(name.to_owned(), names);
        }
    };
    if let Some(block) = fields.block("env") {
        for structure in &block.body {
            if let Structure::Attribute(attribute) = structure {
                add(attribute.key.as_str(), &attribute.value);
            }
        }
    } else if let Some(Expression::Object(items)) =
        fields.argument("env").map(|argument| &argument.value)
    {
        for (key, value) in items.iter() {
            if let Some(name) = name_of(key) {
                add(name, value.expr());
            }
        }
    }
    all
}

fn name_of(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str()),
        ObjectKey::Expression(expr) => expr.as_str(),
    }
}

/// The names in an expression, and in the locals that it uses.
pub(crate) fn of(expr: &Expression, locals: &References) -> BTreeSet<String> {
    let mut names = Names(BTreeSet::new());
    names.visit_expr(expr);
    let direct: Vec<String> = names.0.iter().cloned().collect();
    for name in direct {
        let local = name
            .strip_prefix("local.")
            .and_then(|local| locals.get(local));
        names.0.extend(local.into_iter().flatten().cloned());
    }
    names
        .0
        .retain(|name| name != "local" && !name.starts_with("local.") && !name.starts_with("var."));
    names.0
}

struct Names(BTreeSet<String>);

impl Visit for Names {
    fn visit_expr(&mut self, node: &Expression) {
        if let Expression::Variable(name) = node {
            self.0.insert(name.as_str().to_owned());
        }
        visit_expr(self, node);
    }

    /// A name with periods is written as steps from a variable.
    fn visit_traversal(&mut self, node: &Traversal) {
        let Expression::Variable(root) = &node.expr else {
            return visit_traversal(self, node);
        };
        if root.as_str() == "local" {
            // Whatever is taken of it: what it refers to counts.
            let local = first_name(&node.operators).unwrap_or_default();
            self.0.insert(format!("local.{local}"));
            return visit_traversal(self, node);
        }
        let mut name = root.as_str().to_owned();
        for step in &node.operators {
            let TraversalOperator::GetAttr(part) = &**step else {
                return;
            };
            name = name + "." + part.as_str();
        }
        self.0.insert(name);
    }
}
