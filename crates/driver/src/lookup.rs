//! Where on the host a path inside lies, for finding the command before there is an inside.
use std::path::{Path, PathBuf};

use sandbox::spec::{Candidate, Mount, Source, Unexecutable};

/// The candidate for a path inside, by the mounts that will be there; `None` where nothing of the host's will be.
pub(crate) fn locate(mounts: &[Mount], target: &Path) -> Option<Candidate> {
    let mount = covering(mounts, target)?;
    let rest = target.strip_prefix(&mount.target).ok()?;
    let (path, unexecutable) = match &mount.source {
        Source::Bind { path, .. } if !mount.flags.read_only => (path, Unexecutable::Chmod),
        Source::Bind { path, .. } | Source::Layer { path } => (path, Unexecutable::Refuse),
        _ => return None,
    };
    // What is seen at its own place keeps its links to its neighbours: resolve from the host's root.
    if *path == mount.target {
        return Some(on_host(target, unexecutable));
    }
    // A file that is bound itself.
    let (base, relative) = match rest.as_os_str().is_empty() {
        true => (path.parent()?, Path::new(path.file_name()?)),
        false => (path.as_path(), rest),
    };
    Some(Candidate {
        target: target.to_owned(),
        base: Some(base.to_owned()),
        relative: relative.to_owned(),
        unexecutable,
    })
}

/// The candidate for a path that is the host's own.
pub(crate) fn on_host(target: &Path, unexecutable: Unexecutable) -> Candidate {
    let relative = target.strip_prefix("/").unwrap_or(target).to_owned();
    Candidate {
        target: target.to_owned(),
        base: None,
        relative,
        unexecutable,
    }
}

/// The deepest mount that holds `target`; of two at one place the later.
pub(crate) fn covering<'a>(mounts: &'a [Mount], target: &Path) -> Option<&'a Mount> {
    let holding = mounts
        .iter()
        .filter(|mount| target.starts_with(&mount.target));
    holding.max_by_key(|mount| mount.target.components().count())
}

/// Without doubles, first come first.
pub(crate) fn distinct(candidates: impl Iterator<Item = Candidate>) -> Vec<Candidate> {
    let mut distinct: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if !distinct
            .iter()
            .any(|known| known.target == candidate.target)
        {
            distinct.push(candidate);
        }
    }
    distinct
}

/// The path on the host that a candidate stands for, not yet resolved.
pub(crate) fn host_path(candidate: &Candidate) -> PathBuf {
    candidate
        .base
        .as_deref()
        .unwrap_or(Path::new("/"))
        .join(&candidate.relative)
}
