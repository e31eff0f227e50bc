//! What a job file says for a cluster, and means nothing or something else on one machine.
//!
//! All of it is read and checked, so that a file that is right here is right in a cluster, too. What is trivially so on
//! one node goes without a word; what an author may count on gets a warning that says what happens instead; what would
//! make the task wrong is refused.

mod names;

use hcl_edit::structure::{Attribute, Block, Structure};

use crate::Spanned;
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::{evaluate, span};
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::Schema;
use crate::suggest::nearest;

use names as known;

/// Reads the decoration among the blocks of a job, a group, a task or its resources.
pub(crate) fn blocks(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let read = fields.blocks().iter().filter_map(|block| {
        let shape = shape(block.ident.as_str())?;
        Some((*block, shape))
    });
    let read: Vec<_> = read.collect();
    let all: Vec<_> = read
        .into_iter()
        .map(|(block, shape)| report.inside(title(block), |report| shape(block, report)))
        .collect();
    all.into_iter().collect()
}

/// Blocks with a label.
const LABELLED: [&str; 3] = ["action", "scaling", "target"];

type Read = fn(&Block, &mut Report<'_>) -> Result<(), Reported>;

fn shape(name: &str) -> Option<Read> {
    Some(match name {
        "action" => action,
        "affinity" => affinity,
        "consul" => consul,
        "csi_plugin" => csi_plugin,
        "device" => device,
        "disconnect" => |block, report| plain(block, &known::DISCONNECT, report).map(drop),
        "identity" => identity,
        "migrate" => migrate,
        "multiregion" => multiregion,
        "numa" => numa,
        "reschedule" => reschedule,
        "scaling" => scaling,
        "schedule" => schedule,
        "spread" => spread,
        "ui" => ui,
        "update" => update,
        "vault" => vault,
        _ => return None,
    })
}

/// Reads a block by the types of its arguments.
fn plain<'b>(
    block: &'b Block,
    schema: &Schema,
    report: &mut Report<'_>,
) -> Result<Fields<'b>, Reported> {
    if !LABELLED.contains(&block.ident.as_str()) {
        super::no_labels(block, report);
    }
    let fields = Fields::of(&block.body, header(block), schema, report);
    let all: Vec<_> = schema
        .arguments
        .iter()
        .map(|name| argument(&fields, name, report))
        .collect();
    all.into_iter().collect::<Result<(), _>>()?;
    Ok(fields)
}

/// Reads one argument as what Nomad has under that name.
pub(crate) fn argument(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    match known::kind(name) {
        known::Kind::Text => fields.text(name, report).map(drop),
        known::Kind::Texts => fields.texts(name, report).map(drop),
        known::Kind::Flag => fields.flag(name, report).map(drop),
        known::Kind::Duration => fields.duration(name, report).map(drop),
        known::Kind::Number => number(fields, name, i64::MIN..=i64::MAX, report),
        known::Kind::Count => number(fields, name, 0..=i64::MAX, report),
    }
}

