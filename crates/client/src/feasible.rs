//! Whether this node is one that the job asks for: its constraints, and what it says of datacenter, pool and region.

use jobspec::{Constraint, Diagnostic, Job, Scope, Span};

use crate::config::{Code, diagnostic};
use crate::error::Error;
use crate::here::Here;
use crate::node::Node;
use crate::ports;
use crate::settings::{Constraints, Settings};

/// A constraint with where it stands: `job "a"`, `task "b"`.
struct Asked<'a> {
    constraint: &'a Constraint,
    by: String,
}

fn all(job: &Job) -> impl Iterator<Item = Asked<'_>> {
    let own = job.constraints.iter().map(|constraint| Asked {
        constraint,
        by: format!("job {:?}", job.id),
    });
    let below = job.groups.iter().flat_map(|group| {
        let of_group = group.constraints.iter().map(|constraint| Asked {
            constraint,
            by: format!("group {:?}", group.name),
        });
        let of_tasks = group.tasks.iter().flat_map(|task| {
            task.constraints.iter().map(|constraint| Asked {
                constraint,
                by: format!("task {:?}", task.name),
            })
        });
        of_group.chain(of_tasks)
    });
    own.chain(below)
}

/// What is to be said of a job that runs: what the file says for a cluster, and whether it was meant for another node.
pub fn warnings(job: &Job, settings: &Settings) -> Vec<Diagnostic> {
    let mut warnings = job.warnings.clone();
    warnings.extend(remarks(job, &settings.node));
    warnings.sort_by_key(|warning| warning.span.start);
    warnings
}

/// Refuses a job that this node cannot take whatever runs on it.
pub(crate) fn node(job: &Job, settings: &Settings, here: &Here) -> Result<(), Error> {
    constraints(job, &here.scope, settings)?;
    job.groups.iter().try_for_each(ports::possible)
}

/// Refuses a job that this node does not meet the constraints of, and says each that it does not meet.
fn constraints(job: &Job, node: &Scope, settings: &Settings) -> Result<(), Error> {
    if settings.constraints == Constraints::Ignored {
        return Ok(());
    }
    let unmet: Vec<Diagnostic> = all(job).filter_map(|asked| unmet(&asked, node)).collect();
    if unmet.is_empty() {
        Ok(())
    } else {
        Err(Error::Unmet(unmet))
    }
}

/// In the words of Nomad's scheduler, and with what is here instead.
fn unmet(asked: &Asked<'_>, node: &Scope) -> Option<Diagnostic> {
    let constraint = asked.constraint;
    let (attribute, value) = (
        target(&constraint.attribute, node),
        target(&constraint.value, node),
    );
    if constraint.is_met(attribute, value) {
        return None;
    }
    let known = [&constraint.attribute, &constraint.value]
        .into_iter()
        .zip([attribute, value])
        .filter(|(text, _)| text.starts_with("${"))
        .map(|(text, found)| match found {
            Some(found) => format!("{text} is {found:?} here"),
            None => format!("there is no {text} here"),
        });
    let known: Vec<_> = known.collect();
    let detail = format!(
        "* Constraint \"{constraint}\": 1 nodes excluded by filter; {}. encamp node status shows what there is, \
         --ignore-constraints runs the job all the same.",
        known.join(", ")
    );
    Some(diagnostic(
        Code::Constraint,
        detail,
        constraint.span.clone(),
        format!("{} constraint", asked.by),
    ))
}

/// What a side of a constraint stands for: a name in braces for what the node has of that name, a text for itself.
fn target<'a>(text: &'a str, node: &'a Scope) -> Option<&'a str> {
    let Some(name) = text.strip_prefix("${") else {
        return Some(text);
    };
    let name = name.strip_suffix('}').unwrap_or(name);
    let (root, rest) = name.split_once('.')?;
    let found = match root {
        "attr" => node.attr.get(rest),
        "meta" => node.meta.get(rest),
        // The region is for interpolation alone.
        "node" if rest != "region" => node.node.get(rest),
        _ => None,
    };
    found.map(String::as_str)
}

