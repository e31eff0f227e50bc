//! `artifact` of a task.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use hcl_edit::structure::Block;

use super::{maps, no_labels};
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::span;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::ARTIFACT;
use crate::suggest::nearest;
use crate::{Artifact, ArtifactMode, Span, Spanned};

const MODES: [&str; 3] = ["any", "file", "dir"];
/// Types of sums with the number of their digits.
const SUMS: [(&str, usize); 4] = [("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128)];

/// Reads the artifacts of a task, in their order.
pub(crate) fn artifacts(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Vec<Artifact>, Reported> {
    let blocks = fields.blocks().iter();
    let artifacts: Vec<_> = blocks
        .filter(|block| block.ident.as_str() == "artifact")
        .map(|block| report.inside("artifact".to_owned(), |report| artifact(block, report)))
        .collect();
    artifacts.into_iter().collect()
}

fn artifact(block: &Block, report: &mut Report<'_>) -> Result<Artifact, Reported> {
    no_labels(block, report);
    let fields = Fields::of(&block.body, header(block), &ARTIFACT, report);
    let source = source(&fields, report);
    let mode = mode(&fields, report);
    let destination = fields.text("destination", report);
    let options = maps::plain(&fields, "options", report);
    let headers = maps::plain(&fields, "headers", report);
    let insecure = fields.flag("insecure", report);
    let chown = fields.flag("chown", report);
    let checked = options.and_then(|options| checksum(&fields, &options, report).map(|()| options));
    let (source, mode) = (source?, mode?);
    let destination = destination?.unwrap_or_else(|| default_destination(&source, mode));
    inside(&destination, report)?;
    Ok(Artifact {
        span: header(block),
        source,
        destination,
        mode,
        options: checked?,
        headers: headers?,
        insecure: insecure?.is_some_and(|flag| flag.value),
        chown: chown?.is_some_and(|flag| flag.value),
    })
}

fn source(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Spanned<String>, Reported> {
    let source = fields.required_text("source", report)?;
    if source.value.is_empty() {
        return Err(report.error_at(INVALID_ARTIFACT, &source, "source must be specified."));
    }
    Ok(source)
}

fn mode(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<ArtifactMode, Reported> {
    let Some(given) = fields.text("mode", report)? else {
        return Ok(ArtifactMode::Any);
    };
    match given.value.as_str() {
        "" | "any" => Ok(ArtifactMode::Any),
        "file" => Ok(ArtifactMode::File),
        "dir" => Ok(ArtifactMode::Dir),
        other => {
            let detail = format!(
                "invalid artifact mode \"{other}\"; must be one of: {}.",
                MODES.join(", ")
            );
            let mut invalid = Diagnostic::new(INVALID_ARTIFACT, given.span, detail);
            invalid.fix = nearest(other, MODES).map(|mode| format!("\"{mode}\""));
            Err(report.add(invalid))
        }
    }
}

/// A directory, or in mode `file` the last element of the source below it, as Nomad has it.
fn default_destination(source: &Spanned<String>, mode: ArtifactMode) -> Spanned<String> {
    let value = match mode {
        ArtifactMode::Any | ArtifactMode::Dir => "local/".to_owned(),
        ArtifactMode::File => {
            // Nomad takes the query for a part of the name.
            let path = source.value.split('?').next().unwrap_or_default();
            let last = path.trim_end_matches('/').rsplit('/').next();
            format!("local/{}", last.unwrap_or_default())
        }
    };
    Spanned {
        value,
        span: source.span.clone(),
    }
}

/// Nomad's check of what is written; what `${…}` makes of it is checked again when it is known.
fn inside(destination: &Spanned<String>, report: &mut Report<'_>) -> Result<(), Reported> {
    let mut depth = 1_usize;
    for part in Path::new(&destination.value).components() {
        match part {
            Component::ParentDir if depth == 0 => {
                let detail = "destination escapes allocation directory.";
                return Err(report.error_at(INVALID_ARTIFACT, destination, detail));
            }
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    Ok(())
}

fn checksum(
    fields: &Fields<'_>,
    options: &BTreeMap<String, String>,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let Some(given) = options.get("checksum").filter(|text| !text.contains("${")) else {
        return Ok(());
    };
    match sum(given.trim()) {
        Ok(()) => Ok(()),
        Err(problem) => {
            let place = place_of(fields, "checksum");
            Err(report.error(INVALID_ARTIFACT, place, problem + "."))
        }
    }
}

/// Checks a sum in the words of Nomad.
fn sum(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("checksum value cannot be empty".to_owned());
    }
    let Some((kind, digits)) = text.split_once(':').filter(|(_, rest)| !rest.contains(':')) else {
        return Err(format!(
            "checksum must be given as \"type:value\"; got {text:?}"
        ));
    };
    hex(digits).map_err(|problem| format!("invalid checksum: encoding/hex: {problem}"))?;
    match SUMS.iter().find(|(known, _)| *known == kind) {
        None => Err(format!(
            "unsupported checksum type: {kind}; there are md5, sha1, sha256 and sha512"
        )),
        Some((_, length)) if *length != digits.len() => Err(format!(
            "invalid {kind} checksum: {digits}; a {kind} sum has {length} digits, this has {}",
            digits.len()
        )),
        Some(_) => Ok(()),
    }
}

fn hex(digits: &str) -> Result<(), String> {
    let wrong = digits.bytes().find(|byte| !byte.is_ascii_hexdigit());
    match wrong {
        Some(byte) if byte.is_ascii_graphic() => {
            Err(format!("invalid byte: U+{byte:04X} '{}'", char::from(byte)))
        }
        Some(byte) => Err(format!("invalid byte: U+{byte:04X}")),
        None if digits.len() % 2 == 1 => Err("odd length hex string".to_owned()),
        None => Ok(()),
    }
}

/// Where an option stands; where the options are an expression, that.
fn place_of(fields: &Fields<'_>, option: &str) -> Span {
    let in_block = fields
        .block("options")
        .and_then(|block| block.body.get_attribute(option))
        .map(|attribute| span(&attribute.value));
    let argument = || fields.argument("options");
    in_block
        .or_else(|| argument().map(|argument| maps::places(&argument.value, option).1))
        .unwrap_or_else(|| fields.header())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_impossible_sum_of_the_drivers_page_is_refused_in_nomads_words() {
        assert_eq!(
            sum("sha256:abd123445ds4555555555").unwrap_err(),
            "invalid checksum: encoding/hex: invalid byte: U+0073 's'"
        );
    }

    #[test]
    fn sums_of_every_type_are_taken() {
        for (kind, length) in SUMS {
            assert_eq!(sum(&format!("{kind}:{}", "0a".repeat(length / 2))), Ok(()));
        }
    }

    #[test]
    fn what_is_no_sum_is_told_why() {
        for (text, problem) in [
            ("", "checksum value cannot be empty"),
            (
                "d41d8cd9",
                "checksum must be given as \"type:value\"; got \"d41d8cd9\"",
            ),
            (
                "file:https://x/SHA256SUMS",
                "checksum must be given as \"type:value\"; got \"file:https://x/SHA256SUMS\"",
            ),
            (
                "sha256:abc",
                "invalid checksum: encoding/hex: odd length hex string",
            ),
            (
                "sha3:00",
                "unsupported checksum type: sha3; there are md5, sha1, sha256 and sha512",
            ),
            (
                "md5:00",
                "invalid md5 checksum: 00; a md5 sum has 32 digits, this has 2",
            ),
        ] {
            assert_eq!(sum(text).unwrap_err(), problem, "{text}");
        }
    }
}
