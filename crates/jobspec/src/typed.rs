//! Arguments read by type, with the conversions that HCL makes.

use std::time::Duration;

use crate::codes::*;
use crate::convert::{of_plain, plain_noun, to_bool, to_number};
use crate::diagnostic::Diagnostic;
use crate::eval::{evaluate, span};
use crate::fields::Fields;
use crate::report::{Report, Reported};
use crate::{Span, Spanned, Value, duration};

impl Fields<'_> {
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
        match of_plain(&value) {
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
            let detail =
                format!("The argument \"{name}\" is required, but no definition was found.");
            report.error(MISSING_ARGUMENT, self.header(), detail)
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
        let Value::List(items) = &value else {
            return Err(wrong(
                name,
                required("list of string", &value),
                span,
                report,
            ));
        };
        let text = |item| of_plain(item).ok_or_else(|| required("string", item));
        let texts: Result<_, String> = items.iter().map(text).collect();
        match texts {
            Ok(value) => Ok(Some(Spanned { value, span })),
            Err(why) => Err(wrong(name, format!("in its list a {why}"), span, report)),
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
        match (to_number(&value.clone().into()), &value) {
            // Numbers are below 2^53, so that the conversion loses nothing.
            (Some(number), _) if number.fract() == 0.0 => Ok(Some(Spanned {
                value: number as i64,
                span,
            })),
            (Some(_), _) => Err(wrong(
                name,
                "value must be a whole number".to_owned(),
                span,
                report,
            )),
            (None, Value::String(_)) => {
                Err(wrong(name, "a number is required".to_owned(), span, report))
            }
            (None, _) => Err(wrong(name, required("number", &value), span, report)),
        }
    }

    pub(crate) fn flag(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Result<Option<Spanned<bool>>, Reported> {
        let Some(Spanned { value, span }) = self.value(name, report)? else {
            return Ok(None);
        };
        match to_bool(&value.clone().into()) {
            Some(value) => Ok(Some(Spanned { value, span })),
            None if matches!(value, Value::String(_)) => {
                Err(wrong(name, "a bool is required".to_owned(), span, report))
            }
            None => Err(wrong(name, required("bool", &value), span, report)),
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
                return Err(wrong(
                    name,
                    "nanoseconds must be a whole number".to_owned(),
                    span,
                    report,
                ));
            }
            _ => return Err(wrong(name, required("duration", &value), span, report)),
        };
        match u64::try_from(nanoseconds) {
            Ok(nanoseconds) => Ok(Some(Spanned {
                value: Duration::from_nanos(nanoseconds),
                span,
            })),
            Err(_) => {
                let detail = format!("\"{name}\" must not be negative.");
                Err(report.error(OUT_OF_RANGE, span, detail))
            }
        }
    }
}

/// Reports a value of a type that its argument cannot take.
pub(crate) fn wrong(name: &str, why: String, span: Span, report: &mut Report<'_>) -> Reported {
    let detail = format!("Inappropriate value for attribute \"{name}\": {why}.");
    report.error(WRONG_TYPE, span, detail)
}

pub(crate) fn required(wanted: &str, value: &Value) -> String {
    format!("{wanted} required, but have {}", plain_noun(value))
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
