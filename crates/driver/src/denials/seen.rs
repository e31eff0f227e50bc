//! What has been denied so far, in bounded memory: whoever is denied something decides how much that is.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use sandbox::audit::{Access, Heard, Record};

use super::{Key, key};

/// Different denials of one domain that are kept, each at most two paths long.
const DIFFERENT: usize = 128;
/// Domains of strangers that are kept until it is known whose they are.
const STRANGERS: usize = 16;
/// Knocks at the same time.
const KNOCKS: usize = 64;
/// Denials that are read at once, and for each second more. Whoever is denied more than that costs everybody time that nobody gives him.
const BURST: u64 = 10_000;
const PER_SECOND: u64 = 100;

/// Everything that was heard.
#[derive(Debug)]
pub(super) struct Seen {
    domains: BTreeMap<u64, Domain>,
    /// Domains that nobody has asked for, the oldest first.
    strangers: VecDeque<u64>,
    followed: BTreeSet<i32>,
    /// Knocks of ours that came back and were not waited for yet.
    pub(super) knocks: VecDeque<Vec<u8>>,
    /// Some records were dropped.
    pub(super) lost: bool,
    /// Nothing more will be read.
    pub(super) over: bool,
    budget: Budget,
}

/// What one domain has denied.
#[derive(Debug, Clone, Default)]
pub(super) struct Domain {
    /// Who made it, once that is known.
    pid: Option<i32>,
    /// How often.
    pub(super) denied: BTreeMap<Key, u64>,
    /// Others, for which there was no room.
    pub(super) more: u64,
}

impl Seen {
    pub(super) fn new(now: Instant) -> Seen {
        Seen {
            domains: BTreeMap::new(),
            strangers: VecDeque::new(),
            followed: BTreeSet::new(),
            knocks: VecDeque::new(),
            lost: false,
            over: false,
            budget: Budget {
                left: BURST,
                at: now,
            },
        }
    }

    /// Takes what was heard in. `false`: it is enough, nothing more shall be read.
    pub(super) fn take(&mut self, heard: Heard, now: Instant) -> bool {
        match heard {
            Heard::Lost => self.lost = true,
            Heard::Record(Record::Access(access)) => {
                if !self.budget.spend(now) {
                    self.lost = true;
                    return false;
                }
                self.deny(access);
            }
            Heard::Record(Record::Domain { id, pid }) => self.settle(id, pid),
            Heard::Record(Record::Left { pid, comm }) if pid == own_pid() => {
                self.knocks.push_back(comm);
                if self.knocks.len() > KNOCKS {
                    self.knocks.pop_front();
                }
            }
            Heard::Record(Record::Left { .. } | Record::Freed { .. }) | Heard::Other => {}
        }
        true
    }

    fn deny(&mut self, access: Access) {
        let domain = self.domain(access.domain);
        let room = domain.denied.len() < DIFFERENT;
        match domain.denied.get_mut(&key(access.clone())) {
            Some(times) => *times += 1,
            None if room => drop(domain.denied.insert(key(access), 1)),
            None => domain.more += 1,
        }
    }

    fn settle(&mut self, id: u64, pid: i32) {
        self.domain(id).pid = Some(pid);
        if self.followed.contains(&pid) {
            self.strangers.retain(|stranger| *stranger != id);
        }
    }

    fn domain(&mut self, id: u64) -> &mut Domain {
        if !self.domains.contains_key(&id) {
            self.strangers.push_back(id);
            if self.strangers.len() > STRANGERS {
                let oldest = self.strangers.pop_front();
                oldest.map(|oldest| self.domains.remove(&oldest));
            }
        }
        self.domains.entry(id).or_default()
    }

    /// Whether this knock has come back. It is told once.
    pub(super) fn answered(&mut self, knock: &[u8]) -> bool {
        let found = self.knocks.iter().position(|known| known == knock);
        found.is_some_and(|at| self.knocks.remove(at).is_some())
    }

