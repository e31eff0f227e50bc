//! From an `artifact` of the job file to what is fetched and where it goes.
use std::path::{Component, Path};

use jobspec::{Artifact, ArtifactMode};

use super::Failure;
use super::order::{ARCHIVES, Archive, Limits, Order, Outcome, Sum, Wanted};
use super::url::Url;
use crate::interpolate::replace;
use crate::place::{Escape, Place, Views};

/// An artifact with everything filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// What may be said of where it comes from.
    pub(super) shown: String,
    pub(super) order: Order,
    /// Where the result goes.
    pub(super) target: Place,
}

/// Fills in what is known of the task.
pub(super) fn resolve<'v>(
    artifact: &Artifact,
    views: &Views,
    limits: Limits,
    known: impl Fn(&str) -> Option<&'v str>,
) -> Result<Resolved, Failure> {
    let destination = views.argument(&artifact.destination.value, &known);
    let known = |text: &str| replace(text, &known);
    let (source, part) = part_of(&known(&artifact.source.value));
    let mut url = Url::parse(&source).map_err(|problem| Failure::Source {
        from: shown(&source),
        reason: problem.to_string(),
    })?;
    for (name, value) in &artifact.options {
        url.set(name, &known(value));
    }
    let shown = url.to_string();
    let wrong = |reason: String| Failure::Source {
        from: shown.clone(),
        reason,
    };
    let part = part.map(plain).transpose().map_err(wrong)?.flatten();
    let archive = archive(&mut url).map_err(wrong)?;
    let sum = sum(&mut url).map_err(wrong)?;
    let result = outcome(&mut url, artifact.mode, archive, part).map_err(wrong)?;
    let headers = artifact.headers.iter();
    let order = Order {
        url: with_credentials(&url),
        headers: headers
            .map(|(name, value)| (name.clone(), known(value)))
            .collect(),
        insecure: artifact.insecure,
        sum,
        archive,
        result,
        limits,
    };
    let target = target(destination, artifact).map_err(|reason| Failure::Destination {
        from: shown.clone(),
        reason,
    })?;
    Ok(Resolved {
        shown,
        order,
        target,
    })
}

/// What may be shown of a source that is no URL of ours: it may hold credentials all the same.
fn shown(source: &str) -> String {
    let source = source.split('?').next().unwrap_or_default();
    match (source.find("://"), source.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}{}", &source[..scheme + 3], &source[at + 1..])
        }
        _ => source.to_owned(),
    }
}

/// go-getter's `//`: behind it stands which part of an archive is wanted.
fn part_of(source: &str) -> (String, Option<String>) {
    let (before, query) = match source.find('?') {
        Some(at) => source.split_at(at),
        None => (source, ""),
    };
    let path = before.find("://").map_or(0, |scheme| scheme + 3);
    match before[path..].find("//") {
        Some(at) => {
            let (source, part) = before.split_at(path + at);
            (format!("{source}{query}"), Some(part[2..].to_owned()))
        }
        None => (source.to_owned(), None),
    }
}

/// `None`: what it names is the whole.
fn plain(part: String) -> Result<Option<String>, String> {
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(&part).components().all(is_plain) {
        return Err("the part behind // must be inside the archive".to_owned());
    }
    let is_name = |part| matches!(part, Component::Normal(_));
    let names_some = Path::new(&part).components().any(is_name);
    Ok(names_some.then_some(part))
}

/// By the parameter `archive`, else by how the path ends.
fn archive(url: &mut Url) -> Result<Option<Archive>, String> {
    let by_name = |name: &str| {
        let mut known = ARCHIVES.iter();
        known.find(|(known, _)| *known == name)
    };
    match url.take("archive").filter(|given| !given.is_empty()) {
        Some(given) if is_false(&given) => Ok(None),
        Some(given) => match by_name(&given) {
            Some((_, archive)) => Ok(Some(*archive)),
            None => {
                let mut names: Vec<&str> = ARCHIVES.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                Err(format!(
                    "there is no kind of archive {given:?}; there are {} and false",
                    names.join(", ")
                ))
            }
        },
        None => {
            let path = url.plain_path();
            let ends_so = |(name, _): &&(&str, Archive)| {
                path.strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('.'))
            };
            Ok(ARCHIVES.iter().find(ends_so).map(|(_, archive)| *archive))
        }
    }
}

