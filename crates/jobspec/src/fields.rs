//! What a block holds: known names only, each once, read by type.

use std::collections::BTreeMap;
use std::time::Duration;

use hcl_edit::structure::{Attribute, Block, Body, Structure};

use crate::codes::*;
use crate::convert::{to_number, to_string, type_name};
use crate::diagnostic::Diagnostic;
use crate::eval::{evaluate, span};
use crate::report::{Report, Reported};
use crate::schema::Schema;
use crate::{Span, Spanned, Value, duration};

/// The known arguments and blocks of a body.
pub(crate) struct Fields<'a> {
    attributes: BTreeMap<&'a str, &'a Attribute>,
    blocks: Vec<&'a Block>,
    header: Span,
}

impl<'a> Fields<'a> {
    /// Sorts a body by name and reports every name that is not read.
    pub(crate) fn of(
        body: &'a Body,
        header: Span,
        schema: &Schema,
        report: &mut Report<'_>,
    ) -> Self {
        let mut fields = Self {
            attributes: BTreeMap::new(),
            blocks: Vec::new(),
            header,
        };
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => fields.attribute(attribute, schema, report),
                Structure::Block(block) => fields.block_of(block, schema, report),
            }
        }
        fields
    }

    fn attribute(&mut self, attribute: &'a Attribute, schema: &Schema, report: &mut Report<'_>) {
        let name = attribute.key.as_str();
        let place = span(&attribute.key);
        if schema.arguments.contains(&name) {
            if let Some(before) = self.place_of(name) {
                duplicate(name, place, &before, report);
            } else {
                self.attributes.insert(name, attribute);
            }
        } else if schema.later_arguments.contains(&name) {
            let detail = format!("The argument \"{name}\" is not supported yet.");
            report.error(NOT_SUPPORTED_YET, place, detail);
        } else {
            let detail = format!("An argument named \"{name}\" is not expected here.");
            if schema.is_block(name) {
                let way_out = format!("{detail} Did you mean to define a block of type \"{name}\"?");
                report.error(UNSUPPORTED_ARGUMENT, place, way_out);
            } else {
                unknown(UNSUPPORTED_ARGUMENT, place, detail, schema.nearest_argument(name), report);
            }
        }
    }

    fn block_of(&mut self, block: &'a Block, schema: &Schema, report: &mut Report<'_>) {
        let name = block.ident.as_str();
        let place = span(&block.ident);
        if let Some(nested) = schema.block(name) {
            match self.place_of(name) {
                Some(before) if !nested.many => duplicate(name, place, &before, report),
                _ => self.blocks.push(block),
            }
        } else if schema.later_blocks.contains(&name) {
            let detail = format!("The block \"{name}\" is not supported yet.");
            report.error(NOT_SUPPORTED_YET, place, detail);
        } else {
            let detail = format!("Blocks of type \"{name}\" are not expected here.");
            if schema.is_argument(name) {
                let way_out = format!("{detail} Did you mean to define argument \"{name}\"? If so, use the equals sign to assign it a value.");
                report.error(UNSUPPORTED_BLOCK, place, way_out);
            } else {
                unknown(UNSUPPORTED_BLOCK, place, detail, schema.nearest_block(name), report);
            }
        }
    }

    fn place_of(&self, name: &str) -> Option<Span> {
        let argument = self.attributes.get(name).map(|attribute| span(&attribute.key));
        argument.or_else(|| self.block(name).map(header))
    }

    /// The block of that name, if there may be one only.
    pub(crate) fn block(&self, name: &str) -> Option<&'a Block> {
        self.blocks.iter().find(|block| block.ident.as_str() == name).copied()
    }

    /// The blocks in the order of the file.
    pub(crate) fn blocks(&self) -> &[&'a Block] {
        &self.blocks
    }

    pub(crate) fn argument(&self, name: &str) -> Option<&'a Attribute> {
        self.attributes.get(name).copied()
    }

    /// The value of an argument; null is as good as nothing.
    fn value(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Option<Spanned<Value>>, Reported> {
        let Some(attribute) = self.argument(name) else {
            return Ok(None);
        };
        let value = evaluate(&attribute.value, report)?;
        let span = span(&attribute.value);
        Ok((value != Value::Null).then_some(Spanned { value, span }))
    }

    pub(crate) fn text(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Option<Spanned<String>>, Reported> {
        let Some(Spanned { value, span }) = self.value(name, report)? else {
            return Ok(None);
        };
        match to_string(&value) {
            Some(value) => Ok(Some(Spanned { value, span })),
            None => Err(wrong(name, required("string", &value), span, report)),
        }
    }

    pub(crate) fn required_text(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Spanned<String>, Reported> {
        self.text(name, report)?.ok_or_else(|| {
            let detail = format!("The argument \"{name}\" is required, but no definition was found.");
            report.error(MISSING_ARGUMENT, self.header.clone(), detail)
        })
    }

    pub(crate) fn texts(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Option<Spanned<Vec<String>>>, Reported> {
        let Some(Spanned { value, span }) = self.value(name, report)? else {
            return Ok(None);
        };
        let texts = match &value {
            Value::List(items) => items.iter().map(to_string).collect(),
            _ => None,
        };
        match texts {
            Some(value) => Ok(Some(Spanned { value, span })),
            None => Err(wrong(name, required("list of string", &value), span, report)),
        }
    }

    pub(crate) fn integer(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Option<Spanned<i64>>, Reported> {
        let Some(Spanned { value, span }) = self.value(name, report)? else {
            return Ok(None);
        };
        match (to_number(&value), &value) {
            // Numbers are below 2^53, so that the conversion loses nothing.
            (Some(number), _) if number.fract() == 0.0 => Ok(Some(Spanned { value: number as i64, span })),
            (Some(_), _) => Err(wrong(name, "value must be a whole number".to_owned(), span, report)),
            (None, Value::String(_)) => Err(wrong(name, "a number is required".to_owned(), span, report)),
            (None, _) => Err(wrong(name, required("number", &value), span, report)),
        }
    }

    /// A duration: Go's text for it, or integer nanoseconds.
    pub(crate) fn duration(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Option<Spanned<Duration>>, Reported> {
        let Some(Spanned { value, span }) = self.value(name, report)? else {
            return Ok(None);
        };
        let nanoseconds = match &value {
            Value::String(text) => match duration::parse(text) {
                Ok(nanoseconds) => nanoseconds,
                Err(error) => return Err(unsuitable(name, text, &error, span, report)),
            },
            Value::Number(number) if number.fract() == 0.0 => *number as i64,
            Value::Number(_) => {
                return Err(wrong(name, "nanoseconds must be a whole number".to_owned(), span, report));
            }
            _ => return Err(wrong(name, required("duration", &value), span, report)),
        };
        match u64::try_from(nanoseconds) {
            Ok(nanoseconds) => Ok(Some(Spanned { value: Duration::from_nanos(nanoseconds), span })),
            Err(_) => {
                let detail = format!("\"{name}\" must not be negative.");
                Err(report.error(OUT_OF_RANGE, span, detail))
            }
        }
    }
}

/// The place of a block's type and labels.
pub(crate) fn header(block: &Block) -> Span {
    let start = span(&block.ident);
    let end = block.labels.last().map_or(start.end, |label| span(label).end);
    start.start..end
}

/// A block as messages name it: `task "python"`.
pub(crate) fn title(block: &Block) -> String {
    let labels = block.labels.iter().map(|label| format!(" \"{}\"", label.as_str()));
    labels.fold(block.ident.as_str().to_owned(), |title, label| title + &label)
}

/// Reports a value of a type that its argument cannot take.
pub(crate) fn wrong(name: &str, why: String, span: Span, report: &mut Report<'_>) -> Reported {
    let detail = format!("Inappropriate value for attribute \"{name}\": {why}.");
    report.error(WRONG_TYPE, span, detail)
}

pub(crate) fn required(wanted: &str, value: &Value) -> String {
    format!("{wanted} required, but have {}", type_name(value))
}

/// Reports a name that is there twice.
pub(crate) fn duplicate(name: &str, place: Span, before: &Span, report: &mut Report<'_>) {
    let detail = format!(
        "Only one \"{name}\" is allowed here. The previous definition was at {}.",
        report.place(before)
    );
    let summary = format!("Duplicate {name} block");
    report.add(Diagnostic::new(DUPLICATE_BLOCK, place, detail).summary(summary));
}

fn unknown(
    code: Code,
    place: Span,
    mut detail: String,
    nearest: Option<&str>,
    report: &mut Report<'_>,
) {
    if let Some(name) = nearest {
        detail += &format!(" Did you mean \"{name}\"?");
    }
    let mut diagnostic = Diagnostic::new(code, place, detail);
    diagnostic.fix = nearest.map(str::to_owned);
    report.add(diagnostic);
}

fn unsuitable(
    name: &str,
    text: &str,
    error: &duration::Error,
    span: Span,
    report: &mut Report<'_>,
) -> Reported {
    let detail = format!("The duration of \"{name}\" cannot be read: {error}.");
    let diagnostic = Diagnostic::new(INVALID_DURATION, span, detail);
    report.add(match error {
        duration::Error::MissingUnit => diagnostic.fix(format!("\"{text}s\"")),
        _ => diagnostic,
    })
}
