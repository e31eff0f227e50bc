//! What a value must be beyond its type.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Component, Path};

use cgroup::{CpuSet, Host};
use jobspec::Spanned;

use super::{Merge, Placed};

impl Merge<'_> {
    pub(super) fn absolute(
        &mut self,
        file: usize,
        name: &str,
        path: &Spanned<String>,
        within: &str,
    ) -> bool {
        let good = Path::new(&path.value).is_absolute();
        if !good {
            let detail = format!("{name} must be an absolute path, got {:?}.", path.value);
            self.mistake(file, path.span.clone(), within, detail);
        }
        good
    }

    pub(super) fn parent(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(Spanned { value, span }) = given else {
            return;
        };
        let path = Path::new(value.trim_matches('/'));
        let plain = |part| matches!(part, Component::Normal(_));
        if path.components().count() == 0 || !path.components().all(plain) {
            let detail = format!(
                "cgroup_parent must name a cgroup below the root, without \"..\", got {value:?}."
            );
            self.mistake(file, span, "client", detail);
        } else {
            self.done.node.cgroup_parent = path.to_str().map(str::to_owned);
        }
    }

    pub(super) fn reserved_cores(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(Spanned { value, span }) = given else {
            return;
        };
        let problem = match value.parse::<CpuSet>() {
            Err(error) => error.to_string(),
            Ok(cores) => match absent(&cores) {
                None => {
                    self.done.node.reserved_cores = cores;
                    return;
                }
                Some(problem) => problem,
            },
        };
        let detail = format!("reserved.cores: {problem}.");
        self.mistake(file, span, "client reserved", detail);
    }

    pub(super) fn users(&mut self) {
        let default = &self.done.node.dynamic_users;
        let ends = [
            End {
                name: "dynamic_user_min",
                given: self.dynamic_user_min.clone(),
                default: *default.start(),
            },
            End {
                name: "dynamic_user_max",
                given: self.dynamic_user_max.clone(),
                default: *default.end(),
            },
        ];
        // The highest number stands for "no uid" in chown(2); 0 is root.
        let valid = 1..=u32::MAX - 1;
        if let Some([min, max]) = self.bounds("client users", ends, &valid, Order::NotGreater) {
            self.done.node.dynamic_users = min..=max;
        }
    }

    /// The ends of a range, once all files were read: each may come from another. `None`: that was said to be a mistake.
    pub(super) fn bounds<T>(
        &mut self,
        within: &str,
        ends: [End<T>; 2],
        valid: &RangeInclusive<T>,
        order: Order,
    ) -> Option<[T; 2]>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let [first, last] = ends.each_ref().map(|end| end.name);
        let place = ends.iter().find_map(|end| end.given.clone());
        let [min, max] = ends.map(|end| self.end(within, end, valid));
        let (min, max) = (min?, max?);
        match place {
            Some(place) if !order.holds(&min, &max) => {
                let detail = format!("{first} ({min}) {} {last} ({max}).", order.words());
                self.mistake(place.file, place.span, within, detail);
                None
            }
            _ => Some([min, max]),
        }
    }

    fn end<T>(&mut self, within: &str, end: End<T>, valid: &RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Some(given) = end.given else {
            return Some(end.default);
        };
        let value = T::try_from(given.value).ok();
        let value = value.filter(|value| valid.contains(value));
        if value.is_none() {
            let (start, last) = (valid.start(), valid.end());
            let detail = format!("{} must be from {start} to {last}.", end.name);
            self.mistake(given.file, given.span, within, detail);
        }
        value
    }
}

/// One end of a range that two settings give.
pub(super) struct End<T> {
    pub(super) name: &'static str,
    pub(super) given: Option<Placed<i64>>,
    pub(super) default: T,
}

/// How the lower end of a range lies to the upper one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Less,
    NotGreater,
}

impl Order {
    fn holds<T: PartialOrd>(self, min: &T, max: &T) -> bool {
        match self {
            Order::Less => min < max,
            Order::NotGreater => min <= max,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Order::Less => "must be less than",
            Order::NotGreater => "must not be greater than",
        }
    }
}

/// What this host does not have of them. Where nothing can be reserved a task with cores is told so.
fn absent(cores: &CpuSet) -> Option<String> {
    let usable = Host::detect().and_then(|host| host.usable_cpus()).ok()?;
    let absent = cores.difference(&usable);
    (!absent.is_empty()).then(|| format!("this host has no core {absent}, only {usable}"))
}
