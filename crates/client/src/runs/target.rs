//! What a person calls a task: `job`, `job/group`, `job/group[1]/task`, a task's name if it is the only one, or the
//! beginning of an allocation's id.
use crate::runs::Seen;

/// Fewer characters of an id could be anything.
const SHORTEST_ID: usize = 2;

/// Why a target names nothing, or too much.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing has that name.
    #[error("no job, task or allocation {target:?}; {}", running(.jobs))]
    Unknown {
        /// As it was given.
        target: String,
        /// What there is instead.
        jobs: Vec<String>,
    },
    /// Several have it.
    #[error("{target:?} may be {}: say which", .candidates.join(" or "))]
    Ambiguous {
        /// As it was given.
        target: String,
        /// `job/group[index]/task`, with the allocation where that alone tells them apart.
        candidates: Vec<String>,
    },
}

fn running(jobs: &[String]) -> String {
    if jobs.is_empty() {
        "nothing is running".to_owned()
    } else {
        format!("running: {}", jobs.join(", "))
    }
}

/// All tasks that a target names: those of a job, of a group, of an allocation, or one.
///
/// # Errors
/// None, or a name of a task that tasks of several jobs or groups have.
pub fn find(all: &[Seen], target: &str) -> Result<Vec<Seen>, TargetError> {
    let of = |names: fn(&Seen, &str) -> bool| -> Vec<Seen> {
        let named = all.iter().filter(|seen| names(seen, target));
        named.cloned().collect()
    };
    let of_job = of(is_of_job);
    if !of_job.is_empty() {
        return Ok(of_job);
    }
    let of_task = of(is_task);
    match of_task.len() {
        0 => {}
        1 => return Ok(of_task),
        _ => return Err(TargetError::ambiguous(target, &of_task)),
    }
    let of_alloc = of(is_of_alloc);
    match of_alloc.first() {
        None => Err(unknown(all, target)),
        Some(first)
            if of_alloc
                .iter()
                .all(|seen| seen.run_dir() == first.run_dir()) =>
        {
            Ok(of_alloc)
        }
        Some(_) => Err(TargetError::ambiguous(target, &of_alloc)),
    }
}

fn unknown(all: &[Seen], target: &str) -> TargetError {
    let mut jobs: Vec<_> = all.iter().map(|seen| seen.alloc.job_id.clone()).collect();
    jobs.dedup();
    TargetError::Unknown {
        target: target.to_owned(),
        jobs,
    }
}

impl TargetError {
    /// What was found is more than is wanted.
    pub fn ambiguous(target: &str, found: &[Seen]) -> TargetError {
        let full = |seen: &Seen| format!("{}/{}", seen.alloc.job_id, seen.place());
        let name = |seen: &Seen| {
            let name = full(seen);
            if found.iter().filter(|other| full(other) == name).count() > 1 {
                format!("{}/{}", seen.alloc.short_id(), seen.name)
            } else {
                name
            }
        };
        TargetError::Ambiguous {
            target: target.to_owned(),
            candidates: found.iter().map(name).collect(),
        }
    }
}

/// `job`, `job/group`, `job/group[1]`, `job/task`, `job/group[1]/task`. A job's id may hold slashes itself.
fn is_of_job(seen: &Seen, target: &str) -> bool {
    let Some(rest) = target.strip_prefix(seen.alloc.job_id.as_str()) else {
        return false;
    };
    match rest.strip_prefix('/') {
        None => rest.is_empty(),
        Some(rest) => rest == seen.name || is_of_group(seen, rest),
    }
}

/// `group`, `group[1]`, and both with `/task`.
fn is_of_group(seen: &Seen, words: &str) -> bool {
    let (group, task) = match words.split_once('/') {
        Some((group, task)) => (group, Some(task)),
        None => (words, None),
    };
    let numbered = format!("{}[{}]", seen.alloc.task_group, seen.alloc.encamp.index);
    (group == seen.alloc.task_group || group == numbered)
        && task.is_none_or(|task| task == seen.name)
}

/// `task`, `group/task`, `group[1]/task`.
fn is_task(seen: &Seen, target: &str) -> bool {
    target == seen.name || (target.contains('/') && is_of_group(seen, target))
}

