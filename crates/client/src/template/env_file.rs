//! Files of variables, in the syntax that Nomad reads them: `KEY=value` lines, with quotes and comments.
use std::collections::BTreeMap;

/// Reads a file.
pub(crate) fn parse(text: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let pair = pair(line.trim());
        let pair = pair.map_err(|why| format!("error on line {}: {why}", index + 1))?;
        variables.extend(pair);
    }
    Ok(variables)
}

fn pair(line: &str) -> Result<Option<(String, String)>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').ok_or("missing =")?;
    let name = name.trim();
    let name = match name.strip_prefix("export ") {
        Some(name) if !name.is_empty() => name,
        _ => name,
    };
    check_name(name)?;
    Ok(Some((name.to_owned(), value_of(value.trim())?)))
}

fn check_name(name: &str) -> Result<(), String> {
    let Some(first) = name.chars().next() else {
        return Err("empty key".to_owned());
    };
    if !first.is_ascii_alphabetic() && first != '_' {
        return Err(format!("key must start with [A-Za-z_] but found {first:?}"));
    }
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    match name.chars().find(|c| !is_part(c)) {
        Some(c) => Err(format!(
            "key characters must be [A-Za-z0-9/_.] but found {c:?}"
        )),
        None => Ok(()),
    }
}

/// A value: quotes may open and close anywhere, and a `#` outside them begins a comment.
fn value_of(written: &str) -> Result<String, String> {
    let mut value = String::new();
    // What stands behind it is space in front of a comment.
    let mut significant = 0;
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        if u32::from(c) < 0x20 && c != '\t' {
            return Err(format!(
                "0x{:02x} is an invalid value character",
                u32::from(c)
            ));
        }
        rest = match c {
            '#' => {
                value.truncate(significant);
                return Ok(value);
            }
            '"' => double(behind, &mut value)?,
            '\'' => {
                let (inner, behind) = behind.split_once('\'').ok_or("unmatched '")?;
                value += inner;
                behind
            }
            c => {
                value.push(c);
                behind
            }
        };
        if !matches!(c, ' ' | '\t') {
            significant = value.len();
        }
    }
    Ok(value)
}

/// A text in double quotes, with the escapes of JSON; gives back what is behind it.
fn double<'t>(text: &'t str, value: &mut String) -> Result<&'t str, String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(chars.as_str()),
            '\\' => {
                let escape = chars.next().ok_or("incomplete escape sequence")?;
                match escape {
                    '"' | '\\' | '/' => value.push(escape),
                    'b' => value.push('\u{8}'),
                    'f' => value.push('\u{c}'),
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    'u' => {
                        let (c, rest) = unicode(chars.as_str())?;
                        value.push(c);
                        chars = rest.chars();
                    }
                    other => {
                        return Err(format!("invalid escape sequence: {:?}", other.to_string()));
                    }
                }
            }
            c if u32::from(c) < 0x20 => {
                return Err(format!(
                    "0x{:02x} is an invalid value character",
                    u32::from(c)
                ));
            }
            c => value.push(c),
        }
    }
    Err("unmatched \"".to_owned())
}

fn unicode(text: &str) -> Result<(char, &str), String> {
    let (unit, rest) = hex(text)?;
    if let Some(c) = char::from_u32(unit) {
        return Ok((c, rest));
    }
    let pair = rest.strip_prefix("\\u");
    let (second, rest) = hex(pair.ok_or("incomplete Unicode surrogate pair")?)?;
    let units = [unit, second].map(|unit| u16::try_from(unit).unwrap_or(0));
    let c = char::decode_utf16(units).next().and_then(Result::ok);
    Ok((c.unwrap_or('\u{fffd}'), rest))
}

fn hex(text: &str) -> Result<(u32, &str), String> {
    let digits = text.get(..4).ok_or("incomplete hex sequence")?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("invalid hex character in {digits:?}"));
    }
    let unit = u32::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
    Ok((unit, &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn value(line: &str) -> Result<String, String> {
        parse(line.as_bytes()).map(|all| all.into_values().next().unwrap_or_default())
    }

    #[test]
    fn lines_are_read_as_nomad_reads_them() {
        for (line, expected) in [
            ("A=b", "b"),
            ("A = b c # d", "b c"),
            ("export A=b", "b"),
            ("A='b # $c' # d", "b # $c"),
            ("A=\"b\\n\\\"\\u00e9\\ud83d\\ude00\"", "b\n\"é😀"),
            ("A=b\"c\"'d'", "bcd"),
            ("A=", ""),
            ("A=\"\" # x", ""),
            ("A=b=c", "b=c"),
            ("A=é # x", "é"),
            ("# A=b", ""),
        ] {
            assert_eq!(value(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn other_lines_are_refused_with_their_number() {
        for (line, expected) in [
            ("A", "error on line 1: missing ="),
            ("=b", "error on line 1: empty key"),
            (
                "\n1A=b",
                "error on line 2: key must start with [A-Za-z_] but found '1'",
            ),
            (
                "A-B=b",
                "error on line 1: key characters must be [A-Za-z0-9/_.] but found '-'",
            ),
            ("A=\"b", "error on line 1: unmatched \""),
            ("A='b", "error on line 1: unmatched '"),
            (
                "A=\"\\q\"",
                "error on line 1: invalid escape sequence: \"q\"",
            ),
            ("A=\"\\u12\"", "error on line 1: incomplete hex sequence"),
        ] {
            assert_eq!(value(line), Err(expected.to_owned()), "{line}");
        }
    }
}