pub(crate) fn number(
    fields: &Fields<'_>,
    name: &str,
    range: std::ops::RangeInclusive<i64>,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    match fields.integer(name, report)? {
        Some(given) if !range.contains(&given.value) => {
            let detail = if *range.end() == i64::MAX {
                format!("\"{name}\" must be {} at least.", range.start())
            } else {
                format!(
                    "\"{name}\" must be from {} to {}.",
                    range.start(),
                    range.end()
                )
            };
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
        _ => Ok(()),
    }
}

/// One of these words, or none.
fn word(
    fields: &Fields<'_>,
    name: &str,
    words: &[&'static str],
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let Some(given) = fields.text(name, report)? else {
        return Ok(());
    };
    if given.value.is_empty() || words.contains(&given.value.as_str()) {
        return Ok(());
    }
    let detail = format!(
        "{:?} is no {name}; there are {}.",
        given.value,
        words.join(", ")
    );
    let mut invalid = Diagnostic::new(INVALID_WORD, given.span, detail);
    invalid.fix = nearest(&given.value, words.iter().copied()).map(|word| format!("\"{word}\""));
    Err(report.add(invalid))
}

fn without_effect(block: &Block, detail: &str, report: &mut Report<'_>) {
    report.warn(Diagnostic::new(WITHOUT_EFFECT, header(block), detail));
}

fn unlike(argument: &Attribute, detail: &str, report: &mut Report<'_>) {
    let place = span(&argument.key).start..span(&argument.value).end;
    report.warn(Diagnostic::new(DIFFERENT_HERE, place, detail));
}

/// An argument that says yes.
fn is_on<'a>(
    fields: &Fields<'a>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<&'a Attribute>, Reported> {
    let given = fields.flag(name, report)?;
    Ok(fields
        .argument(name)
        .filter(|_| given.is_some_and(|given| given.value)))
}

fn affinity(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::AFFINITY, report)?;
    let weight = fields.integer("weight", report)?;
    match weight {
        Some(weight) if weight.value == 0 || !(-100..=100).contains(&weight.value) => {
            let detail = "Affinity weight must be from -100 to 100, and not 0.";
            Err(report.error_at(OUT_OF_RANGE, &weight, detail))
        }
        _ => Ok(()),
    }
}

fn spread(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::SPREAD, report)?;
    number(&fields, "weight", 1..=100, report)?;
    for target in fields.blocks() {
        let fields = plain(target, &known::SPREAD_TARGET, report)?;
        number(&fields, "percent", 0..=100, report)?;
    }
    Ok(())
}

fn ui(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::UI, report)?;
    for link in fields.blocks() {
        plain(link, &known::UI_LINK, report)?;
    }
    Ok(())
}

fn migrate(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::MIGRATE, report)?;
    word(&fields, "health_check", &["checks", "task_states"], report)
}

const HEALTH_CHECKS: [&str; 3] = ["checks", "task_states", "manual"];

fn update(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::UPDATE, report)?;
    word(&fields, "health_check", &HEALTH_CHECKS, report)?;
    let canary = fields.integer("canary", report)?;
    let canary = canary.is_some_and(|canary| canary.value > 0);
    if let Some(argument) = fields.argument("canary").filter(|_| canary) {
        let detail = "There are no canaries: a run in the foreground replaces nothing.";
        unlike(argument, detail, report);
    }
    if let Some(argument) = is_on(&fields, "auto_promote", report)? {
        if !canary {
            let place = span(&argument.value);
            let detail = "Auto Promote requires a Canary count greater than zero.";
            return Err(report.error(INVALID_WORD, place, detail));
        }
        let detail = "There is nothing to promote: a run in the foreground replaces nothing.";
        unlike(argument, detail, report);
    }
    Ok(())
}

const DELAY_FUNCTIONS: [&str; 3] = ["constant", "exponential", "fibonacci"];

fn reschedule(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::RESCHEDULE, report)?;
    word(&fields, "delay_function", &DELAY_FUNCTIONS, report)?;
    let attempts = fields.integer("attempts", report)?;
    let is_limited = attempts.is_some_and(|attempts| attempts.value > 0);
    if is_limited || is_on(&fields, "unlimited", report)?.is_some() {
        let detail = "There is no other node to reschedule to: when the restart policy is used up, the run ends.";
        without_effect(block, detail, report);
    }
    Ok(())
}

/// MB that a group's disk has unless it says otherwise, as in Nomad.
pub(crate) const DISK_MB: u64 = 300;

/// Reads `ephemeral_disk`, whose size nothing here is held to but what is said of log files; in MB.
pub(crate) fn ephemeral_disk(
    block: Option<&Block>,
    report: &mut Report<'_>,
) -> Result<u64, Reported> {
    let Some(block) = block else {
        return Ok(DISK_MB);
    };
    report.inside(title(block), |report| disk(block, report))
}

fn disk(block: &Block, report: &mut Report<'_>) -> Result<u64, Reported> {
    let fields = plain(block, &known::EPHEMERAL_DISK, report)?;
    number(&fields, "size", 10..=i64::MAX, report)?;
    let size = fields.integer("size", report)?;
    if let Some(argument) = is_on(&fields, "sticky", report)? {
        let detail = "Every run has a new alloc directory, and nothing is taken over from the last one: keep data in a \
                      host volume.";
        unlike(argument, detail, report);
    }
    Ok(size.map_or(DISK_MB, |size| size.value.unsigned_abs()))
}

