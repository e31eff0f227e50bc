//! `template`.

use std::collections::BTreeMap;
use std::time::Duration;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use super::no_labels;
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::span;
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::{Schema, one};
use crate::suggest::nearest;
use crate::{Change, ChangeScript, Span, Spanned, Template, TemplateText, Wait, heredoc};

const TEMPLATE: Schema = Schema {
    arguments: &[
        "change_mode",
        "change_signal",
        "data",
        "destination",
        "env",
        "error_on_missing_key",
        "gid",
        "left_delimiter",
        "once",
        "perms",
        "right_delimiter",
        "source",
        "splay",
        "uid",
        "vault_grace",
    ],
    blocks: &[one("change_script"), one("wait")],
    later_arguments: &[],
    later_blocks: &[],
};

const CHANGE_SCRIPT: Schema = Schema {
    arguments: &[
        "args",
        "command",
        "fail_on_error",
        "run_on_first_render",
        "timeout",
    ],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

const WAIT: Schema = Schema {
    arguments: &["max", "min"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

const DEFAULT_SPLAY: Duration = Duration::from_secs(5);
const DEFAULT_SCRIPT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_PERMS: u32 = 0o644;
const DEFAULT_SIGNAL: &str = "SIGHUP";
const CHANGE_MODES: [&str; 4] = ["noop", "restart", "signal", "script"];
/// Nomad takes twelve bits and leaves those above the permissions out.
const MAX_PERMS: u32 = 0o7777;
const EXECUTABLE: u32 = 0o111;
const PERMISSION_BITS: u32 = 0o777;

/// Reads the templates of a task, in their order.
pub(crate) fn templates(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Vec<Template>, Reported> {
    let blocks = fields.blocks().iter();
    let templates: Vec<_> = blocks
        .filter(|block| block.ident.as_str() == "template")
        .map(|block| report.inside(title(block), |report| template(block, report)))
        .collect();
    let templates: Vec<Template> = templates.into_iter().collect::<Result<_, _>>()?;
    unique(&templates, report)?;
    Ok(templates)
}

fn unique(templates: &[Template], report: &mut Report<'_>) -> Result<(), Reported> {
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    let mut result = Ok(());
    for Template { destination, .. } in templates {
        if let Some(before) = places.insert(&destination.value, destination.span.clone()) {
            let before = report.place(&before);
            let detail = format!("Another template has the same destination, at {before}.");
            result = Err(report.error_at(DUPLICATE_NAME, destination, detail));
        }
    }
    result
}

fn template(block: &Block, report: &mut Report<'_>) -> Result<Template, Reported> {
    no_labels(block, report);
    let fields = Fields::of(&block.body, header(block), &TEMPLATE, report);
    let from = text(&fields, report);
    let destination = destination(&fields, report);
    let env = fields.flag("env", report);
    let change = change(&fields, report);
    let splay = fields.duration("splay", report);
    let once = fields.flag("once", report);
    let perms = perms(&fields, report);
    let (uid, gid) = (owner(&fields, "uid", report), owner(&fields, "gid", report));
    let left = fields.text("left_delimiter", report);
    let right = fields.text("right_delimiter", report);
    let missing = fields.flag("error_on_missing_key", report);
    let wait = wait(&fields, report);
    // Vault needs no grace any more; what was written for old clusters is still a job.
    let grace = fields.duration("vault_grace", report);
    if let Some(grace) = grace? {
        let detail = "vault_grace has been deprecated as of Nomad 0.11 and ignored since Vault 0.5. Please remove it.";
        report.warn(Diagnostic::new(WITHOUT_EFFECT, grace.span, detail));
    }
    let env = is_set(env?);
    let change = change?;
    no_signal_for_env(env, &change, report)?;
    let (from, perms) = (from?, perms?);
    warn_of_names(&from, perms, report);
    Ok(Template {
        span: header(block),
        from,
        destination: destination?,
        change,
        splay: splay?.map_or(DEFAULT_SPLAY, |splay| splay.value),
        once: is_set(once?),
        perms,
        uid: uid?,
        gid: gid?,
        left_delimiter: delimiter(left?, "{{"),
        right_delimiter: delimiter(right?, "}}"),
        env,
        error_on_missing_key: is_set(missing?),
        wait: wait?,
    })
}

fn is_set(flag: Option<Spanned<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

fn delimiter(given: Option<Spanned<String>>, default: &str) -> String {
    given
        .map(|given| given.value)
        .filter(|given| !given.is_empty())
        .unwrap_or_else(|| default.to_owned())
}

fn text(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<TemplateText, Reported> {
    let data = fields.text("data", report);
    let source = fields.text("source", report)?;
    let data = data?.filter(|data| !data.value.is_empty());
    let source = source.filter(|source| !source.value.is_empty());
    match (data, source) {
        (Some(data), None) => Ok(TemplateText::Data {
            lines: lines(fields, &data.value, report),
            text: data,
        }),
        (None, Some(source)) => Ok(TemplateText::Source(source)),
        (None, None) => {
            let detail =
                "Must specify a source path or have an embedded template: write data or source.";
            Err(report.error(INVALID_TEMPLATE_BLOCK, fields.header(), detail))
        }
        (Some(_), Some(source)) => {
            let detail = "A template has either data or source, not both.";
            Err(report.error_at(INVALID_TEMPLATE_BLOCK, &source, detail))
        }
    }
}

/// A name in `data` is not replaced. A script has the shell to do it, a file of settings has nobody.
fn warn_of_names(from: &TemplateText, perms: u32, report: &mut Report<'_>) {
    let TemplateText::Data { text, lines } = from else {
        return;
    };
    if perms & EXECUTABLE != 0 || text.value.starts_with("#!") {
        return;
    }
    for (index, line) in text.value.lines().enumerate() {
        let Some((_, behind)) = line.split_once("${NOMAD_") else {
            continue;
        };
        let name: String = behind.chars().take_while(|c| *c != '}').collect();
        let place = lines.get(index).unwrap_or(&text.span).clone();
        let detail = format!(
            "${{NOMAD_{name}}} stays as it is in the file: data is not interpolated. Write {{{{ env \"NOMAD_{name}\" }}}}."
        );
        report.warn(Diagnostic::new(WITHOUT_EFFECT, place, detail));
    }
}

/// Where the lines of `data` stand in the file; nowhere if it was calculated.
fn lines(fields: &Fields<'_>, value: &str, report: &Report<'_>) -> Vec<Span> {
    let Some(argument) = fields.argument("data") else {
        return Vec::new();
    };
    let Expression::HeredocTemplate(heredoc) = &argument.value else {
        return Vec::new();
    };
    let place = span(&heredoc.template);
    let indented = report.source(&span(&argument.value)).starts_with("<<-");
    let lines = heredoc::lines(report.source(&place), place.start, indented);
    if lines.len() == value.split_inclusive('\n').count() {
        lines
    } else {
        Vec::new()
    }
}

fn destination(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Spanned<String>, Reported> {
    let destination = fields.required_text("destination", report)?;
    if destination.value.is_empty() {
        let detail = "Must specify a destination for the template.";
        return Err(report.error_at(INVALID_TEMPLATE_BLOCK, &destination, detail));
    }
    if escapes(&destination.value) {
        let detail = "The destination escapes the allocation's directory. Write a path below the task's directory, \
                      such as local/app.conf.";
        return Err(report.error_at(INVALID_TEMPLATE_BLOCK, &destination, detail));
    }
    Ok(destination)
}

/// Whether a path leads above the allocation by its own `..`; the task's directory is one level below it.
fn escapes(path: &str) -> bool {
    let mut depth = 1_i64;
    path.split('/').any(|part| {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        depth < 0
    })
}

fn change(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Change, Reported> {
    let mode = fields.text("change_mode", report)?;
    let signal = fields.text("change_signal", report);
    let script = fields.block("change_script");
    let script = script
        .map(|block| report.inside(title(block), |report| change_script(block, report)))
        .transpose();
    let (signal, script) = (signal?, script?);
    let word = mode.as_ref().map(|mode| mode.value.to_lowercase());
    match word.as_deref() {
        Some("noop") => Ok(Change::Noop),
        None | Some("" | "restart") => Ok(Change::Restart),
        Some("signal") => Ok(Change::Signal(
            signal
                .filter(|signal| !signal.value.is_empty())
                .unwrap_or_else(|| Spanned {
                    value: DEFAULT_SIGNAL.to_owned(),
                    span: mode.map_or_else(|| fields.header(), |mode| mode.span),
                }),
        )),
        Some("script") => script.map(Change::Script).ok_or_else(|| {
            let detail = "Must specify change script configuration value when change mode is script: write a \
                          change_script block.";
            report.error(INVALID_TEMPLATE_BLOCK, fields.header(), detail)
        }),
        Some(other) => {
            let span = mode.as_ref().map_or_else(|| fields.header(), |mode| mode.span.clone());
            let detail = format!("\"{other}\" is no change_mode; there are {}.", CHANGE_MODES.join(", "));
            let mut invalid = Diagnostic::new(INVALID_TEMPLATE_BLOCK, span, detail);
            invalid.fix = nearest(other, CHANGE_MODES).map(|word| format!("\"{word}\""));
            Err(report.add(invalid))
        }
    }
}

fn no_signal_for_env(env: bool, change: &Change, report: &mut Report<'_>) -> Result<(), Reported> {
    match change {
        Change::Signal(signal) if env => {
            let detail = "Cannot use signals with env var templates: a running task's environment does not change. \
                          Use change_mode = \"restart\".";
            Err(report.error_at(INVALID_TEMPLATE_BLOCK, signal, detail))
        }
        _ => Ok(()),
    }
}

fn change_script(block: &Block, report: &mut Report<'_>) -> Result<ChangeScript, Reported> {
    no_labels(block, report);
    let fields = Fields::of(&block.body, header(block), &CHANGE_SCRIPT, report);
    let command = fields.required_text("command", report);
    let args = fields.texts("args", report);
    let timeout = fields.duration("timeout", report);
    let fail_on_error = fields.flag("fail_on_error", report);
    let first = fields.flag("run_on_first_render", report);
    let command = command?;
    if command.value.is_empty() {
        let detail = "Must specify script path value when change mode is script.";
        return Err(report.error_at(INVALID_TEMPLATE_BLOCK, &command, detail));
    }
    Ok(ChangeScript {
        command,
        args: args?.map_or_else(Vec::new, |args| args.value),
        timeout: timeout?.map_or(DEFAULT_SCRIPT_TIMEOUT, |timeout| timeout.value),
        fail_on_error: is_set(fail_on_error?),
        run_on_first_render: is_set(first?),
    })
}

fn perms(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<u32, Reported> {
    let Some(given) = fields.text("perms", report)? else {
        return Ok(DEFAULT_PERMS);
    };
    if given.value.is_empty() {
        return Ok(DEFAULT_PERMS);
    }
    match u32::from_str_radix(&given.value, 8) {
        Ok(bits) if bits <= MAX_PERMS && !given.value.starts_with('+') => {
            Ok(bits & PERMISSION_BITS)
        }
        _ => {
            let detail = format!(
                "Failed to parse \"{}\" as octal; write perms as \"0644\".",
                given.value
            );
            Err(report.error_at(INVALID_TEMPLATE_BLOCK, &given, detail))
        }
    }
}

/// A negative number asks for nothing, as in Nomad.
fn owner(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<u32>, Reported> {
    let Some(given) = fields.integer(name, report)? else {
        return Ok(None);
    };
    if given.value < 0 {
        return Ok(None);
    }
    match u32::try_from(given.value) {
        // The last one means "leave it alone" to the kernel.
        Ok(id) if id != u32::MAX => Ok(Some(id)),
        _ => {
            let detail = format!("\"{name}\" must be from 0 to {}.", u32::MAX - 1);
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
    }
}

fn wait(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Option<Wait>, Reported> {
    let Some(block) = fields.block("wait") else {
        return Ok(None);
    };
    report.inside(title(block), |report| {
        no_labels(block, report);
        let fields = Fields::of(&block.body, header(block), &WAIT, report);
        let (min, max) = (
            fields.duration("min", report),
            fields.duration("max", report),
        );
        let (Some(min), max) = (min?, max?) else {
            let detail = "Must specify a min for the template's wait.";
            return Err(report.error(INVALID_TEMPLATE_BLOCK, fields.header(), detail));
        };
        let max = max.map_or(4 * min.value, |max| max.value);
        if min.value > max {
            let detail = format!(
                "The wait's min {:?} is greater than its max {max:?}.",
                min.value
            );
            return Err(report.error_at(INVALID_TEMPLATE_BLOCK, &min, detail));
        }
        Ok(Some(Wait {
            min: min.value,
            max,
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::escapes;

    #[test]
    fn a_destination_may_reach_the_shared_directory_and_no_further() {
        for inside in ["local/x", "/local/x", "../alloc/x", "a/../../alloc/x", "."] {
            assert!(!escapes(inside), "{inside}");
        }
        for outside in ["../../x", "local/../../../x", "/../../etc/x"] {
            assert!(escapes(outside), "{outside}");
        }
    }
}
