//! `restart`: a task's policy over its group's over the job type's.

use std::time::Duration;

use hcl_edit::structure::Block;

use super::no_labels;
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::RESTART;
use crate::suggest::nearest;
use crate::{JobType, Restart, RestartMode, Span, Spanned, duration};

const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// What the file says of a policy; the rest comes from the job's type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    attempts: Option<Spanned<u32>>,
    interval: Option<Spanned<Duration>>,
    delay: Option<Spanned<Duration>>,
    mode: Option<Spanned<RestartMode>>,
    render_templates: Option<Spanned<bool>>,
}

impl Policy {
    /// Reads a block over the policy from above, and checks what comes out.
    pub(crate) fn of(
        block: Option<&Block>,
        above: &Policy,
        kind: JobType,
        report: &mut Report<'_>,
    ) -> Result<Self, Reported> {
        let Some(block) = block else {
            return Ok(above.clone());
        };
        report.inside("restart".to_owned(), |report| {
            no_labels(block, report);
            let own = Self::read(
                &Fields::of(&block.body, header(block), &RESTART, report),
                report,
            )?;
            own.check(above, kind, header(block), report)
        })
    }

    fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Self, Reported> {
        let attempts = attempts(fields, report);
        let interval = fields.duration("interval", report);
        let delay = fields.duration("delay", report);
        let mode = mode(fields, report);
        let render_templates = fields.flag("render_templates", report);
        Ok(Self {
            attempts: attempts?,
            interval: interval?,
            delay: delay?,
            mode: mode?,
            render_templates: render_templates?,
        })
    }

    fn over(&self, above: &Policy) -> Self {
        Self {
            attempts: self.attempts.clone().or_else(|| above.attempts.clone()),
            interval: self.interval.clone().or_else(|| above.interval.clone()),
            delay: self.delay.clone().or_else(|| above.delay.clone()),
            mode: self.mode.clone().or_else(|| above.mode.clone()),
            render_templates: self
                .render_templates
                .clone()
                .or_else(|| above.render_templates.clone()),
        }
    }

    /// The policy with Nomad's defaults for the job's type.
    pub(crate) fn complete(&self, kind: JobType) -> Restart {
        let (attempts, hours) = match kind {
            JobType::Service | JobType::System => (2, 0.5),
            JobType::Batch | JobType::Sysbatch => (3, 24.0),
        };
        Restart {
            attempts: value(&self.attempts, attempts),
            interval: value(&self.interval, Duration::from_secs_f64(hours * 3600.0)),
            delay: value(&self.delay, Duration::from_secs(15)),
            mode: value(&self.mode, RestartMode::Fail),
            render_templates: value(&self.render_templates, false),
        }
    }

    /// Merges with the policy from above; a mistake is reported where this block has a part in it.
    fn check(
        self,
        above: &Policy,
        kind: JobType,
        block: Span,
        report: &mut Report<'_>,
    ) -> Result<Self, Reported> {
        let merged = self.over(above);
        let restart = merged.complete(kind);
        let mut result = Ok(());
        if restart.attempts == 0 && restart.mode != RestartMode::Fail {
            let place = first([place(&self.mode), place(&self.attempts)], &block);
            let detail = "With 0 attempts the mode must be \"fail\": there is nothing to delay.";
            result = Err(report.error(INVALID_RESTART, place, detail));
        }
        if restart.interval < MIN_INTERVAL {
            let place = first([place(&self.interval), None], &block);
            let detail = format!(
                "The interval must be {} at least.",
                duration::shown(MIN_INTERVAL)
            );
            result = Err(report.error(INVALID_RESTART, place, detail));
        } else if restart.delay.as_nanos() * u128::from(restart.attempts)
            > restart.interval.as_nanos()
        {
            let place = first(
                [
                    place(&self.delay),
                    place(&self.interval).or(place(&self.attempts)),
                ],
                &block,
            );
            let detail = format!(
                "{} attempts with a delay of {} do not fit into an interval of {}.",
                restart.attempts,
                duration::shown(restart.delay),
                duration::shown(restart.interval)
            );
            result = Err(report.error(INVALID_RESTART, place, detail));
        }
        result.map(|()| merged)
    }
}

fn value<T: Clone>(given: &Option<Spanned<T>>, default: T) -> T {
    given.as_ref().map_or(default, |given| given.value.clone())
}

fn place<T>(given: &Option<Spanned<T>>) -> Option<Span> {
    given.as_ref().map(|given| given.span.clone())
}

fn first(places: [Option<Span>; 2], block: &Span) -> Span {
    places
        .into_iter()
        .flatten()
        .next()
        .unwrap_or_else(|| block.clone())
}

fn attempts(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<u32>>, Reported> {
    let Some(given) = fields.integer("attempts", report)? else {
        return Ok(None);
    };
    match u32::try_from(given.value) {
        Ok(value) => Ok(Some(Spanned {
            value,
            span: given.span,
        })),
        Err(_) => {
            let detail = format!("\"attempts\" must be from 0 to {}.", u32::MAX);
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
    }
}

fn mode(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<RestartMode>>, Reported> {
    let Some(text) = fields.text("mode", report)? else {
        return Ok(None);
    };
    let value = match text.value.as_str() {
        "fail" => RestartMode::Fail,
        "delay" => RestartMode::Delay,
        other => {
            let detail = format!("\"{other}\" is no restart mode; there are fail and delay.");
            let mut invalid = Diagnostic::new(INVALID_RESTART, text.span, detail);
            invalid.fix = nearest(other, ["fail", "delay"]).map(|mode| format!("\"{mode}\""));
            return Err(report.add(invalid));
        }
    };
    Ok(Some(Spanned {
        value,
        span: text.span,
    }))
}
