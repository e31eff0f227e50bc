//! `resources`.

use hcl_edit::structure::Block;

use super::{decoration, no_labels};
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::span;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::RESOURCES;
use crate::{Resources, Spanned};

const MIN_CPU: u64 = 1;
const MIN_MEMORY: u64 = 10;
/// More MHz than any machine has; keeps what is calculated from it far from overflowing.
const MAX_CPU: u64 = 1 << 32;
/// As many MB as 64 bits can count in bytes.
const MAX_MEMORY: u64 = i64::MAX as u64 >> 20;
const DEFAULT_CPU: u64 = 100;
const DEFAULT_MEMORY: u64 = 300;

/// Reads `resources`, or takes Nomad's defaults.
pub(crate) fn resources(
    block: Option<&Block>,
    report: &mut Report<'_>,
) -> Result<Resources, Reported> {
    match block {
        None => Ok(Resources {
            cpu: DEFAULT_CPU,
            cores: None,
            memory: DEFAULT_MEMORY,
            memory_max: 0,
        }),
        Some(block) => report.inside("resources".to_owned(), |report| read(block, report)),
    }
}

fn read(block: &Block, report: &mut Report<'_>) -> Result<Resources, Reported> {
    no_labels(block, report);
    let fields = Fields::of(&block.body, header(block), &RESOURCES, report);
    let cpu = amount(&fields, "cpu", MIN_CPU..=MAX_CPU, report);
    let memory = amount(&fields, "memory", MIN_MEMORY..=MAX_MEMORY, report);
    let memory_max = fields.integer("memory_max", report);
    let cores = cores(&fields, report);
    let outdated = outdated(&fields, report);
    decoration::blocks(&fields, report).and(outdated)?;
    let (cpu, memory, cores) = (cpu?, memory?.unwrap_or(DEFAULT_MEMORY), cores?);
    Ok(Resources {
        cpu: exclusive(cpu, cores.as_ref(), report)?,
        cores,
        memory,
        memory_max: match memory_max? {
            None => 0,
            Some(given) => most(&given, memory, report)?,
        },
    })
}

/// What Nomad had here once.
fn outdated(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let mut result = decoration::argument(fields, "iops", report);
    if let Some(argument) = fields.argument("iops") {
        let detail = "\"iops\" limits nothing, in Nomad neither.";
        let place = span(&argument.key);
        report.warn(Diagnostic::new(WITHOUT_EFFECT, place, detail));
    }
    if let Some(argument) = fields.argument("disk") {
        let detail = "Task can't ask for disk resources, they have to be specified at the task group level: \
                      ephemeral_disk { size = … }.";
        result = Err(report.error(UNSUPPORTED_ARGUMENT, span(&argument.key), detail));
    }
    if let Some(block) = fields.block("network") {
        let detail =
            "The network belongs to the group: group \"…\" { network { port \"http\" {} } }.";
        result = Err(report.error(UNSUPPORTED_BLOCK, header(block), detail));
    }
    result
}

/// More cores than a cpuset can name; whether the node has so many is not the file's business.
const MAX_CORES: u64 = 1 << 16;

fn cores(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Option<Spanned<u64>>, Reported> {
    let span = fields.integer("cores", report)?.map(|given| given.span);
    let amount = amount(fields, "cores", 1..=MAX_CORES, report)?;
    Ok(amount
        .zip(span)
        .map(|(value, span)| Spanned { value, span }))
}

/// The MHz: none of their own beside whole cores.
fn exclusive(
    cpu: Option<u64>,
    cores: Option<&Spanned<u64>>,
    report: &mut Report<'_>,
) -> Result<u64, Reported> {
    match (cpu, cores) {
        (Some(_), Some(cores)) => {
            let detail = "Task can only ask for 'cpu' or 'cores' resource, not both.";
            Err(report.error_at(CPU_AND_CORES, cores, detail))
        }
        (None, Some(_)) => Ok(0),
        (cpu, None) => Ok(cpu.unwrap_or(DEFAULT_CPU)),
    }
}

fn amount(
    fields: &Fields<'_>,
    name: &str,
    range: std::ops::RangeInclusive<u64>,
    report: &mut Report<'_>,
) -> Result<Option<u64>, Reported> {
    let Some(given) = fields.integer(name, report)? else {
        return Ok(None);
    };
    match u64::try_from(given.value) {
        Ok(amount) if range.contains(&amount) => Ok(Some(amount)),
        _ => {
            let detail = format!(
                "\"{name}\" must be from {} to {}.",
                range.start(),
                range.end()
            );
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
    }
}

fn most(given: &Spanned<i64>, memory: u64, report: &mut Report<'_>) -> Result<i64, Reported> {
    match u64::try_from(given.value) {
        Ok(0) => Ok(0),
        Err(_) if given.value == -1 => Ok(-1),
        Ok(most) if (memory..=MAX_MEMORY).contains(&most) => Ok(given.value),
        _ => {
            let detail = format!(
                "\"memory_max\" must be from \"memory\" ({memory}) to {MAX_MEMORY}, or 0 for none, or -1 for no limit."
            );
            Err(report.error_at(OUT_OF_RANGE, given, detail))
        }
    }
}
