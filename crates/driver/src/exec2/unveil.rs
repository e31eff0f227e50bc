//! An `unveil` entry: letters, a colon, a path.
use std::path::PathBuf;

use sandbox::spec::Access;

/// One entry, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it is written.
    pub text: String,
    /// What the letters grant.
    pub access: Access,
    /// As it is written: possibly relative to the task directory.
    pub path: PathBuf,
}

impl Entry {
    /// Splits at the last colon, as upstream does: a path cannot hold one.
    ///
    /// # Errors
    /// In upstream's words where it has some, with the way out.
    pub fn parse(text: &str) -> Result<Entry, String> {
        let Some((mode, path)) = text.rsplit_once(':') else {
            return Err(format!(
                "path {text:?} does not contain mode prefix: write \"r:{text}\" to read it"
            ));
        };
        if path.is_empty() {
            return Err(format!("unveil entry {text:?} names no path"));
        }
        let access = access(mode).ok_or_else(|| {
            format!("unveil entry {text:?} has the mode {mode:?}: it must be one or more of the letters r, w, x and c")
        })?;
        Ok(Entry {
            text: text.to_owned(),
            access,
            path: path.into(),
        })
    }

    /// Whether it changes what it names: only then is it made writable in the task's view of the host.
    pub(crate) fn writes(&self) -> bool {
        self.access.intersects(Access::WRITE | Access::CREATE)
    }
}

/// Any order, repeats allowed, lower case only.
fn access(mode: &str) -> Option<Access> {
    let letter = |letter| match letter {
        // Device ioctls came to Landlock later than the letters; a grant of the job or of the operator keeps them.
        'r' => Some(Access::READ | Access::IOCTL),
        'w' => Some(Access::WRITE | Access::IOCTL),
        'x' => Some(Access::EXECUTE),
        'c' => Some(Access::CREATE),
        _ => None,
    };
    let access = mode.chars().map(letter).collect::<Option<Vec<Access>>>()?;
    access.into_iter().reduce(|all, one| all | one)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn letters_come_in_any_order() {
        let all = Access::READ | Access::WRITE | Access::EXECUTE | Access::CREATE | Access::IOCTL;
        assert_eq!(Entry::parse("cxwrr:/a").unwrap().access, all);
        assert_eq!(Entry::parse("x:/a").unwrap().access, Access::EXECUTE);
        assert!(!Entry::parse("rx:/a").unwrap().writes());
        assert!(Entry::parse("c:/a").unwrap().writes());
    }

    #[test]
    fn mistakes_are_told_with_the_way_out() {
        let told = |text| Entry::parse(text).unwrap_err();
        assert_eq!(
            told("/etc/x"),
            "path \"/etc/x\" does not contain mode prefix: write \"r:/etc/x\" to read it"
        );
        for text in [":/x", "q:/x", "R:/x", "r w:/x", "r:/a:b:/c"] {
            assert!(told(text).contains("letters r, w, x and c"), "{text}");
        }
        assert_eq!(told("r:"), "unveil entry \"r:\" names no path");
    }
}
