//! Sets of processors in the kernel's list format (cpuset(7), "List format").
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Far above `CONFIG_NR_CPUS` of any kernel; keeps a hostile range from filling the memory.
const HIGHEST: u32 = 65_535;

/// Logical processors by number. Reads and prints `0-3,8`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this one is in it.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// Upwards.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &CpuSet) -> CpuSet {
        CpuSet(&self.0 | &other.0)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn difference(&self, other: &CpuSet) -> CpuSet {
        CpuSet(&self.0 - &other.0)
    }

    /// Whether all of it is in the other.
    pub fn is_subset(&self, other: &CpuSet) -> bool {
        self.0.is_subset(&other.0)
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> CpuSet {
        CpuSet(cpus.into_iter().collect())
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last == first {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl FromStr for CpuSet {
    type Err = Error;

    /// Blanks around the list, as the kernel's newline, and an empty list are fine.
    fn from_str(text: &str) -> Result<CpuSet, Error> {
        let mut cpus = CpuSet::default();
        let parts = text.trim().split(',').filter(|_| !text.trim().is_empty());
        for part in parts {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first, text)?, number(last, text)?);
            if first > last {
                return Err(unreadable(text, format!("{part} runs backwards")));
            }
            cpus.0.extend(first..=last);
        }
        Ok(cpus)
    }
}

fn number(digits: &str, text: &str) -> Result<u32, Error> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| *number <= HIGHEST);
    number
        .filter(|_| plain)
        .ok_or_else(|| unreadable(text, format!("{digits:?} is no number of a processor")))
}

fn unreadable(list: &str, reason: String) -> Error {
    Error::CpuList {
        list: list.trim().to_owned(),
        reason,
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;

    fn set(text: &str) -> CpuSet {
        text.parse().unwrap()
    }

    #[test]
    fn lists_are_read_and_printed_as_the_kernel_does() {
        let known = [
            ("", "", 0),
            ("\n", "", 0),
            ("0", "0", 1),
            ("0-3,8\n", "0-3,8", 5),
            ("2,3", "2-3", 2),
            ("8,0-1,1,2", "0-2,8", 4),
            ("5-5", "5", 1),
            ("65535", "65535", 1),
        ];
        for (text, printed, count) in known {
            assert_eq!(set(text).to_string(), printed, "{text:?}");
            assert_eq!(set(text).len(), count, "{text:?}");
            assert_eq!(set(printed), set(text));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let bad = [
            ",",
            "1,",
            "a",
            "-1",
            "1-",
            "3-1",
            "+1",
            "1 2",
            "0x1",
            "1-2-3",
            "65536",
            "0-4294967295",
            "99999999999",
            "0-10:2/4",
            "all",
        ];
        for text in bad {
            let error = text.parse::<CpuSet>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{text:?} is no list of processors")),
                "{error}"
            );
        }
    }

    #[test]
    fn sets_are_joined_and_taken_apart() {
        assert_eq!(set("0-1").union(&set("1,4")), set("0-1,4"));
        assert_eq!(set("0-3").difference(&set("1-2,9")), set("0,3"));
        assert!(set("1").is_subset(&set("0-1")) && !set("2").is_subset(&set("0-1")));
        assert!(set("2").contains(2) && set("").is_empty());
    }
}
