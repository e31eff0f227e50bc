//! The file and its `job` block.

use std::collections::BTreeMap;

use hcl_edit::structure::{Block, Body};

use super::group::{self, Inherited};
use super::{constraint, decoration, maps, name, unique_names};
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::span;
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::{FILE, JOB};
use crate::suggest::nearest;
use crate::{Group, Job, JobType, Span, Spanned};

/// Reads the one job of a file.
pub(crate) fn file(body: &Body, length: usize, report: &mut Report<'_>) -> Result<Job, Reported> {
    let fields = Fields::of(body, length..length, &FILE, report);
    let Some(block) = fields.block("job") else {
        let detail = "A job file has exactly one job block: job \"example\" { … }.";
        let missing = Diagnostic::new(MISSING_BLOCK, length..length, detail);
        return Err(report.add(missing.summary("Missing job block")));
    };
    report.inside(title(block), |report| job(block, report))
}

fn job(block: &Block, report: &mut Report<'_>) -> Result<Job, Reported> {
    let label = name(block, report);
    let fields = Fields::of(&block.body, header(block), &JOB, report);
    let id = label.and_then(|label| id(label, &fields, report));
    let kind = kind(&fields, report);
    let name = fields.text("name", report);
    let region = or(fields.text("region", report), "global");
    let namespace = or(fields.text("namespace", report), "default");
    let datacenters = datacenters(&fields, report);
    let node_pool = fields.text("node_pool", report);
    let constraints = constraint::constraints(&fields, report);
    let decorated = decorated(&fields, report);
    let meta = maps::meta(&fields, &BTreeMap::new(), report);
    let inherited = Inherited {
        // A wrong type has been reported; what is below it can be checked all the same.
        kind: *kind.as_ref().unwrap_or(&JobType::Service),
        meta: meta.clone().unwrap_or_default(),
        disk_mb: decoration::DISK_MB,
    };
    let groups = groups(&fields, block, &inherited, report);
    let id = id?;
    decorated?;
    Ok(Job {
        name: or(name, &id)?,
        id,
        kind: kind?,
        region: region?,
        namespace: namespace?,
        datacenters: datacenters?,
        datacenters_span: written(&fields, "datacenters"),
        region_span: written(&fields, "region"),
        node_pool: node_pool?.filter(|pool| !pool.value.is_empty()),
        constraints: constraints?,
        meta: meta?,
        groups: groups?,
        warnings: Vec::new(),
    })
}

/// Where the value of an argument stands.
fn written(fields: &Fields<'_>, name: &str) -> Option<Span> {
    fields.argument(name).map(|argument| span(&argument.value))
}

/// What is for the scheduler of a cluster.
fn decorated(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let priority = decoration::number(fields, "priority", 1..=100, report);
    let all_at_once = decoration::argument(fields, "all_at_once", report);
    let blocks = decoration::blocks(fields, report);
    priority.and(all_at_once).and(blocks)
}

/// The label, unless an argument says otherwise.
fn id(
    label: Spanned<String>,
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    let given = fields.text("id", report)?;
    let Spanned { value, span } = given.filter(|id| !id.value.is_empty()).unwrap_or(label);
    if value.contains('\0') {
        let detail = "The id of a job must not contain the character NUL.";
        return Err(report.error(INVALID_NAME, span, detail));
    }
    if value.contains(' ') {
        let detail = "The id of a job must not contain a space.";
        return Err(report.error(INVALID_NAME, span, detail));
    }
    Ok(value)
}

/// An empty text is as good as none, as in Nomad.
fn or(text: Result<Option<Spanned<String>>, Reported>, default: &str) -> Result<String, Reported> {
    let given = text?.map(|text| text.value).filter(|text| !text.is_empty());
    Ok(given.unwrap_or_else(|| default.to_owned()))
}

fn kind(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<JobType, Reported> {
    let Some(text) = fields.text("type", report)? else {
        return Ok(JobType::Service);
    };
    Ok(match text.value.as_str() {
        "service" => JobType::Service,
        "batch" => JobType::Batch,
        "system" => JobType::System,
        "sysbatch" => JobType::Sysbatch,
        other => {
            let detail = format!(
                "\"{other}\" is no job type; there are service, batch, system and sysbatch."
            );
            let mut invalid = Diagnostic::new(INVALID_JOB_TYPE, text.span, detail);
            let near = nearest(other, ["service", "batch", "system", "sysbatch"]);
            invalid.fix = near.map(|kind| format!("\"{kind}\""));
            return Err(report.add(invalid));
        }
    })
}

fn datacenters(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Vec<String>, Reported> {
    let Some(given) = fields.texts("datacenters", report)? else {
        return Ok(vec!["*".to_owned()]);
    };
    let problem = if given.value.is_empty() {
        "The list must not be empty; leave it out to mean every datacenter."
    } else if given.value.iter().any(String::is_empty) {
        "A datacenter must not be empty."
    } else {
        return Ok(given.value);
    };
    Err(report.error_at(INVALID_DATACENTERS, &given, problem))
}

/// Reads groups, and tasks without one, which become groups of their own.
fn groups(
    fields: &Fields<'_>,
    job: &Block,
    inherited: &Inherited,
    report: &mut Report<'_>,
) -> Result<Vec<Group>, Reported> {
    let has_tasks = |block: &Block| matches!(block.ident.as_str(), "group" | "task");
    let blocks: Vec<&Block> = fields
        .blocks()
        .iter()
        .copied()
        .filter(|block| has_tasks(block))
        .collect();
    if blocks.is_empty() {
        let detail = "A job needs a group with a task in it.";
        let missing =
            Diagnostic::new(MISSING_BLOCK, header(job), detail).summary("Missing group block");
        return Err(report.add(missing));
    }
    unique_names(&blocks, "group", report);
    let groups: Vec<_> = blocks
        .into_iter()
        .map(|block| match block.ident.as_str() {
            "group" => report.inside(title(block), |report| {
                group::group(block, inherited, report)
            }),
            _ => group::of_task(block, inherited, report),
        })
        .collect();
    groups.into_iter().collect()
}