/// As Go reads a bool.
fn is_false(text: &str) -> bool {
    matches!(text, "0" | "f" | "F" | "false" | "False" | "FALSE")
}

fn sum(url: &mut Url) -> Result<Option<Wanted>, String> {
    let Some(given) = url.take("checksum").filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    let Some(file) = given.strip_prefix("file:") else {
        return Sum::parse(&given).map(|sum| Some(Wanted::Sum(sum)));
    };
    let file = Url::parse(file).map_err(|problem| format!("the checksum file: {problem}"))?;
    Ok(Some(Wanted::In {
        names: names(&url.plain_path(), &file.plain_path()),
        url: with_credentials(&file),
    }))
}

/// The names by which a file may stand in a list of sums.
fn names(path: &str, list: &str) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut names: Vec<String> = ["", "*", "?"].map(|mark| format!("{mark}{name}")).into();
    let above = list.rsplit_once('/').map_or("", |(above, _)| above);
    if let Some(below) = path
        .strip_prefix(above)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        names.extend([below.to_owned(), format!("*{below}"), format!("./{below}")]);
    }
    names.push(path.to_owned());
    names
}

fn outcome(
    url: &mut Url,
    mode: ArtifactMode,
    archive: Option<Archive>,
    part: Option<String>,
) -> Result<Outcome, String> {
    let name = url.take("filename").filter(|given| !given.is_empty());
    if mode == ArtifactMode::File {
        return match part {
            None => Ok(Outcome::File),
            Some(_) => {
                Err("mode = \"file\" takes the whole of it, not a part behind //".to_owned())
            }
        };
    }
    if archive.is_none() {
        if mode == ArtifactMode::Dir {
            return Err(
                "mode = \"dir\" needs an archive: over http there is one file at a time".to_owned(),
            );
        }
        if part.is_some() {
            return Err("a part behind // needs an archive".to_owned());
        }
    }
    let path = url.plain_path();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = name.unwrap_or_else(|| match archive {
        None => last.to_owned(),
        Some(_) => unpacked(last),
    });
    match name.as_str() {
        "" | "." | ".." if archive.is_none() => {
            Err("it ends with no file name: set one with options { filename = \"…\" }".to_owned())
        }
        name if name.contains(['/', '\0']) => {
            Err(format!("{name:?} is no file name: it must be a single one"))
        }
        _ => Ok(Outcome::Directory { name, part }),
    }
}

/// The name of the one file in `x.gz`.
fn unpacked(name: &str) -> String {
    let stem = ARCHIVES.iter().find_map(|(ending, _)| {
        let stem = name.strip_suffix(ending)?.strip_suffix('.')?;
        (!stem.is_empty()).then(|| stem.to_owned())
    });
    match stem.unwrap_or_else(|| name.to_owned()) {
        none if matches!(none.as_str(), "" | "." | "..") => "artifact".to_owned(),
        name => name,
    }
}

/// The fetcher makes a header of the credentials; on its own a URL is never written with them.
fn with_credentials(url: &Url) -> String {
    let plain = url.request();
    match (&url.credentials, plain.split_once("://")) {
        (Some(credentials), Some((scheme, rest))) => {
            let bytes = credentials.bytes().map(|byte| format!("%{byte:02X}"));
            format!("{scheme}://{}@{rest}", bytes.collect::<String>())
        }
        _ => plain,
    }
}

fn target(destination: Result<Place, Escape>, artifact: &Artifact) -> Result<Place, String> {
    let place =
        destination.map_err(|_| "artifact destination path escapes alloc directory".to_owned())?;
    if artifact.mode == ArtifactMode::File && place.below.is_empty() {
        return Err(format!(
            "mode = \"file\" needs a destination that is a file, and {:?} is a directory",
            artifact.destination.value
        ));
    }
    Ok(place)
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