fn consul(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    plain(block, &known::CONSUL, report)?;
    without_effect(block, "There is no Consul here to log in to.", report);
    Ok(())
}

fn identity(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    plain(block, &known::IDENTITY, report)?;
    let detail = "There is no Nomad server here to sign a token: NOMAD_TOKEN is not set and no token file is written.";
    without_effect(block, detail, report);
    Ok(())
}

fn action(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    super::name(block, report)?;
    let fields = plain(block, &known::ACTION, report)?;
    fields.required_text("command", report)?;
    let detail =
        "encamp has no command to run an action with; encamp exec runs any command in a task.";
    without_effect(block, detail, report);
    Ok(())
}

fn schedule(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::SCHEDULE, report)?;
    for cron in fields.blocks() {
        plain(cron, &known::SCHEDULE_CRON, report)?;
    }
    let detail = "Schedules are for Nomad Enterprise: the task runs at all times.";
    without_effect(block, detail, report);
    Ok(())
}

fn numa(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::NUMA, report)?;
    word(&fields, "affinity", &["none", "prefer", "require"], report)?;
    let detail = "Cores are given by their number, whatever memory is near them.";
    without_effect(block, detail, report);
    Ok(())
}

/// A task that needs a token cannot be right without one; that a block is there does not yet mean so.
fn vault(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::VAULT, report)?;
    let asks = ["role", "policies"].iter();
    if let Some(asks) = asks.filter_map(|name| fields.argument(name)).next() {
        let detail = "There is no Vault here to give a token for it.";
        return Err(report.error(NEEDS_A_CLUSTER, span(&asks.key), detail));
    }
    let detail = "There is no Vault here: VAULT_TOKEN is not set and no token file is written.";
    without_effect(block, detail, report);
    Ok(())
}

/// `policy` is for an autoscaler alone, which may put anything there.
fn scaling(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let fields = plain(block, &known::SCALING, report)?;
    match block.labels.first() {
        Some(label) if !matches!(label.as_str(), "cpu" | "mem") => {
            let detail = "scaling policy name must be \"cpu\" or \"mem\".";
            return Err(report.error(INVALID_NAME, span(label), detail));
        }
        None if fields.argument("max").is_none() => {
            let detail = "The argument \"max\" is required, but no definition was found.";
            return Err(report.error(MISSING_ARGUMENT, header(block), detail));
        }
        _ => {}
    }
    fields
        .blocks()
        .iter()
        .try_for_each(|policy| anything(policy, report))
}

/// `min` of a group's `scaling`, which is its count when it says none.
pub(crate) fn least(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<i64>>, Reported> {
    let Some(block) = fields.block("scaling") else {
        return Ok(None);
    };
    // What is wrong with the block is reported where it is read.
    let mut quiet = Report::new("", "");
    let fields = Fields::of(&block.body, header(block), &known::SCALING, &mut quiet);
    report.inside(title(block), |report| fields.integer("min", report))
}

/// Reads what nobody here knows the names of.
fn anything(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    for structure in &block.body {
        match structure {
            Structure::Attribute(attribute) => drop(evaluate(&attribute.value, report)?),
            Structure::Block(block) => anything(block, report)?,
        }
    }
    Ok(())
}

fn multiregion(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let detail = "Several regions are several clusters; this is one machine. Leave the block out.";
    Err(report.error(NEEDS_A_CLUSTER, header(block), detail))
}

fn csi_plugin(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let detail =
        "A storage plugin serves a cluster's volumes; this machine has none. Use host volumes.";
    Err(report.error(NEEDS_A_CLUSTER, header(block), detail))
}

fn device(block: &Block, report: &mut Report<'_>) -> Result<(), Reported> {
    let name = block.labels.first().map_or("", |label| label.as_str());
    let detail = format!(
        "The device {name:?} needs a device plugin of a Nomad client; encamp has none. Under exec2 a device file can be \
         unveiled."
    );
    Err(report.error(NEEDS_A_CLUSTER, header(block), detail))
}
