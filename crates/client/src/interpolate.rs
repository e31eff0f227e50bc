//! `${name}` in a text that is no expression: `env` and `meta`. What is not known stays as it is.

/// Linux takes no longer string for a new program (`MAX_ARG_STRLEN`, execve(2)). Values that refer to each other could
/// double at each step: what is longer than this is not made longer.
const MAX_BYTES: usize = 128 << 10;

/// Replaces each known name, once: what comes in is not looked at again.
pub(crate) fn replace<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        replaced += before;
        let known = name(after).filter(|_| replaced.len() <= MAX_BYTES);
        match known.and_then(|name| Some((name, value(name)?))) {
            Some((name, value)) => {
                replaced += value;
                rest = &after[name.len() + 1..];
            }
            None => {
                replaced += "${";
                rest = after;
            }
        }
    }
    replaced + rest
}

/// The name in front of a closing brace.
fn name(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let end = text.find(|c| !is_part(c))?;
    (end > 0 && text[end..].starts_with('}')).then_some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> String {
        replace(text, |name| match name {
            "A" => Some("a"),
            "attr.x-y" => Some("xy"),
            "SELF" => Some("${SELF}${A}"),
            "EMPTY" => Some(""),
            _ => None,
        })
    }

    #[test]
    fn known_names_are_replaced_and_others_stay() {
        for (text, expected) in [
            ("", ""),
            ("plain $A ${", "plain $A ${"),
            ("${A}", "a"),
            ("x${A}${A}y", "xaay"),
            ("${attr.x-y}/${EMPTY}", "xy/"),
            ("${B} ${A} ${C}", "${B} a ${C}"),
            ("${A:-x} ${} ${ A } ${A", "${A:-x} ${} ${ A } ${A"),
            ("$${A}", "$a"),
            ("${${A}}", "${a}"),
            ("${é}${A}", "${é}a"),
        ] {
            assert_eq!(replaced(text), expected, "{text}");
        }
    }

    #[test]
    fn what_comes_in_is_not_looked_at_again() {
        assert_eq!(replaced("${SELF}"), "${SELF}${A}");
    }

    #[test]
    fn a_value_that_no_program_could_get_is_not_made_longer() {
        let long = "x".repeat(MAX_BYTES + 1);
        let text = "${A}".repeat(1000);
        let replaced = replace(&text, |_| Some(long.as_str()));
        assert_eq!(replaced.len(), long.len() + 999 * "${A}".len());
    }
}
