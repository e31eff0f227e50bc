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
    uses: Uses<'b>,
}

type Locals<'b> = BTreeMap<&'b str, Local<'b>>;

/// Evaluates all locals, those first that others use.
pub(super) fn define(body: &Body, report: &mut Report<'_>) {
    let (locals, order) = all(body, report);
    let mut waiting: BTreeMap<&str, usize> = locals
        .iter()
        .map(|(name, local)| (*name, local.uses.count()))
        .collect();
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, local) in &locals {
        for used in &local.uses.names {
            users.entry(used).or_default().push(name);
        }
    }
    let is_ready = |name: &&str| waiting.get(name) == Some(&0);
    let mut ready: VecDeque<&str> = order.iter().copied().filter(is_ready).collect();
    while let Some(name) = ready.pop_front().or_else(|| last(&locals, &waiting)) {
        waiting.remove(name);
        evaluate(name, locals[name].expr, report);
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

/// The one that uses all others, when these have their values: with a second such one both would wait for ever.
fn last<'b>(locals: &Locals<'b>, waiting: &BTreeMap<&'b str, usize>) -> Option<&'b str> {
    let (name, _) = waiting.first_key_value().filter(|_| waiting.len() == 1)?;
    let uses = &locals[name].uses;
    (uses.everything && !uses.names.contains(name)).then_some(*name)
}

fn evaluate(name: &str, expr: &Expression, report: &mut Report<'_>) {
    let (value, references) = report.inside("locals".to_owned(), |report| {
        (typed(expr, report), references::of(expr, report))
    });
    report.names.define("local", name, value.ok());
    // Where there was no more work left, that has been reported.
    let references = references.unwrap_or_default();
    report.names.references.insert(name.to_owned(), references);
}

/// The locals, and their names in the order of the file.
fn all<'b>(body: &'b Body, report: &mut Report<'_>) -> (Locals<'b>, Vec<&'b str>) {
    let (mut locals, mut order) = (Locals::new(), Vec::new());
    for block in body
        .blocks()
        .filter(|block| block.ident.as_str() == "locals")
    {
        report.inside("locals".to_owned(), |report| {
            no_labels(block, report);
            for attribute in attributes(&block.body, report) {
                let (name, place) = (attribute.key.as_str(), span(&attribute.key));
                if let Some(before) = locals.get(name) {
                    let before = report.place(&before.place);
                    let detail = format!("The local {name:?} was already defined at {before}.");
                    let double = Diagnostic::new(DUPLICATE_VARIABLE, place, detail);
                    report.add(double.summary("Duplicate value in locals"));
                    continue;
                }
                order.push(name);
                let local = Local {
                    place,
                    expr: &attribute.value,
                    uses: Uses::default(),
                };
                locals.insert(name, local);
            }
        });
    }
    let names: BTreeSet<&str> = locals.keys().copied().collect();
    for local in locals.values_mut() {
        let mut look = Look {
            names: &names,
            found: Uses::default(),
        };
        look.visit_expr(local.expr);
        local.uses = look.found;
    }
    (locals, order)
}

/// Which locals an expression uses.
#[derive(Default)]
struct Uses<'b> {
    names: BTreeSet<&'b str>,
    /// `local` alone stands for all others.
    everything: bool,
}

impl Uses<'_> {
    /// How many it waits for; what uses everything has its turn when nothing else has.
    fn count(&self) -> usize {
        self.names.len() + usize::from(self.everything)
    }

    /// One that is stuck, and that the local at which we are waits for.
    fn stuck<'s>(&self, at: &str, stuck: &BTreeSet<&'s str>) -> Option<&'s str> {
        let other = |name: &&&str| self.everything && **name != at;
        let named = self.names.iter().find_map(|used| stuck.get(*used).copied());
        named.or_else(|| stuck.iter().find(other).copied())
    }
}

/// Looks for the names of locals.
struct Look<'n, 'b> {
    names: &'n BTreeSet<&'b str>,
    found: Uses<'b>,
}

impl Visit for Look<'_, '_> {
    fn visit_expr(&mut self, node: &Expression) {
        if let Expression::Variable(name) = node {
            self.found.everything |= name.as_str() == "local";
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
        self.found.names.extend(self.names.get(name).copied());
        for step in &node.operators {
            self.visit_traversal_operator(step);
        }
    }
}

/// Reports each circle once; what uses one of its locals has no value either, and nothing is said of it.
fn circles(locals: &Locals<'_>, stuck: &BTreeSet<&str>, report: &mut Report<'_>) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for start in stuck {
        // Each step with its number.
        let (mut path, mut steps): (Vec<&str>, BTreeMap<&str, usize>) = Default::default();
        let mut at = *start;
        while !steps.contains_key(at) && !told.contains(at) {
            steps.insert(at, path.len());
            path.push(at);
            // Whatever is stuck uses something that is stuck.
            match locals[at].uses.stuck(at, stuck) {
                Some(next) => at = next,
                None => break,
            }
        }
        if let Some(begin) = steps.get(at).filter(|_| !told.contains(at)) {
            let circle: Vec<&str> = path[*begin..].iter().chain([&at]).copied().collect();
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
