//! What Go's `fmt.Printf` makes of a format.
use super::number::{EXACT, digits_of, scientific, shortest};
use super::print::{Buffer, LARGE, print};
use super::quote::{ascii, first_char, is_hidden, quoted, quoted_char};
use super::value::Value;

/// Wider is a mistake to Go as well.
const MAX_WIDTH: usize = 1_000_000;

/// The flags, the width and the precision of one verb.
#[derive(Debug, Default, Clone)]
struct Form {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

struct Printer<'a> {
    values: &'a [Value],
    next: usize,
    /// Whether an index chose the next operand.
    reordered: bool,
    good_index: bool,
    /// Whether no index can follow any more: the rest was searched for its end in vain.
    no_more_indexes: bool,
    to: Buffer,
}

/// Formats values.
pub(crate) fn sprintf(format: &[u8], values: &[Value]) -> Result<Vec<u8>, String> {
    let mut printer = Printer {
        values,
        next: 0,
        reordered: false,
        good_index: true,
        no_more_indexes: false,
        to: Buffer::default(),
    };
    printer.all(format);
    printer.extra();
    printer.to.finish()
}

impl Printer<'_> {
    fn all(&mut self, format: &[u8]) {
        let mut rest = format;
        while !rest.is_empty() && !self.to.is_over() {
            let plain = rest.iter().position(|byte| *byte == b'%');
            let plain = plain.unwrap_or(rest.len());
            self.to.push(&rest[..plain]);
            rest = &rest[plain..];
            if let Some(behind) = rest.strip_prefix(b"%") {
                rest = self.directive(behind);
            }
        }
    }

    /// One verb with all before it; gives back what is behind it.
    fn directive<'f>(&mut self, format: &'f [u8]) -> &'f [u8] {
        self.good_index = true;
        let (mut form, mut rest) = flags(format);
        rest = self.index(rest);
        rest = self.width(rest, &mut form);
        rest = self.precision(rest, &mut form);
        rest = self.index(rest);
        let Some((verb, behind)) = first_char(rest) else {
            self.to.push("%!(NOVERB)");
            return &[];
        };
        match verb {
            '%' => self.to.push("%"),
            _ if !self.good_index => self.to.push(format!("%!{verb}(BADINDEX)")),
            _ => match self.values.get(self.next) {
                None => self.to.push(format!("%!{verb}(MISSING)")),
                Some(value) => {
                    self.next += 1;
                    // `%+v` asks for the names of fields, and there are none.
                    form.plus &= verb != 'v';
                    form.value(value, verb, &mut self.to);
                }
            },
        }
        behind
    }

    /// `[2]`.
    fn index<'f>(&mut self, format: &'f [u8]) -> &'f [u8] {
        if format.first() != Some(&b'[') {
            return format;
        }
        self.reordered = true;
        let end = (!self.no_more_indexes)
            .then(|| format.iter().position(|byte| *byte == b']'))
            .flatten();
        let Some(end) = end else {
            (self.good_index, self.no_more_indexes) = (false, true);
            return &format[1..];
        };
        let digits = std::str::from_utf8(&format[1..end]).unwrap_or_default();
        match digits.parse::<usize>() {
            Ok(number) if (1..=self.values.len()).contains(&number) => self.next = number - 1,
            _ => self.good_index = false,
        }
        &format[end + 1..]
    }

    fn width<'f>(&mut self, format: &'f [u8], form: &mut Form) -> &'f [u8] {
        if let Some(rest) = format.strip_prefix(b"*") {
            match self.star() {
                Some(width) => {
                    form.minus |= width < 0;
                    form.zero &= width >= 0;
                    form.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.to.push("%!(BADWIDTH)"),
            }
            return rest;
        }
        let (width, rest) = decimal(format);
        form.width = width;
        rest
    }

    fn precision<'f>(&mut self, format: &'f [u8], form: &mut Form) -> &'f [u8] {
        let Some(rest) = format.strip_prefix(b".") else {
            return format;
        };
        let rest = self.index(rest);
        if let Some(rest) = rest.strip_prefix(b"*") {
            match self.star() {
                Some(precision) if precision >= 0 => {
                    form.precision = usize::try_from(precision).ok();
                }
                Some(_) => {}
                None => self.to.push("%!(BADPREC)"),
            }
            return rest;
        }
        let (precision, rest) = decimal(rest);
        form.precision = Some(precision.unwrap_or(0));
        rest
    }

    /// A number that is an operand.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next);
        self.next += usize::from(value.is_some());
        match value {
            Some(Value::Int(number)) if number.unsigned_abs() <= MAX_WIDTH as u64 => Some(*number),
            _ => None,
        }
    }

    /// Operands that no verb took.
    fn extra(&mut self) {
        if self.reordered || self.next >= self.values.len() {
            return;
        }
        self.to.push("%!(EXTRA ");
        for (index, value) in self.values[self.next..].iter().enumerate() {
            if index > 0 {
                self.to.push(", ");
            }
            match value {
                Value::Missing | Value::Nil => self.to.push("<nil>"),
                value => {
                    self.to.push(value.type_name());
                    self.to.push("=");
                    print(value, &mut self.to);
                }
            }
        }
        self.to.push(")");
    }
}

