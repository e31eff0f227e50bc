//! Where a path inside lies, for finding the command before there is an inside.
use std::path::{Path, PathBuf};

use sandbox::spec::{Candidate, Mount, Source, Unexecutable};

/// The candidate for a path inside, by the mounts that will be there; `None` where nothing of the host's will be.
pub(crate) fn locate(mounts: &[Mount], target: &Path) -> Option<Candidate> {
    let mount = covering(mounts, target)?;
    match &mount.source {
        Source::Bind { .. } if mount.flags.read_only => {
            Some(candidate(target, Unexecutable::Refuse))
        }
        // What is changed in a layer is the task's: the host's file stays as it is.
        Source::Bind { .. } | Source::Layer { .. } => Some(candidate(target, Unexecutable::Chmod)),
        _ => None,
    }
}

/// The candidate at this path.
pub(crate) fn candidate(target: &Path, unexecutable: Unexecutable) -> Candidate {
    Candidate {
        target: target.to_owned(),
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

/// The path on the host of a path inside, not yet resolved.
pub(crate) fn host_path(mounts: &[Mount], target: &Path) -> PathBuf {
    let below = covering(mounts, target).and_then(|mount| match &mount.source {
        Source::Bind { path, .. } | Source::Layer { path } => {
            Some((path, target.strip_prefix(&mount.target).ok()?))
        }
        _ => None,
    });
    match below {
        // A file that is bound itself: joining nothing would leave a slash.
        Some((path, rest)) if rest.as_os_str().is_empty() => path.clone(),
        Some((path, rest)) => path.join(rest),
        None => target.to_owned(),
    }
}