/// The beginning of an allocation's id, with or without `/task`.
fn is_of_alloc(seen: &Seen, target: &str) -> bool {
    let (id, task) = match target.split_once('/') {
        Some((id, task)) => (id, Some(task)),
        None => (target, None),
    };
    id.len() >= SHORTEST_ID
        && seen.alloc.id.starts_with(&id.to_ascii_lowercase())
        && task.is_none_or(|task| task == seen.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::state::{AllocState, Encamp};

    fn seen(job: &str, place: (&str, u32), task: &str, alloc_id: &str) -> Seen {
        let alloc = AllocState {
            id: alloc_id.to_owned(),
            job_id: job.to_owned(),
            task_group: place.0.to_owned(),
            encamp: Encamp {
                index: place.1,
                run_dir: format!("/run/encamp/{alloc_id}").into(),
                ..Encamp::default()
            },
            ..AllocState::default()
        };
        Seen {
            alloc: std::rc::Rc::new(alloc),
            name: task.to_owned(),
        }
    }

    fn all() -> Vec<Seen> {
        vec![
            seen("api", ("web", 0), "proxy", "81d32909"),
            seen("api", ("web", 0), "server", "81d32909"),
            seen("api", ("web", 1), "proxy", "82aaaaaa"),
            seen("api", ("web", 1), "server", "82aaaaaa"),
            seen("encode/dispatch-1", ("encode", 0), "ffmpeg", "0af996ed"),
            seen("http", ("web", 0), "python", "0bcccccc"),
        ]
    }

    fn names(target: &str) -> Vec<String> {
        let found = find(&all(), target).unwrap_or_default();
        found
            .iter()
            .map(|seen| {
                let alloc = &seen.alloc;
                format!("{}/{}/{}", alloc.task_group, alloc.encamp.index, seen.name)
            })
            .collect()
    }

    #[test]
    fn a_job_is_all_of_its_tasks() {
        assert_eq!(names("api").len(), 4);
        assert_eq!(names("http"), ["web/0/python"]);
        assert_eq!(names("encode/dispatch-1"), ["encode/0/ffmpeg"]);
        assert_eq!(names("encode/dispatch-1/encode[0]/ffmpeg").len(), 1);
    }

    #[test]
    fn a_place_in_a_job_is_what_lies_there() {
        assert_eq!(names("api/web").len(), 4);
        assert_eq!(names("api/web[1]"), ["web/1/proxy", "web/1/server"]);
        assert_eq!(names("api/web[1]/server"), ["web/1/server"]);
        assert_eq!(names("api/server"), ["web/0/server", "web/1/server"]);
        assert_eq!(names("web[1]/proxy"), ["web/1/proxy"]);
    }

    #[test]
    fn a_task_or_an_allocation_is_found_by_its_name_alone() {
        assert_eq!(names("ffmpeg"), ["encode/0/ffmpeg"]);
        assert_eq!(names("82"), ["web/1/proxy", "web/1/server"]);
        assert_eq!(names("82AA/server"), ["web/1/server"]);
    }

    #[test]
    fn what_several_have_is_listed() {
        let told = |target: &str| find(&all(), target).unwrap_err().to_string();
        let servers = find(&all(), "api/server").unwrap();
        assert_eq!(
            TargetError::ambiguous("api/server", &servers).to_string(),
            "\"api/server\" may be api/web[0]/server or api/web[1]/server: say which"
        );
        assert!(find(&all(), "server").is_err());
        assert!(told("0").starts_with("no job, task or allocation \"0\""));
        assert!(told("8").starts_with("no job"));
    }

    #[test]
    fn what_nobody_has_is_told_with_what_there_is() {
        let told = |all: &[Seen]| find(all, "nosuch").unwrap_err().to_string();
        assert_eq!(
            told(&all()),
            "no job, task or allocation \"nosuch\"; running: api, encode/dispatch-1, http"
        );
        assert_eq!(
            told(&[]),
            "no job, task or allocation \"nosuch\"; nothing is running"
        );
        for target in ["", "/", "api/", "api//", "web[", "..", "api/web[7]", "\0"] {
            assert!(find(&all(), target).is_err(), "{target:?}");
        }
    }
}
