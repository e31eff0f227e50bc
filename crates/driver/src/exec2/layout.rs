//! Where an `exec2` task lies on the host, and where it sees itself.
use std::path::{Path, PathBuf};

use crate::api::StartError;
use crate::lower::{self, clean};
use crate::task_config::TaskConfig;

/// Nomad's client binds the task directory to `<alloc mounts>/<alloc>-<task>` and names that one in the environment; the driver
/// makes the same binds in the task's own view, since the client's are gone after a reboot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The task directory on the host.
    pub(crate) task: PathBuf,
    /// The allocation's shared directory on the host.
    pub(crate) alloc: PathBuf,
    /// The task directory as the task sees it.
    pub(crate) inside: PathBuf,
    /// The shared directory as the task sees it.
    pub(crate) alloc_inside: PathBuf,
}

impl Layout {
    /// From the environment that the client made.
    pub(crate) fn of(task: &TaskConfig) -> Result<Layout, StartError> {
        let at = lower::directories(task)?;
        let inside = inside(task, &at.task)?;
        let alloc_inside = if inside == at.task {
            at.alloc.clone()
        } else {
            inside.join("alloc")
        };
        Ok(Layout {
            task: at.task,
            alloc: at.alloc,
            inside,
            alloc_inside,
        })
    }

    /// Where on the host a path lies that the task sees below its own directories.
    pub(crate) fn own(&self, path: &Path) -> Option<PathBuf> {
        let under = |inside: &Path, outside: &Path| {
            path.strip_prefix(inside)
                .ok()
                .map(|rest| join(outside, rest))
        };
        under(&self.alloc_inside, &self.alloc).or_else(|| under(&self.inside, &self.task))
    }
}

/// Without the slash that joining nothing would leave.
fn join(directory: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        directory.to_owned()
    } else {
        directory.join(rest)
    }
}

fn inside(task: &TaskConfig, task_dir: &Path) -> Result<PathBuf, StartError> {
    let Some(local) = task.env.get("NOMAD_TASK_DIR") else {
        return Ok(task_dir.to_owned());
    };
    let local = Path::new(local);
    let inside = local
        .parent()
        .filter(|_| local.is_absolute() && clean(local) == local && local.ends_with("local"));
    inside.filter(|inside| *inside == task_dir || belongs(inside, task)).map(Path::to_owned).ok_or_else(|| {
        let message = format!("NOMAD_TASK_DIR is {local:?}, which is not this task's directory; a job must not set it");
        lower::value("env", message)
    })
}

/// `<alloc>-<task>`: a job's `env {}` may name any directory, and the one named here is bound over.
fn belongs(inside: &Path, task: &TaskConfig) -> bool {
    let alloc = task
        .alloc_dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    inside
        .file_name()
        .is_some_and(|name| name.to_string_lossy() == format!("{alloc}-{}", task.name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn layout(task_dir: Option<&str>) -> Result<Layout, StartError> {
        let env = task_dir
            .map(|path| ("NOMAD_TASK_DIR".to_owned(), path.to_owned()))
            .into_iter()
            .collect();
        Layout::of(&TaskConfig {
            name: "web".into(),
            alloc_dir: "/data/alloc/1234".into(),
            env,
            ..TaskConfig::default()
        })
    }

    #[test]
    fn the_task_sees_itself_where_the_client_says() {
        let layout = layout(Some("/mounts/1234-web/local")).unwrap();
        assert_eq!(layout.inside, Path::new("/mounts/1234-web"));
        assert_eq!(
            layout.own(Path::new("/mounts/1234-web/local/x")),
            Some("/data/alloc/1234/web/local/x".into())
        );
        assert_eq!(
            layout.own(Path::new("/mounts/1234-web/alloc")),
            Some("/data/alloc/1234/alloc".into())
        );
        assert_eq!(
            layout.own(Path::new("/mounts/1234-web")),
            Some("/data/alloc/1234/web".into())
        );
        assert_eq!(layout.own(Path::new("/etc")), None);
    }

    #[test]
    fn without_a_word_it_sees_itself_where_it_is() {
        let layout = layout(None).unwrap();
        assert_eq!(
            (layout.inside, layout.alloc_inside),
            (
                "/data/alloc/1234/web".into(),
                "/data/alloc/1234/alloc".into()
            )
        );
    }

    #[test]
    fn a_job_cannot_have_another_directory_bound_over() {
        for path in [
            "/etc/local",
            "/local",
            "/mounts/1234-web",
            "mounts/1234-web/local",
            "/mounts/x/../1234-web/local",
            "/mounts/9-web/local",
        ] {
            assert!(layout(Some(path)).is_err(), "{path}");
        }
    }
}