    /// From now on the domain that this process made is kept.
    pub(super) fn follow(&mut self, pid: i32) {
        self.followed.insert(pid);
        if let Some(id) = self.id_of(pid) {
            self.strangers.retain(|stranger| *stranger != id);
        }
    }

    /// Forgets it.
    pub(super) fn unfollow(&mut self, pid: i32) {
        self.followed.remove(&pid);
        if let Some(id) = self.id_of(pid) {
            self.domains.remove(&id);
        }
    }

    pub(super) fn of(&self, pid: i32) -> Option<&Domain> {
        self.domains.get(&self.id_of(pid)?)
    }

    /// Numbers of domains rise, so the last of a pid that was used again is the one that lives.
    fn id_of(&self, pid: i32) -> Option<u64> {
        let mut made = self.domains.iter().rev();
        made.find_map(|(id, domain)| (domain.pid == Some(pid)).then_some(*id))
    }
}

/// As audit has it: in the first pid namespace, which is ours or nothing is heard at all.
fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// How much may still be read.
#[derive(Debug)]
struct Budget {
    left: u64,
    at: Instant,
}

impl Budget {
    fn spend(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.at).as_secs();
        if seconds > 0 {
            self.at = now;
            self.left = BURST.min(self.left.saturating_add(seconds.saturating_mul(PER_SECOND)));
        }
        let had = self.left;
        self.left = had.saturating_sub(1);
        had > 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use sandbox::audit::Object;

    use super::*;

    fn denied(domain: u64, path: &str) -> Heard {
        Heard::Record(Record::Access(Access {
            domain,
            blockers: vec!["fs.read_file".to_owned()],
            object: Object::Path(path.into()),
        }))
    }

    fn made(id: u64, pid: i32) -> Heard {
        Heard::Record(Record::Domain { id, pid })
    }

    #[test]
    fn denials_belong_to_whoever_made_the_domain_whenever_that_is_said() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        for heard in [
            denied(7, "/a"),
            made(7, 70),
            denied(7, "/a"),
            denied(8, "/b"),
            made(8, 80),
        ] {
            assert!(seen.take(heard, now));
        }
        seen.follow(70);
        let domain = seen.of(70).unwrap();
        assert_eq!(domain.denied.values().copied().collect::<Vec<_>>(), [2]);
        assert!(seen.of(90).is_none());
        seen.unfollow(70);
        assert!(seen.of(70).is_none() && seen.of(80).is_some());
    }

    #[test]
    fn a_pid_that_was_used_again_means_the_later_domain() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        for heard in [
            denied(7, "/old"),
            made(7, 70),
            denied(9, "/new"),
            made(9, 70),
        ] {
            assert!(seen.take(heard, now));
        }
        let path = &seen.of(70).unwrap().denied.keys().next().unwrap().0;
        assert_eq!(*path, Object::Path("/new".into()));
    }

    #[test]
    fn strangers_and_different_paths_are_bounded_and_what_is_followed_stays() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        seen.follow(70);
        assert!(seen.take(denied(1, "/mine"), now) && seen.take(made(1, 70), now));
        for number in 0..1000u64 {
            assert!(seen.take(denied(100 + number, "/x"), now));
            assert!(seen.take(denied(1, &format!("/mine/{number}")), now));
        }
        assert_eq!(seen.domains.len(), STRANGERS + 1);
        let mine = seen.of(70).unwrap();
        assert_eq!(
            (mine.denied.len(), mine.more),
            (DIFFERENT, 1001 - DIFFERENT as u64)
        );
    }

    #[test]
    fn a_flood_ends_the_reading_and_a_trickle_never_does() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        let read = (0..)
            .take_while(|_| seen.take(denied(1, "/x"), now))
            .count();
        assert_eq!((read as u64, seen.lost), (BURST, true));
        let mut seen = Seen::new(now);
        let mut later = now;
        for _ in 0..BURST * 3 {
            later += Duration::from_millis(10);
            assert!(seen.take(denied(1, "/x"), later));
        }
    }
}
