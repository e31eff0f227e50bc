//! Which names the values of `env` refer to.
//!
//! After the first evaluation `${X}` and `$${X}` are the same text. They are told apart here, so that a value that
//! uses another of the same block gets it, in whatever order they stand, and one that was escaped does not.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::{Expression, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::visit::{Visit, visit_expr, visit_traversal};

use crate::eval::span;
use crate::fields::Fields;
use crate::report::{Report, Reported};
use crate::traversal::first_name;

pub(crate) type References = BTreeMap<String, BTreeSet<String>>;

/// Looks at a block or a written map; another expression for a whole map refers to nothing.
pub(crate) fn of_env(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<References, Reported> {
    let mut all = References::new();
    for (name, value) in written(fields) {
        let names = of(value, report)?;
        if !names.is_empty() {
            all.insert(name.to_owned(), names);
        }
    }
    Ok(all)
}

fn written<'b>(fields: &Fields<'b>) -> Vec<(&'b str, &'b Expression)> {
    if let Some(block) = fields.block("env") {
        let attributes = block.body.attributes();
        return attributes
            .map(|attribute| (attribute.key.as_str(), &attribute.value))
            .collect();
    }
    match fields.argument("env").map(|argument| &argument.value) {
        Some(Expression::Object(items)) => items
            .iter()
            .filter_map(|(key, value)| Some((name_of(key)?, value.expr())))
            .collect(),
        _ => Vec::new(),
    }
}

fn name_of(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str()),
        ObjectKey::Expression(expr) => expr.as_str(),
    }
}

/// The names in an expression, and in the locals that it uses.
pub(crate) fn of(expr: &Expression, report: &mut Report<'_>) -> Result<BTreeSet<String>, Reported> {
    let mut names = Names(BTreeSet::new());
    names.visit_expr(expr);
    let mut all = BTreeSet::new();
    for name in names.0 {
        let Some(local) = name.strip_prefix("local.") else {
            if name != "local" && !name.starts_with("var.") {
                all.insert(name);
            }
            continue;
        };
        // A local of a local of a local refers to all that each of them does.
        let more = report.names.references.get(local).into_iter().flatten();
        let cost = more.map(|name| name.len() + NAME).sum();
        report.spend(cost, &span(expr))?;
        let more = report.names.references.get(local).into_iter().flatten();
        all.extend(more.cloned());
    }
    Ok(all)
}

/// What a name takes beside its letters.
const NAME: usize = 16;

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
