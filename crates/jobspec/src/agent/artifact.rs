//! `client { artifact {} }`: what fetching may cost.

use std::time::Duration;

use hcl_edit::structure::Block;

use crate::Spanned;
use crate::codes::*;
use crate::decode::no_labels;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};

use super::read::not_negative;
use super::schema::ARTIFACT;

/// Limits of what is fetched; `0` is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifact {
    /// `http_read_timeout`.
    pub http_read_timeout: Option<Spanned<Duration>>,
    /// `http_max_size`, in bytes.
    pub http_max_size: Option<Spanned<u64>>,
    /// `decompression_size_limit`, in bytes.
    pub decompression_size_limit: Option<Spanned<u64>>,
    /// `decompression_file_count_limit`.
    pub decompression_file_count_limit: Option<Spanned<u64>>,
}

/// Reads the block; what is for getters that are not here is let through.
pub(super) fn artifact(
    block: Option<&Block>,
    passed: &mut Vec<Spanned<String>>,
    report: &mut Report<'_>,
) -> Result<Artifact, Reported> {
    let Some(block) = block else {
        return Ok(Artifact::default());
    };
    report.inside("artifact".to_owned(), |report| {
        no_labels(block, report);
        let (fields, later) = Fields::passing(&block.body, header(block), &ARTIFACT, report);
        passed.extend(later.into_iter().map(|key| Spanned {
            value: format!("client.artifact.{}", key.value),
            span: key.span,
        }));
        let timeout = fields.duration("http_read_timeout", report);
        let download = bytes(&fields, "http_max_size", report);
        let unpacked = bytes(&fields, "decompression_size_limit", report);
        let files = count(&fields, "decompression_file_count_limit", report);
        Ok(Artifact {
            http_read_timeout: timeout?,
            http_max_size: download?,
            decompression_size_limit: unpacked?,
            decompression_file_count_limit: files?,
        })
    })
}

fn bytes(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<u64>>, Reported> {
    let Some(given) = fields.text(name, report)? else {
        return Ok(None);
    };
    match size(&given.value) {
        Some(value) => Ok(Some(Spanned {
            value,
            span: given.span,
        })),
        None => {
            let detail = format!("\"{name}\" must be a size such as \"100GB\" or \"512MiB\".");
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
    }
}

fn count(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<u64>>, Reported> {
    let given = not_negative(fields, name, report)?;
    Ok(given.map(|given| Spanned {
        value: given.value.unsigned_abs(),
        span: given.span,
    }))
}

/// A number with a unit, of a thousand or of 1024, in any case, as Nomad reads sizes.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let number: f64 = number.replace(',', "").parse().ok()?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "ki" | "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mi" | "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gi" | "gib" => 1 << 30,
        "t" | "tb" => 1_000_000_000_000,
        "ti" | "tib" => 1 << 40,
        "p" | "pb" => 1_000_000_000_000_000,
        "pi" | "pib" => 1 << 50,
        _ => return None,
    };
    let bytes = number * factor as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_nomad_reads_them() {
        for (text, bytes) in [
            ("100GB", 100_000_000_000),
            ("100 gb", 100_000_000_000),
            ("1.5MiB", 3 << 19),
            ("1,024", 1024),
            ("0", 0),
            ("7b", 7),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_none() {
        for text in ["", "GB", "-1GB", "1XB", "1.2.3", "99999999PB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
