//! `volume` of a group and `volume_mount` of its tasks.

use std::collections::BTreeMap;

use hcl_edit::structure::Block;

use super::{name, no_labels};
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::{VOLUME, VOLUME_MOUNT};
use crate::suggest::nearest;
use crate::{Span, Spanned, Task, Volume, VolumeMount};

/// Nomad's words for who may use a volume how.
const ACCESS_MODES: [&str; 8] = [
    "",
    "single-node-reader-only",
    "single-node-writer",
    "single-node-single-writer",
    "single-node-multi-writer",
    "multi-node-reader-only",
    "multi-node-single-writer",
    "multi-node-multi-writer",
];
const PROPAGATION_MODES: [&str; 4] = ["", "private", "host-to-task", "bidirectional"];

/// Reads the volumes of a group.
pub(crate) fn volumes(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Vec<Volume>, Reported> {
    let volumes: Vec<_> = of(fields, "volume")
        .map(|block| report.inside(title(block), |report| volume(block, report)))
        .collect();
    let volumes: Vec<Volume> = volumes.into_iter().collect::<Result<_, _>>()?;
    unique(&volumes, report)?;
    Ok(volumes)
}

fn of<'a>(fields: &Fields<'a>, kind: &'static str) -> impl Iterator<Item = &'a Block> + use<'a> {
    let blocks: Vec<&'a Block> = fields.blocks().to_vec();
    blocks
        .into_iter()
        .filter(move |block| block.ident.as_str() == kind)
}

fn unique(volumes: &[Volume], report: &mut Report<'_>) -> Result<(), Reported> {
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    let mut result = Ok(());
    for Volume { name, .. } in volumes {
        if let Some(before) = places.insert(&name.value, name.span.clone()) {
            let before = report.place(&before);
            let detail = format!(
                "The volume \"{}\" was already defined at {before}.",
                name.value
            );
            result = Err(report.error_at(DUPLICATE_NAME, name, detail));
        }
    }
    result
}

fn volume(block: &Block, report: &mut Report<'_>) -> Result<Volume, Reported> {
    let name = name(block, report);
    let fields = Fields::of(&block.body, header(block), &VOLUME, report);
    let kind = kind(&fields, report);
    let source = source(&fields, report);
    let read_only = fields.flag("read_only", report);
    let access = one_of(&fields, "access_mode", &ACCESS_MODES, report);
    let attachment = attachment(&fields, report);
    let per_alloc = fields.flag("per_alloc", report);
    let sticky = fields.flag("sticky", report);
    kind.and(attachment).and(sticky.map(drop))?;
    Ok(Volume {
        name: name?,
        source: source?,
        per_alloc: is_set(per_alloc?),
        read_only: is_set(read_only?) || access?.ends_with("reader-only"),
    })
}

fn is_set(flag: Option<Spanned<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

fn kind(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let kind = fields.required_text("type", report)?;
    let detail = match kind.value.as_str() {
        "host" => return Ok(()),
        "csi" => "A volume of type \"csi\" needs a cluster's storage plugins, which this machine does not have. \
                  Use type = \"host\" and a host_volume of the client's configuration."
            .to_owned(),
        other => format!("The volume has unrecognized type \"{other}\"; there is host."),
    };
    Err(report.error_at(INVALID_VOLUME, &kind, detail))
}

fn source(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Spanned<String>, Reported> {
    let source = fields.required_text("source", report)?;
    if source.value.is_empty() {
        return Err(report.error_at(INVALID_VOLUME, &source, "The volume has an empty source."));
    }
    Ok(source)
}

fn attachment(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    match fields.text("attachment_mode", report)? {
        Some(mode) if !matches!(mode.value.as_str(), "" | "file-system") => {
            let detail =
                "A host volume is a directory: its attachment_mode can only be \"file-system\".";
            Err(report.error_at(INVALID_VOLUME, &mode, detail))
        }
        _ => Ok(()),
    }
}

fn one_of(
    fields: &Fields<'_>,
    argument: &str,
    words: &[&'static str],
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    let Some(given) = fields.text(argument, report)? else {
        return Ok(String::new());
    };
    if words.contains(&given.value.as_str()) {
        return Ok(given.value);
    }
    let detail = format!(
        "\"{}\" is no {argument}; there are {}.",
        given.value,
        words[1..].join(", ")
    );
    let mut invalid = Diagnostic::new(INVALID_VOLUME, given.span, detail);
    invalid.fix = nearest(&given.value, words.iter().copied()).map(|word| format!("\"{word}\""));
    Err(report.add(invalid))
}

/// Reads the mounts of a task, in their order.
pub(crate) fn mounts(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Vec<VolumeMount>, Reported> {
    let mounts: Vec<_> = of(fields, "volume_mount")
        .map(|block| report.inside(title(block), |report| mount(block, report)))
        .collect();
    mounts.into_iter().collect()
}

fn mount(block: &Block, report: &mut Report<'_>) -> Result<VolumeMount, Reported> {
    no_labels(block, report);
    let fields = Fields::of(&block.body, header(block), &VOLUME_MOUNT, report);
    let volume = fields.required_text("volume", report);
    let destination = fields.required_text("destination", report);
    let read_only = fields.flag("read_only", report);
    let propagation_mode = one_of(&fields, "propagation_mode", &PROPAGATION_MODES, report);
    let selinux_label = fields.text("selinux_label", report);
    Ok(VolumeMount {
        span: header(block),
        volume: volume?,
        destination: destination?,
        read_only: is_set(read_only?),
        propagation_mode: propagation_mode?,
        selinux_label: selinux_label?.map_or_else(String::new, |label| label.value),
    })
}

/// Reports mounts of volumes that the group does not have, in Nomad's words.
pub(crate) fn defined(
    volumes: &[Volume],
    tasks: &[Task],
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let mut result = Ok(());
    for task in tasks {
        for (index, mount) in task.volume_mounts.iter().enumerate() {
            if !volumes
                .iter()
                .any(|volume| volume.name.value == mount.volume.value)
            {
                result = Err(undefined(index, &mount.volume, volumes, &task.name, report));
            }
        }
    }
    result
}

fn undefined(
    index: usize,
    given: &Spanned<String>,
    volumes: &[Volume],
    task: &str,
    report: &mut Report<'_>,
) -> Reported {
    let names: Vec<&str> = volumes
        .iter()
        .map(|volume| volume.name.value.as_str())
        .collect();
    let known = match names.as_slice() {
        [] => "its group defines none".to_owned(),
        names => format!("its group defines {}", names.join(", ")),
    };
    let detail = format!(
        "Volume Mount ({index}) references undefined volume {}; {known}.",
        given.value
    );
    let mut undefined = Diagnostic::new(INVALID_VOLUME, given.span.clone(), detail);
    undefined.fix = nearest(&given.value, names).map(|name| format!("\"{name}\""));
    report.inside(format!("task {task:?} volume_mount"), |report| {
        report.add(undefined)
    })
}