fn flags(format: &[u8]) -> (Form, &[u8]) {
    let mut form = Form::default();
    for (index, byte) in format.iter().enumerate() {
        match byte {
            b'+' => form.plus = true,
            b'-' => form.minus = true,
            b'#' => form.sharp = true,
            b' ' => form.space = true,
            b'0' => form.zero = true,
            _ => return (form, &format[index..]),
        }
    }
    (form, &[])
}

fn decimal(format: &[u8]) -> (Option<usize>, &[u8]) {
    let digits = format.iter().take_while(|byte| byte.is_ascii_digit());
    let end = digits.count();
    let number = std::str::from_utf8(&format[..end]).ok();
    let number = number.and_then(|digits| digits.parse().ok());
    (number.filter(|number| *number <= MAX_WIDTH), &format[end..])
}

impl Form {
    fn value(&self, value: &Value, verb: char, to: &mut Buffer) {
        match (value, verb) {
            (_, 'T') => self.pad(go_type(value).as_bytes(), to),
            (Value::Missing | Value::Nil, 'v') => self.pad(b"<nil>", to),
            (Value::Missing | Value::Nil, _) => to.push(format!("%!{verb}(<nil>)")),
            (Value::Bool(value), 't' | 'v') => self.pad(value.to_string().as_bytes(), to),
            (Value::Int(number), _) => self.integer(i128::from(*number), value, verb, to),
            (Value::Uint(number), _) => self.integer(i128::from(*number), value, verb, to),
            (Value::Float(number), _) => self.float(*number, value, verb, to),
            (Value::Text(text), _) => self.text(text, value, verb, to),
            (Value::List(list), _) => {
                to.push(if self.sharp && verb == 'v' {
                    "[]interface {}{"
                } else {
                    "["
                });
                let apart = if self.sharp && verb == 'v' { ", " } else { " " };
                self.row(list.items.iter().map(|item| (None, item)), apart, verb, to);
                to.push(if self.sharp && verb == 'v' { "}" } else { "]" });
            }
            (Value::Map(map), _) => {
                to.push(if self.sharp && verb == 'v' {
                    "map[string]interface {}{"
                } else {
                    "map["
                });
                let apart = if self.sharp && verb == 'v' { ", " } else { " " };
                let entries = map.entries.iter().map(|(name, item)| (Some(name), item));
                self.row(entries, apart, verb, to);
                to.push(if self.sharp && verb == 'v' { "}" } else { "]" });
            }
            _ => bad(value, verb, to),
        }
    }

