//! Which controllers the kernel was built and started with: `/proc/cgroups`.
use std::path::Path;

use crate::{Error, file};

/// One line of `/proc/cgroups` (cgroups(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subsystem {
    /// As the kernel names it: `blkio` also where its v2 files are called `io`.
    pub name: String,
    /// Whether it was left on when the kernel was started (`cgroup_disable=`).
    pub enabled: bool,
}

/// All that this kernel knows; empty where there is no such file.
///
/// # Errors
/// The file cannot be read.
pub fn subsystems() -> Result<Vec<Subsystem>, Error> {
    let text = file::read(Path::new("/proc/cgroups"))?.unwrap_or_default();
    Ok(parse(&text))
}

/// Four columns: name, hierarchy, cgroups, enabled.
fn parse(text: &str) -> Vec<Subsystem> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let name = columns.next()?.to_owned();
            Some(Subsystem {
                name,
                enabled: columns.nth(2) == Some("1"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_says_whether_it_is_enabled() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nmemory\t0\t1\t0\n";
        let found: Vec<_> = parse(text)
            .into_iter()
            .map(|subsystem| (subsystem.name, subsystem.enabled))
            .collect();
        assert_eq!(
            found,
            [("cpu".to_owned(), true), ("memory".to_owned(), false)]
        );
    }
}
