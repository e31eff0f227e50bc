//! `locals { … }`: values by name, each of which may use the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hcl_edit::expr::{Expression, Traversal};
use hcl_edit::structure::Body;
use hcl_edit::visit::{Visit, visit_expr, visit_traversal};

use super::attributes;
use crate::Span;
use crate::codes::*;
use crate::decode::{no_labels, references};
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::report::Report;
use crate::traversal::first_name;

struct Local<'b> {
    place: Span,
    expr: &'b Expression,
    /// The locals that it uses.
    uses: BTreeSet<String>,
}

type Locals<'b> = BTreeMap<String, Local<'b>>;

/// Evaluates all locals, those first that others use.
pub(super) fn define(body: &Body, report: &mut Report<'_>) {
    let (locals, order) = all(body, report);
    let mut waiting: BTreeMap<&str, usize> = locals
        .iter()
        .map(|(name, local)| (name.as_str(), local.uses.len()))
        .collect();
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, local) in &locals {
        for used in &local.uses {
            users.entry(used).or_default().push(name);
        }
    }
    let mut ready: VecDeque<&str> = order
        .iter()
        .map(String::as_str)
        .filter(|name| waiting.get(name) == Some(&0))
        .collect();
    while let Some(name) = ready.pop_front() {
        waiting.remove(name);
        let value = report.inside("locals".to_owned(), |report| {
            typed(locals[name].expr, report)
        });
        report.names.define("local", name, value.ok());
        let references = references::of(locals[name].expr, &report.names.references);
        report.names.references.insert(name.to_owned(), references);
        for user in users.get(name).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    ready.push_back(user);
                }
            }
        }
    }
    circles(&locals, &waiting.into_keys().collect(), report);
}

/// The locals, and their names in the order of the file.
fn all<'b>(body: &'b Body, report: &mut Report<'_>) -> (Locals<'b>, Vec<String>) {
    let (mut locals, mut order) = (Locals::new(), Vec::new());
    for block in body
        .blocks()
        .filter(|block| block.ident.as_str() == "locals")
    {
        report.inside("locals".to_owned(), |report| {
            no_labels(block, report);
            for attribute in attributes(&block.body, report) {
                let (name, place) = (attribute.key.as_str().to_owned(), span(&attribute.key));
                if let Some(before) = locals.get(&name) {
                    let before = report.place(&before.place);
                    let detail = format!("The local {name:?} was already defined at {before}.");
                    let double = Diagnostic::new(DUPLICATE_VARIABLE, place, detail);
                    report.add(double.summary("Duplicate value in locals"));
                    continue;
                }
                let expr = &attribute.value;
                order.push(name.clone());
                locals.insert(
                    name,
                    Local {
                        place,
                        expr,
                        uses: BTreeSet::new(),
                    },
                );
            }
        });
    }
    let names: BTreeSet<String> = locals.keys().cloned().collect();
    for (name, local) in &mut locals {
        let mut found = Uses {
            names: &names,
            own: name,
            found: BTreeSet::new(),
        };
        found.visit_expr(local.expr);
        local.uses = found.found;
    }
    (locals, order)
}

/// Which of the locals an expression uses; `local` alone stands for all others.
struct Uses<'n> {
    names: &'n BTreeSet<String>,
    own: &'n str,
    found: BTreeSet<String>,
}

impl Visit for Uses<'_> {
    fn visit_expr(&mut self, node: &Expression) {
        if let Expression::Variable(name) = node
            && name.as_str() == "local"
        {
            self.found
                .extend(self.names.iter().filter(|name| *name != self.own).cloned());
        }
        visit_expr(self, node);
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        let first = match &node.expr {
            Expression::Variable(root) if root.as_str() == "local" => first_name(&node.operators),
            _ => None,
        };
        let Some(name) = first else {
            return visit_traversal(self, node);
        };
        self.found.extend(self.names.get(name).cloned());
        for step in &node.operators {
            self.visit_traversal_operator(step);
        }
    }
}

/// Reports each circle once; what uses one of its locals has no value either, and nothing is said of it.
fn circles(locals: &Locals<'_>, stuck: &BTreeSet<&str>, report: &mut Report<'_>) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for start in stuck {
        let mut path: Vec<&str> = Vec::new();
        let mut at = *start;
        while !path.contains(&at) && !told.contains(at) {
            path.push(at);
            // Whatever is stuck uses something that is stuck.
            match locals[at]
                .uses
                .iter()
                .find_map(|used| stuck.get(used.as_str()))
            {
                Some(next) => at = next,
                None => break,
            }
        }
        if let Some(begin) = path
            .iter()
            .position(|name| *name == at)
            .filter(|_| !told.contains(at))
        {
            let circle: Vec<&str> = path[begin..].iter().chain([&at]).copied().collect();
            let detail = format!(
                "These locals use each other, so that none has a value: {}.",
                circle.join(" → ")
            );
            report.error(CIRCULAR_LOCALS, locals[at].place.clone(), detail);
        }
        told.extend(path);
    }
    for name in stuck {
        report.names.define("local", name, None);
    }
}
