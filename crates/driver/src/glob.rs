//! Nomad's wildcard.

/// Whether a text is what a pattern describes, in which `*` stands for any characters.
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    // Each piece between stars is looked for behind the one before; an empty one is found at once.
    for piece in between.split('*') {
        match left.split_once(piece) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, wanted) in [
            ("PATH", "PATH", true),
            ("PATH", "PATHX", false),
            ("dc", "dc1", false),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("*", "dc1", true),
            ("**", "x", true),
            ("LC_*", "LC_", true),
            ("LC_*", "LC_TIME", true),
            ("LC_*", "XLC_A", false),
            ("*_TOKEN", "A_TOKEN", true),
            ("*_TOKEN", "A_TOKENS", false),
            ("d*1", "dc1", true),
            ("d*2", "dc1", false),
            ("dc1*1", "dc1", false),
            ("A*A", "A", false),
            ("A*A", "AA", true),
            ("A*B*C", "AxBxBxC", true),
            ("A*B*C", "AxC", false),
            ("d*c*1", "dcc11", true),
        ] {
            assert_eq!(glob(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
