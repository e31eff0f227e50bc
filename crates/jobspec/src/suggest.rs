//! "Did you mean …?"

/// Finds the name that a mistyped one was most likely meant to be.
pub(crate) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // In a name of three letters two edits leave nothing to recognise.
    let most = if given.chars().count() <= 3 { 1 } else { 2 };
    let candidates = names.into_iter().map(|name| (distance(given, name), name));
    let near = candidates.filter(|&(distance, _)| distance <= most);
    near.min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// The Levenshtein distance in characters.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (from, to, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("comand", "command", 1),
            ("kitten", "sitting", 3),
            ("énv", "env", 1),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
            assert_eq!(distance(to, from), edits, "{to} {from}");
        }
    }

    #[test]
    fn the_nearest_name_is_suggested_and_only_a_near_one() {
        let names = ["cpu", "cores", "memory", "memory_max"];
        assert_eq!(nearest("memori", names), Some("memory"));
        assert_eq!(nearest("memorymax", names), Some("memory_max"));
        assert_eq!(nearest("cp", names), Some("cpu"));
        assert_eq!(nearest("ram", names), None);
        assert_eq!(nearest("", names), None);
    }
}