    fn row<'a>(
        &self,
        items: impl Iterator<Item = (Option<&'a String>, &'a Value)>,
        apart: &str,
        verb: char,
        to: &mut Buffer,
    ) {
        for (index, (name, item)) in items.enumerate() {
            if to.is_over() {
                return;
            }
            if index > 0 {
                to.push(apart);
            }
            if let Some(name) = name {
                self.value(&Value::text(name), verb, to);
                to.push(":");
            }
            self.value(item, verb, to);
        }
    }

    fn pad(&self, bytes: &[u8], to: &mut Buffer) {
        let length = String::from_utf8_lossy(bytes).chars().count();
        let missing = self.width.unwrap_or(0).saturating_sub(length);
        if self.minus {
            to.push(bytes);
            to.push(" ".repeat(missing));
        } else {
            to.push(if self.zero { "0" } else { " " }.repeat(missing));
            to.push(bytes);
        }
    }

    /// A number: zeros stand behind the sign.
    fn pad_number(&self, sign: &str, digits: &str, to: &mut Buffer) {
        let length = sign.len() + digits.chars().count();
        match self.width {
            Some(width) if self.zero && !self.minus && width > length => {
                to.push(sign);
                to.push("0".repeat(width - length));
                to.push(digits);
            }
            _ => {
                let spaces = Form {
                    zero: false,
                    ..self.clone()
                };
                spaces.pad(format!("{sign}{digits}").as_bytes(), to);
            }
        }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    fn integer(&self, number: i128, value: &Value, verb: char, to: &mut Buffer) {
        let size = number.unsigned_abs();
        let (prefix, digits) = match verb {
            'd' | 'v' => ("", size.to_string()),
            'b' => (if self.sharp { "0b" } else { "" }, format!("{size:b}")),
            'o' => (if self.sharp { "0" } else { "" }, format!("{size:o}")),
            'O' => ("0o", format!("{size:o}")),
            'x' => (if self.sharp { "0x" } else { "" }, format!("{size:x}")),
            'X' => (if self.sharp { "0X" } else { "" }, format!("{size:X}")),
            'c' => return self.pad(as_char(number).to_string().as_bytes(), to),
            'q' => return self.pad(quoted_char(as_char(number)).as_bytes(), to),
            'U' => return self.pad(format!("U+{size:04X}").as_bytes(), to),
            _ => return bad(value, verb, to),
        };
        let digits = match self.precision {
            Some(0) if number == 0 => return self.pad_spaces(to),
            Some(precision) => "0".repeat(precision.saturating_sub(digits.len())) + &digits,
            None => digits,
        };
        let sign = format!("{}{prefix}", self.sign(number < 0));
        let form = Form {
            // A precision says how many digits there are.
            zero: self.zero && self.precision.is_none(),
            ..self.clone()
        };
        form.pad_number(&sign, &digits, to);
    }

    fn pad_spaces(&self, to: &mut Buffer) {
        to.push(" ".repeat(self.width.unwrap_or(0)));
    }

    fn float(&self, number: f64, value: &Value, verb: char, to: &mut Buffer) {
        let size = number.abs();
        let digits = match verb {
            _ if !number.is_finite() => {
                let name = if number.is_nan() { "NaN" } else { "Inf" };
                let sign = if number.is_infinite() && number > 0.0 && verb == 'v' {
                    "+"
                } else {
                    self.sign(number < 0.0)
                };
                let form = Form {
                    zero: false,
                    ..self.clone()
                };
                return form.pad_number(sign, name, to);
            }
            'v' if self.precision.is_none() => shortest(size, LARGE),
            'g' | 'G' | 'v' => general(size, self.precision),
            'f' | 'F' => fixed(size, self.precision.unwrap_or(6)),
            'e' | 'E' => {
                let (digits, point) = digits_of(size, Some(self.precision.unwrap_or(6) + 1));
                let exponent = if size == 0.0 { 0 } else { point - 1 };
                scientific(&digits, exponent, 'e')
            }
            _ => return bad(value, verb, to),
        };
        let digits = if verb.is_ascii_uppercase() {
            digits.to_ascii_uppercase()
        } else {
            digits
        };
        self.pad_number(self.sign(number.is_sign_negative()), &digits, to);
    }

    fn text(&self, text: &[u8], value: &Value, verb: char, to: &mut Buffer) {
        let cut = match self.precision {
            Some(most) => cut(text, most),
            None => text,
        };
        let hex = |upper: bool| {
            let bytes = &text[..self.precision.unwrap_or(text.len()).min(text.len())];
            let apart = if self.space { " " } else { "" };
            let prefix = match (self.sharp, upper) {
                (false, _) => "",
                (true, false) => "0x",
                (true, true) => "0X",
            };
            let pairs: Vec<String> = bytes
                .iter()
                .map(|byte| {
                    if upper {
                        format!("{byte:02X}")
                    } else {
                        format!("{byte:02x}")
                    }
                })
                .collect();
            let joined = if self.space {
                pairs
                    .iter()
                    .map(|pair| format!("{prefix}{pair}"))
                    .collect::<Vec<_>>()
                    .join(apart)
            } else {
                format!("{prefix}{}", pairs.concat())
            };
            if bytes.is_empty() {
                String::new()
            } else {
                joined
            }
        };
        match verb {
            'v' if self.sharp => self.pad(quoted(text).as_bytes(), to),
            's' | 'v' => self.pad(cut, to),
            'q' if self.sharp && !cut.contains(&b'`') && printable(cut) => {
                self.pad(&[b"`", cut, b"`"].concat(), to);
            }
            'q' if self.plus => self.pad(ascii(&quoted(cut)).as_bytes(), to),
            'q' => self.pad(quoted(cut).as_bytes(), to),
            'x' => self.pad(hex(false).as_bytes(), to),
            'X' => self.pad(hex(true).as_bytes(), to),
            _ => bad(value, verb, to),
        }
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Missing | Value::Nil => "<nil>",
        value => value.type_name(),
    }
}

fn bad(value: &Value, verb: char, to: &mut Buffer) {
    to.push(format!("%!{verb}({}=", value.type_name()));
    print(value, to);
    to.push(")");
}

fn as_char(number: i128) -> char {
    u32::try_from(number)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or('\u{fffd}')
}

fn cut(text: &[u8], most: usize) -> &[u8] {
    let mut rest = text;
    for _ in 0..most {
        match first_char(rest) {
            Some((_, behind)) => rest = behind,
            None => return text,
        }
    }
    &text[..text.len() - rest.len()]
}

fn printable(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(|c| c == '\t' || !is_hidden(c)))
}

/// `%f`: zeros behind all that a float can have.
fn fixed(size: f64, precision: usize) -> String {
    let exact = precision.min(EXACT);
    format!("{size:.exact$}") + &"0".repeat(precision - exact)
}

/// `%g`: as many significant digits as asked for, zeros at the end left out.
fn general(size: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else {
        return shortest(size, LARGE);
    };
    let precision = precision.max(1);
    let (digits, point) = digits_of(size, Some(precision));
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return "0".to_owned();
    }
    let exponent = point - 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let mut most = i32::try_from(precision).unwrap_or(i32::MAX);
    if most > count && count >= point {
        most = count;
    }
    if exponent < -4 || exponent >= most {
        return scientific(digits, exponent, 'e');
    }
    let decimals = usize::try_from(count - point).unwrap_or(0);
    fixed(size, decimals)
}
