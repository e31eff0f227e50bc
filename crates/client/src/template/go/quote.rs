//! Texts in quotes, as Go writes them.

pub(super) fn first_char(bytes: &[u8]) -> Option<(char, &[u8])> {
    let first = *bytes.first()?;
    let length = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    let known = bytes
        .get(..length)
        .and_then(|char| std::str::from_utf8(char).ok());
    match known.and_then(|text| text.chars().next()) {
        Some(c) => Some((c, &bytes[length..])),
        None => Some(('\u{fffd}', &bytes[1..])),
    }
}

/// A text in double quotes, with Go's escapes.
pub(super) fn quoted(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text;
    while let Some((c, behind)) = first_char(rest) {
        let taken = &rest[..rest.len() - behind.len()];
        if c == '\u{fffd}' && taken.len() == 1 {
            quoted += &format!("\\x{:02x}", taken[0]);
        } else {
            escape(c, '"', &mut quoted);
        }
        rest = behind;
    }
    quoted + "\""
}

pub(super) fn quoted_char(c: char) -> String {
    let mut quoted = String::from("'");
    escape(c, '\'', &mut quoted);
    quoted + "'"
}

pub(super) fn escape(c: char, quote: char, to: &mut String) {
    match c {
        '\\' => to.push_str("\\\\"),
        _ if c == quote => {
            to.push('\\');
            to.push(c);
        }
        '\u{7}' => to.push_str("\\a"),
        '\u{8}' => to.push_str("\\b"),
        '\u{c}' => to.push_str("\\f"),
        '\n' => to.push_str("\\n"),
        '\r' => to.push_str("\\r"),
        '\t' => to.push_str("\\t"),
        '\u{b}' => to.push_str("\\v"),
        _ if u32::from(c) < 0x20 || c == '\u{7f}' => *to += &format!("\\x{:02x}", u32::from(c)),
        _ if is_hidden(c) => *to += &format!("\\u{:04x}", u32::from(c)),
        _ => to.push(c),
    }
}

/// A quoted text with everything but ASCII escaped.
pub(super) fn ascii(quoted: &str) -> String {
    let escaped = quoted.chars().map(|c| match u32::from(c) {
        0..0x80 => c.to_string(),
        code @ 0x80..0x1_0000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    });
    escaped.collect()
}

/// What shows nothing of itself: control and format characters, and every space but the plain one.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}
