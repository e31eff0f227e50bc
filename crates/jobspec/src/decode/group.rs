//! `group`.

use std::collections::BTreeMap;
use std::time::Duration;

use hcl_edit::structure::Block;

use super::restart::Policy;
use super::{constraint, decoration, lifecycle, maps, name, network, task, unique_names, volume};
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
    /// What log files have room on.
    pub(crate) disk_mb: u64,
}

/// A slip of the finger is no reason to start a million tasks.
const MAX_COUNT: u32 = 1000;

/// Reads a group.
pub(crate) fn group(
    block: &Block,
    job: &Inherited,
    report: &mut Report<'_>,
) -> Result<Group, Reported> {
    let name = name(block, report);
    let fields = Fields::of(&block.body, header(block), &GROUP, report);
    let count = count(&fields, job.kind, report);
    let shutdown_delay = fields.duration("shutdown_delay", report);
    let max_run_duration = max_run_duration(&fields, job.kind, report);
    let restart = Policy::of(
        fields.block("restart"),
        &Policy::default(),
        job.kind,
        report,
    );
    let meta = maps::meta(&fields, &job.meta, report);
    let disk = decoration::ephemeral_disk(fields.block("ephemeral_disk"), report);
    let inherited = Inherited {
        kind: job.kind,
        meta: meta.clone().unwrap_or_default(),
        // A wrong size has been reported.
        disk_mb: disk.unwrap_or(u64::MAX),
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
    restart.map(drop).and(meta.map(drop))?;
    decorated?;
    disk?;
    let (name, volumes, tasks) = (name?.value, volumes?, tasks?);
    volume::defined(&volumes, &tasks, report)?;
    lifecycle::check_group(&name, &header(block), &tasks, report)?;
    Ok(Group {
        name,
        span: header(block),
        constraints: constraints?,
        network: network?,
        count: count?,
        shutdown_delay: shutdown_delay?.map_or(Duration::ZERO, |delay| delay.value),
        max_run_duration: max_run_duration?,
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
    lifecycle::check_group(&task.name, &task.span, std::slice::from_ref(&task), report)?;
    Ok(Group {
        name: task.name.clone(),
        span: task.span.clone(),
        constraints: Vec::new(),
        network: None,
        count: 1,
        shutdown_delay: Duration::ZERO,
        max_run_duration: None,
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

fn count(fields: &Fields<'_>, kind: JobType, report: &mut Report<'_>) -> Result<u32, Reported> {
    let given = fields.integer("count", report)?;
    let Some(count) = given.or(decoration::least(fields, report)?) else {
        return Ok(1);
    };
    let problem = match u32::try_from(count.value) {
        _ if count.value < 0 => "\"count\" must not be negative.".to_owned(),
        Ok(2..) if matches!(kind, JobType::System | JobType::Sysbatch) => {
            "The count of a group cannot exceed 1 with type system or sysbatch.".to_owned()
        }
        Ok(number) if number <= MAX_COUNT => return Ok(number),
        _ => format!("\"count\" may be {MAX_COUNT} at most on one machine."),
    };
    Err(report.error_at(OUT_OF_RANGE, &count, problem))
}

fn max_run_duration(
    fields: &Fields<'_>,
    kind: JobType,
    report: &mut Report<'_>,
) -> Result<Option<Duration>, Reported> {
    let Some(given) = fields.duration("max_run_duration", report)? else {
        return Ok(None);
    };
    let problem = if !matches!(kind, JobType::Batch | JobType::Sysbatch) {
        "Only jobs of type batch and sysbatch may have a max_run_duration."
    } else if given.value.is_zero() {
        "\"max_run_duration\" must be greater than zero."
    } else {
        return Ok(Some(given.value));
    };
    Err(report.error_at(INVALID_MAX_RUN_DURATION, &given, problem))
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
    unique_names(&blocks, "task", report);
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
