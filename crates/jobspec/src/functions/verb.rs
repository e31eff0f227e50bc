//! The verbs of `format`: `%05.2f`, `%[2]s`.

use std::str::Chars;

/// One `%…` of a format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verb {
    /// As it is written.
    pub(super) raw: String,
    /// Where it begins, in bytes.
    pub(super) offset: usize,
    /// Which argument, counted from 1.
    pub(super) argument: usize,
    pub(super) letter: char,
    pub(super) flags: Flags,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// What stands before width and precision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a character that is there or not"
)]
pub(super) struct Flags {
    pub(super) zero: bool,
    pub(super) sharp: bool,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) space: bool,
}

/// What a format is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(char),
    Verb(Verb),
}

/// Takes a format apart, piece by piece.
pub(super) struct Parts<'f> {
    format: &'f str,
    rest: Chars<'f>,
    /// The argument of a verb that names none.
    next: usize,
}

/// What `std::fmt` can be given for a width or a precision: beyond it, it panics.
const MOST: usize = u16::MAX as usize;

impl<'f> Parts<'f> {
    pub(super) fn of(format: &'f str) -> Self {
        Parts {
            format,
            rest: format.chars(),
            next: 1,
        }
    }

    fn at(&self) -> usize {
        self.format.len() - self.rest.as_str().len()
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        if is {
            self.rest.next();
        }
        is
    }

    /// The next part; nothing at the end.
    pub(super) fn next_part(&mut self) -> Result<Option<Part>, String> {
        let offset = self.at();
        match self.rest.next() {
            None => Ok(None),
            Some('%') if self.take_if('%') => Ok(Some(Part::Literal('%'))),
            Some('%') => self.verb(offset).map(|verb| Some(Part::Verb(verb))),
            Some(c) => Ok(Some(Part::Literal(c))),
        }
    }

    fn verb(&mut self, offset: usize) -> Result<Verb, String> {
        let mut verb = Verb {
            offset,
            argument: self.next,
            flags: self.flags(),
            ..Verb::default()
        };
        if matches!(self.peek(), Some('1'..='9')) {
            verb.width = Some(self.digits()?);
        }
        if self.take_if('.') {
            verb.precision = Some(self.digits()?);
        }
        if self.take_if('[') {
            if !matches!(self.peek(), Some('1'..='9')) {
                return Err(self.unrecognized());
            }
            verb.argument = self.digits()?;
            if !self.take_if(']') {
                return Err(self.unrecognized());
            }
        }
        match self.peek() {
            Some(letter) if letter.is_ascii_alphabetic() => verb.letter = letter,
            _ => return Err(self.unrecognized()),
        }
        self.rest.next();
        verb.raw = self.format[offset..self.at()].to_owned();
        self.next = verb.argument + 1;
        Ok(verb)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.peek() {
                Some('0') => flags.zero = true,
                Some('#') => flags.sharp = true,
                Some('-') => flags.minus = true,
                Some('+') => flags.plus = true,
                Some(' ') => flags.space = true,
                _ => return flags,
            }
            self.rest.next();
        }
    }

    fn digits(&mut self) -> Result<usize, String> {
        let mut number = 0_usize;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            number = number * 10 + digit as usize;
            if number > MOST {
                return Err(format!(
                    "a width or precision at offset {} is more than {MOST}",
                    self.at()
                ));
            }
        }
        Ok(number)
    }

    fn unrecognized(&self) -> String {
        match self.peek() {
            Some(c) => format!(
                "unrecognized format character {c:?} at offset {}",
                self.at()
            ),
            None => format!("invalid format string starting at offset {}", self.at()),
        }
    }
}
