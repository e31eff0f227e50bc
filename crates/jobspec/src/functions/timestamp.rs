//! Points in time as RFC 3339 writes them, strictly: `2018-01-02T23:12:01Z`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A point in time, with the offset it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// What the clocks there show.
    pub(super) clock: DateTime,
    /// Seconds east of Greenwich.
    pub(super) offset: i32,
}

/// Reads a timestamp.
pub(super) fn parse(text: &str) -> Result<Moment, String> {
    let mut rest = Rest(text);
    let read = |rest: &mut Rest<'_>| -> Result<Moment, String> {
        let year = rest.number(4, "year", 0..=9999)?;
        rest.sign('-')?;
        let month = rest.number(2, "month", 1..=12)?;
        rest.sign('-')?;
        let day = rest.number(2, "day of month", 1..=31)?;
        if !rest.take('T') {
            return Err("missing required time introducer 'T'".to_owned());
        }
        let hour = rest.number(2, "hour", 0..=23)?;
        rest.sign(':')?;
        let minute = rest.number(2, "minute", 0..=59)?;
        rest.sign(':')?;
        let second = rest.number(2, "second", 0..=59)?;
        let nanosecond = rest.fraction();
        let offset = rest.offset()?;
        if !rest.0.is_empty() {
            return Err(format!("extra text: {:?}", rest.0));
        }
        let small = |number: i32| i8::try_from(number).unwrap_or_default();
        let year = i16::try_from(year).unwrap_or_default();
        let clock = DateTime::new(
            year,
            small(month),
            small(day),
            small(hour),
            small(minute),
            small(second),
            nanosecond,
        );
        let clock = clock.map_err(|_| "day out of range".to_owned())?;
        Ok(Moment { clock, offset })
    };
    read(&mut rest).map_err(|why| format!("not a valid RFC3339 timestamp: {why}"))
}

/// What is still to be read.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    fn number(
        &mut self,
        digits: usize,
        what: &str,
        range: std::ops::RangeInclusive<i32>,
    ) -> Result<i32, String> {
        if self.0.is_empty() {
            return Err(format!("end of string before {what}"));
        }
        let given = self
            .0
            .get(..digits)
            .filter(|given| given.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(given) = given else {
            return Err(format!("cannot use {:?} as {what}", self.0));
        };
        let number: i32 = given.parse().unwrap_or_default();
        if !range.contains(&number) {
            return Err(match what {
                "hour" => "hour must be between 0 and 23 inclusive".to_owned(),
                _ => format!("{what} out of range"),
            });
        }
        self.0 = &self.0[digits..];
        Ok(number)
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn sign(&mut self, wanted: char) -> Result<(), String> {
        let wanted_text = wanted.to_string();
        if self.take(wanted) {
            Ok(())
        } else if self.0.is_empty() {
            Err(format!("end of string where {wanted_text:?} is expected"))
        } else {
            Err(format!(
                "found {:?} where {wanted_text:?} is expected",
                self.0
            ))
        }
    }

    /// Nanoseconds; what is smaller is cut.
    fn fraction(&mut self) -> i32 {
        let Some(rest) = self
            .0
            .strip_prefix('.')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        else {
            return 0;
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let digits: String = rest[..end]
            .chars()
            .chain("000000000".chars())
            .take(9)
            .collect();
        self.0 = &rest[end..];
        digits.parse().unwrap_or_default()
    }

    fn offset(&mut self) -> Result<i32, String> {
        if self.take('Z') {
            return Ok(0);
        }
        let before = self.0;
        let sign = if self.take('-') { -1 } else { 1 };
        if sign == 1 && !self.take('+') {
            let what = "UTC offset";
            return Err(match before {
                "" => format!("end of string before {what}"),
                _ => format!("cannot use {before:?} as {what}"),
            });
        }
        let hours = self.number(2, "UTC offset", 0..=24)?;
        self.sign(':')?;
        let minutes = self.number(2, "UTC offset", 0..=59)?;
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}

impl Moment {
    /// The same clock later, or earlier; `None` outside the years 0 to 9999.
    pub(super) fn plus(self, nanoseconds: i64) -> Option<Self> {
        // Counted as if these were the clocks of Greenwich, so that no offset is in the way.
        let there = Offset::UTC.to_timestamp(self.clock).ok()?;
        let later =
            Timestamp::from_nanosecond(there.as_nanosecond().checked_add(i128::from(nanoseconds))?)
                .ok()?;
        let clock = Offset::UTC.to_datetime(later);
        (0..=9999)
            .contains(&clock.year())
            .then_some(Moment { clock, ..self })
    }

    /// `+02:30`, or without the colon.
    pub(super) fn offset(self, colon: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs() / 60;
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    }

    /// As it was read, without fractions of a second.
    pub(super) fn rfc3339(self) -> String {
        let offset = if self.offset == 0 {
            "Z".to_owned()
        } else {
            self.offset(":")
        };
        format!("{}{offset}", self.clock.strftime("%Y-%m-%dT%H:%M:%S"))
    }
}