/// What would keep the job away from this node in a cluster. Here it runs all the same: there is no other node.
fn remarks(job: &Job, node: &Node) -> Vec<Diagnostic> {
    let named = |argument: &str, asked: &str, own: &str, span: Span| {
        let detail = format!(
            "{argument} {asked} is not where this node is ({own}); there is no other node, so the job runs here."
        );
        diagnostic(Code::Elsewhere, detail, span, format!("job {:?}", job.id))
    };
    let mut remarks = Vec::new();
    let matching = job
        .datacenters
        .iter()
        .any(|pattern| driver::glob(pattern, &node.datacenter));
    if !matching && let Some(span) = &job.datacenters_span {
        remarks.push(named(
            "datacenters",
            &format!("{:?}", job.datacenters),
            &node.datacenter,
            span.clone(),
        ));
    }
    if let Some(pool) = &job.node_pool
        && pool.value != "all"
        && pool.value != node.pool
    {
        remarks.push(named(
            "node_pool",
            &format!("{:?}", pool.value),
            &node.pool,
            pool.span.clone(),
        ));
    }
    if let Some(region) = &job.region_span
        && job.region != node.region
    {
        remarks.push(named(
            "region",
            &format!("{:?}", job.region),
            &node.region,
            region.clone(),
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::samples;

    fn scope() -> Scope {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        Scope {
            env: BTreeMap::new(),
            attr: map(&[("cpu.arch", "amd64"), ("driver.exec", "1")]),
            node: map(&[("class", ""), ("datacenter", "dc1"), ("region", "global")]),
            meta: map(&[("rack", "7")]),
        }
    }

    fn constraint(attribute: &str, operator: &str, value: &str) -> Constraint {
        Constraint {
            span: 3..5,
            attribute: attribute.to_owned(),
            operator: operator.to_owned(),
            value: value.to_owned(),
        }
    }

    fn asked(constraint: Constraint) -> Result<(), Error> {
        let mut job = samples::job();
        job.groups[0].tasks[0].constraints = vec![constraint];
        constraints(&job, &scope(), &Settings::default())
    }

    #[test]
    fn what_the_node_has_meets_what_asks_for_it() {
        for (attribute, operator, value) in [
            ("${attr.driver.exec}", "=", "1"),
            ("${attr.cpu.arch}", "regexp", "^a"),
            ("${meta.rack}", "=", "${meta.rack}"),
            ("${node.datacenter}", "=", "dc1"),
            ("${node.class}", "is_set", ""),
            ("${meta.shelf}", "is_not_set", ""),
            ("${meta.shelf}", "!=", "x"),
            ("dc1", "=", "${node.datacenter}"),
        ] {
            asked(constraint(attribute, operator, value)).unwrap();
        }
    }

    #[test]
    fn what_is_not_met_is_told_in_nomads_words_with_what_is_here() {
        let told = |constraint| match asked(constraint).unwrap_err() {
            Error::Unmet(unmet) => {
                assert_eq!(unmet[0].span, 3..5);
                assert_eq!(
                    unmet[0].context.as_deref(),
                    Some("task \"python\" constraint")
                );
                unmet[0].detail.clone()
            }
            other => panic!("{other:?}"),
        };
        let detail = told(constraint("${attr.cpu.arch}", "=", "arm64"));
        assert!(
            detail.starts_with(
                "* Constraint \"${attr.cpu.arch} = arm64\": 1 nodes excluded by filter; \
                 ${attr.cpu.arch} is \"amd64\" here."
            ),
            "{detail}"
        );
        let detail = told(constraint("${meta.shelf}", "=", "${meta.rack}"));
        assert!(
            detail.contains("there is no ${meta.shelf} here, ${meta.rack} is \"7\" here"),
            "{detail}"
        );
        told(constraint("${node.region}", "=", "global"));
    }

    #[test]
    fn all_that_is_not_met_is_told_at_once() {
        let mut job = samples::job();
        let unmet = constraint("${meta.rack}", "=", "8");
        job.constraints = vec![unmet.clone()];
        job.groups[0].constraints = vec![unmet.clone(), constraint("a", "=", "a")];
        job.groups[0].tasks[0].constraints = vec![unmet];
        let ignored = Settings {
            constraints: Constraints::Ignored,
            ..Settings::default()
        };
        constraints(&job, &scope(), &ignored).unwrap();
        let error = constraints(&job, &scope(), &Settings::default()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let Error::Unmet(unmet) = error else {
            panic!("{error:?}");
        };
        let by: Vec<_> = unmet
            .iter()
            .flat_map(|unmet| unmet.context.clone())
            .collect();
        assert_eq!(
            by,
            [
                "job \"hello\" constraint",
                "group \"web\" constraint",
                "task \"python\" constraint"
            ]
        );
    }

    #[test]
    fn a_job_for_another_place_runs_here_and_is_remarked() {
        let mut job = samples::job();
        assert_eq!(remarks(&job, &Node::default()), []);
        job.datacenters = vec!["eu-*".to_owned()];
        job.datacenters_span = Some(1..2);
        job.region = "eu".to_owned();
        job.region_span = Some(3..4);
        job.node_pool = Some(jobspec::Spanned {
            value: "gpu".to_owned(),
            span: 5..6,
        });
        let spans: Vec<_> = remarks(&job, &Node::default())
            .into_iter()
            .map(|remark| remark.span)
            .collect();
        assert_eq!(spans, [1..2, 5..6, 3..4]);
    }
}
