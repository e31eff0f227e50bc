//! What a description of an `exec2` task needs to know of the host: where the entries lead, and which of the directories above the
//! task's own its user cannot pass.
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::{Config, Operator};
use crate::api::StartError;
use crate::lower::clean;
use crate::task_config::TaskConfig;
use crate::users::User;

/// Capabilities that pass any directory: dac_override, dac_read_search.
const PASSING: u64 = 1 << 1 | 1 << 2;

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// By path as it is granted; what is missing here leads nowhere, or lies where only the task looks.
    pub(crate) leads: BTreeMap<PathBuf, Lead>,
    /// Outermost ones only.
    pub(crate) closed: Vec<PathBuf>,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lead {
    /// Without links.
    pub(crate) real: PathBuf,
    pub(crate) is_directory: bool,
}

/// Looks at the host. What cannot be found is told when the task starts.
pub(crate) fn survey(
    task: &TaskConfig,
    user: &User,
    config: &Config,
    operator: &Operator,
) -> Result<Survey, StartError> {
    let layout = Layout::of(task)?;
    let entries = operator.unveil_paths.iter().chain(&config.unveil);
    let asked = entries
        .map(|entry| entry.path.as_path())
        .chain(config.work_dir.as_deref().map(Path::new))
        .map(|path| clean(&layout.inside.join(path)));
    // procfs is another one inside.
    let asked = asked.filter(|path| layout.own(path).is_none() && !path.starts_with("/proc"));
    let leads = asked
        .filter_map(|path| {
            let real = sandbox::real(&path).ok()?;
            let is_directory = real.is_dir();
            Some((path, Lead { real, is_directory }))
        })
        .collect();
    Ok(Survey {
        leads,
        closed: if config.granted.0 & PASSING == 0 {
            closed(&layout, user)
        } else {
            Vec::new()
        },
    })
}

impl Survey {
    /// Where a path leads.
    pub(crate) fn lead(&self, path: PathBuf) -> Lead {
        self.leads.get(&path).cloned().unwrap_or(Lead {
            real: path,
            is_directory: false,
        })
    }
}

/// The outermost directories on the way to the task's own that its user cannot pass.
fn closed(layout: &Layout, user: &User) -> Vec<PathBuf> {
    let mut closed: Vec<PathBuf> = [&layout.inside, &layout.alloc_inside]
        .into_iter()
        .filter_map(|own| {
            let above: Vec<_> = own.ancestors().skip(1).collect();
            let mut outermost = above.into_iter().rev();
            outermost
                .find(|path| !passes(path, user))
                .map(Path::to_owned)
        })
        // The root cannot be covered; without it nothing can be reached at all.
        .filter(|path| path != Path::new("/"))
        .collect();
    closed.dedup();
    closed
}

/// By the mode; a directory that is not there is in nobody's way.
fn passes(path: &Path, user: &User) -> bool {
    let Ok(metadata) = path.metadata() else {
        return true;
    };
    let shift = match (metadata.uid() == user.uid, metadata.gid() == user.gid) {
        (true, _) => 6,
        (false, true) => 3,
        (false, false) => 0,
    };
    metadata.mode() >> shift & 1 != 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::users::numbered;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_outermost_directory_that_a_user_cannot_pass_is_found() {
        let top = std::env::temp_dir().join(format!("encamp-survey-{}", std::process::id()));
        let inside = top.join("a/b/c");
        std::fs::create_dir_all(&inside).unwrap();
        let layout = Layout {
            task: inside.clone(),
            alloc: inside.join("alloc"),
            inside: inside.clone(),
            alloc_inside: inside.join("alloc"),
        };
        let close = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        let own = top.metadata().unwrap();
        let stranger = numbered(own.uid() + 12345, own.gid() + 12345);
        assert_eq!(closed(&layout, &stranger), Vec::<PathBuf>::new());
        close(&inside, 0o710);
        close(&top.join("a/b"), 0o700);
        close(&top.join("a"), 0o710);
        let outermost = closed(&layout, &stranger);
        let (owner, group) = (
            closed(&layout, &numbered(own.uid(), 1)),
            closed(&layout, &numbered(own.uid() + 12345, own.gid())),
        );
        std::fs::remove_dir_all(&top).unwrap();
        assert_eq!(outermost, [top.join("a")]);
        assert_eq!(owner, Vec::<PathBuf>::new());
        assert_eq!(group, [top.join("a/b")]);
    }
}
