//! `group`.

use std::collections::BTreeMap;

use hcl_edit::structure::Block;

use super::restart::Policy;
use super::{constraint, decoration, maps, name, network, only_one, task, volume};
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::GROUP;
use crate::{Group, JobType, Task};

/// What a group and its tasks take over from above.
pub(crate) struct Inherited {
    pub(crate) kind: JobType,
    pub(crate) meta: BTreeMap<String, String>,
}

/// Reads a group.
pub(crate) fn group(
    block: &Block,
    job: &Inherited,
    report: &mut Report<'_>,
) -> Result<Group, Reported> {
    let name = name(block, report);
    let fields = Fields::of(&block.body, header(block), &GROUP, report);
    let count = count(&fields, report);
    let restart = Policy::of(
        fields.block("restart"),
        &Policy::default(),
        job.kind,
        report,
    );
    let meta = maps::meta(&fields, &job.meta, report);
    let inherited = Inherited {
        kind: job.kind,
        meta: meta.clone().unwrap_or_default(),
    };
    let constraints = constraint::constraints(&fields, report);
    let network = network::network(&fields, report);
    let decorated = decorated(&fields, report);
    let volumes = volume::volumes(&fields, report);
    let tasks = tasks(
        &fields,
        block,
        &inherited,
        &restart.clone().unwrap_or_default(),
        report,
    );
    count.and(restart.map(drop)).and(meta.map(drop))?;
    decorated?;
    let (volumes, tasks) = (volumes?, tasks?);
    volume::defined(&volumes, &tasks, report)?;
    Ok(Group {
        name: name?.value,
        span: header(block),
        constraints: constraints?,
        network: network?,
        volumes,
        tasks,
    })
}

/// Makes the group of a task that stands directly in the job; it has the task's name.
pub(crate) fn of_task(
    block: &Block,
    job: &Inherited,
    report: &mut Report<'_>,
) -> Result<Group, Reported> {
    let read = |report: &mut Report<'_>| task::task(block, job, &Policy::default(), report);
    let task = report.inside(title(block), read)?;
    volume::defined(&[], std::slice::from_ref(&task), report)?;
    Ok(Group {
        name: task.name.clone(),
        span: task.span.clone(),
        constraints: Vec::new(),
        network: None,
        volumes: Vec::new(),
        tasks: vec![task],
    })
}

/// What is for the scheduler of a cluster.
fn decorated(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let arguments = [
        "max_client_disconnect",
        "prevent_reschedule_on_lost",
        "stop_after_client_disconnect",
    ];
    let arguments = arguments.map(|name| decoration::argument(fields, name, report));
    let blocks = decoration::blocks(fields, report);
    arguments.into_iter().fold(blocks, Result::and)
}

fn count(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    match fields.integer("count", report)? {
        Some(count) if count.value < 0 => {
            Err(report.error_at(OUT_OF_RANGE, &count, "\"count\" must not be negative."))
        }
        Some(count) if count.value != 1 => {
            let detail = "A count other than 1 is not supported yet.";
            Err(report.error_at(NOT_SUPPORTED_YET, &count, detail))
        }
        _ => Ok(()),
    }
}

fn tasks(
    fields: &Fields<'_>,
    group: &Block,
    inherited: &Inherited,
    restart: &Policy,
    report: &mut Report<'_>,
) -> Result<Vec<Task>, Reported> {
    let is_task = |block: &&Block| block.ident.as_str() == "task";
    let blocks: Vec<&Block> = fields.blocks().iter().copied().filter(is_task).collect();
    if blocks.is_empty() {
        let detail = "A group needs a task: task \"example\" { … }.";
        let missing =
            Diagnostic::new(MISSING_BLOCK, header(group), detail).summary("Missing task block");
        return Err(report.add(missing));
    }
    only_one(&blocks, "task", report);
    let tasks: Vec<_> = blocks
        .into_iter()
        .map(|block| {
            report.inside(title(block), |report| {
                task::task(block, inherited, restart, report)
            })
        })
        .collect();
    tasks.into_iter().collect()
}
