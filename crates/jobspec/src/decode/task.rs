//! `task`.

use std::time::Duration;

use hcl_edit::structure::Block;

use super::group::Inherited;
use super::restart::Policy;
use super::{
    artifact, config, constraint, decoration, lifecycle, logs, maps, name, references, resources,
    template, volume,
};
use crate::codes::*;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::TASK;
use crate::{Spanned, Task};

/// Leaves room in a file name of 255 bytes for what is put before and behind a task's name.
const MAX_NAME: usize = 128;
const DEFAULT_KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a task.
pub(crate) fn task(
    block: &Block,
    group: &Inherited,
    restart: &Policy,
    report: &mut Report<'_>,
) -> Result<Task, Reported> {
    let name = task_name(block, report);
    let fields = Fields::of(&block.body, header(block), &TASK, report);
    let driver = fields
        .required_text("driver", report)
        .and_then(|driver| not_empty(driver, report));
    let user = fields.text("user", report);
    let constraints = constraint::constraints(&fields, report);
    let decorated = decorated(&fields, report);
    let config = config::config(fields.block("config"), header(block), report);
    let env = maps::env(&fields, report);
    let env_references = references::of_env(&fields, report);
    let meta = maps::meta(&fields, &group.meta, report);
    let artifacts = artifact::artifacts(&fields, report);
    let volume_mounts = volume::mounts(&fields, report);
    let templates = template::templates(&fields, report);
    let resources = resources::resources(fields.block("resources"), report);
    let restart = Policy::of(fields.block("restart"), restart, group.kind, report);
    let kill_signal = fields.text("kill_signal", report);
    let kill_timeout = fields.duration("kill_timeout", report);
    let shutdown_delay = fields.duration("shutdown_delay", report);
    let leader = fields.flag("leader", report);
    let lifecycle = lifecycle::lifecycle(fields.block("lifecycle"), report);
    let logs = logs::logs(fields.block("logs"), header(block), group.disk_mb, report);
    decorated?;
    Ok(Task {
        name: name?,
        span: header(block),
        constraints: constraints?,
        driver: driver?,
        user: given(user?),
        config: config?,
        env: env?,
        env_references: env_references?,
        meta: meta?,
        artifacts: artifacts?,
        volume_mounts: volume_mounts?,
        templates: templates?,
        resources: resources?,
        restart: restart?.complete(group.kind),
        kill_signal: given(kill_signal?),
        kill_timeout: kill_timeout?.map_or(DEFAULT_KILL_TIMEOUT, |timeout| timeout.value),
        shutdown_delay: shutdown_delay?.map_or(Duration::ZERO, |delay| delay.value),
        leader: leader?.is_some_and(|leader| leader.value),
        lifecycle: lifecycle?,
        logs: logs?,
    })
}

/// What is for the scheduler of a cluster, or for a mesh.
fn decorated(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let kind = fields.text("kind", report);
    let blocks = decoration::blocks(fields, report);
    match kind? {
        Some(kind) if kind.value.contains("connect") || kind.value.contains("gateway") => {
            let detail = "A task of a service mesh needs Consul, which this machine does not have.";
            Err(report.error_at(NEEDS_A_CLUSTER, &kind, detail))
        }
        _ => blocks,
    }
}

/// An empty text is as good as none, as in Nomad.
fn given(text: Option<Spanned<String>>) -> Option<Spanned<String>> {
    text.filter(|text| !text.value.is_empty())
}

fn not_empty(
    driver: Spanned<String>,
    report: &mut Report<'_>,
) -> Result<Spanned<String>, Reported> {
    if driver.value.is_empty() {
        let detail = "The argument \"driver\" must not be empty.";
        return Err(report.error_at(MISSING_ARGUMENT, &driver, detail));
    }
    Ok(driver)
}

/// A task's name is the name of its directory, beside the shared one.
fn task_name(block: &Block, report: &mut Report<'_>) -> Result<String, Reported> {
    let name = name(block, report)?;
    let problem = match name.value.as_str() {
        "alloc" => {
            "A task must not be called \"alloc\": that is the directory all tasks share.".to_owned()
        }
        "." | ".." => "The name of a task must be the name of a directory.".to_owned(),
        text if text.contains('/') => "The name of a task must not contain \"/\".".to_owned(),
        text if text.contains(char::is_control) => {
            "The name of a task must not contain a newline or another control character.".to_owned()
        }
        text if text.len() > MAX_NAME => {
            format!("The name of a task may have {MAX_NAME} bytes at most.")
        }
        _ => return Ok(name.value),
    };
    Err(report.error_at(INVALID_NAME, &name, problem))
}
