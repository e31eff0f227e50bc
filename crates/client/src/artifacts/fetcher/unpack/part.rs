//! The part of an archive behind `//`: a path in which `*` and `?` stand for what they do in a shell.
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::Problem;

/// Moves what is wanted out of the whole: a directory's content, or a file by its name.
pub(super) fn take(whole: &Path, wanted: &str, out: &Path) -> Result<(), Problem> {
    let found = find(whole, wanted)?;
    if found.is_dir() {
        // Of a directory that its owner cannot write to nothing could be moved.
        return fs::rename(found, out).map_err(Problem::write);
    }
    fs::create_dir(out).map_err(Problem::write)?;
    match found.file_name() {
        Some(name) => fs::rename(&found, out.join(name)).map_err(Problem::write),
        None => Ok(()),
    }
}

fn find(whole: &Path, wanted: &str) -> Result<PathBuf, Problem> {
    let mut found = vec![whole.to_owned()];
    for part in Path::new(wanted).components() {
        if let Component::Normal(pattern) = part {
            found = found
                .iter()
                .flat_map(|directory| matches(directory, pattern))
                .collect();
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Problem::Refused(format!("subdir {wanted:?} not found"))),
        _ => Err(Problem::Refused(format!(
            "subdir {wanted:?} matches multiple paths"
        ))),
    }
}

fn matches(directory: &Path, pattern: &OsStr) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| fits(pattern.as_bytes(), entry.file_name().as_bytes()))
        .map(|entry| entry.path())
        .collect()
}

/// Goes back to the last `*` where a name does not fit, and lets it take one more byte.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut byte) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while byte < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                back = Some((at, byte));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == name[byte] => {
                at += 1;
                byte += 1;
            }
            _ => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    (at, byte) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fit) in [
            ("app-*", "app-1.2", true),
            ("*", "x", true),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxab", true),
            ("*a*b", "xaxac", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                fit,
                "{pattern} {name}"
            );
        }
    }
}
