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
/// Denials that are read at once, and for each second more. Whoever is denied more than that costs everybody time that nobody gives him: the reader
/// rests then.
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
    /// How often records were dropped.
    pub(super) losses: u64,
    /// Nothing is read for a while.
    pub(super) resting: bool,
    /// Nothing more will be read.
    pub(super) over: bool,
    /// Rises with each different denial of those that are followed.
    pub(super) news: u64,
    budget: Budget,
}

/// What one domain has denied.
#[derive(Debug, Clone, Default)]
pub(super) struct Domain {
    /// Who made it, once that is known.
    pid: Option<i32>,
    pub(super) denied: BTreeMap<Key, Count>,
    /// Others, for which there was no room.
    pub(super) more: u64,
    more_told: u64,
}

/// How often something was denied.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) times: u64,
    told: bool,
}

impl Domain {
    /// What was not told yet: it is told with this.
    fn tell(&mut self) -> Domain {
        let untold = self.denied.iter_mut().filter(|(_, count)| !count.told);
        let untold = untold.map(|(key, count)| {
            count.told = true;
            (key.clone(), *count)
        });
        Domain {
            pid: self.pid,
            denied: untold.collect(),
            more: self.more - std::mem::replace(&mut self.more_told, self.more),
            more_told: 0,
        }
    }
}

impl Seen {
    pub(super) fn new(now: Instant) -> Seen {
        Seen {
            domains: BTreeMap::new(),
            strangers: VecDeque::new(),
            followed: BTreeSet::new(),
            knocks: VecDeque::new(),
            losses: 0,
            resting: false,
            over: false,
            news: 0,
            budget: Budget {
                left: BURST,
                at: now,
            },
        }
    }

    /// Takes what was heard in. `false`: it is enough for a while.
    pub(super) fn take(&mut self, heard: Heard, now: Instant) -> bool {
        match heard {
            Heard::Lost => self.losses += 1,
            Heard::Record(Record::Access(access)) => {
                if !self.budget.spend(now) {
                    self.losses += 1;
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
            Heard::Record(Record::Left { .. }) | Heard::Other => {}
        }
        true
    }

    fn deny(&mut self, access: Access) {
        let domain = self.domain(access.domain);
        let different = domain.denied.len();
        match domain.denied.get_mut(&key(access.clone())) {
            Some(count) => count.times += 1,
            None if different < DIFFERENT => {
                domain.denied.entry(key(access)).or_default().times = 1;
            }
            None => domain.more += 1,
        }
        let is_new = domain.denied.len() > different;
        let pid = domain.pid;
        if is_new && pid.is_some_and(|pid| self.followed.contains(&pid)) {
            self.news += 1;
        }
    }

    fn settle(&mut self, id: u64, pid: i32) {
        self.domain(id).pid = Some(pid);
        if self.followed.contains(&pid) {
            self.strangers.retain(|stranger| *stranger != id);
            self.news += 1;
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

    /// From now on the domain that this process made is kept. `known`: its number, which the kernel does not say twice.
    pub(super) fn follow(&mut self, pid: i32, known: Option<u64>) {
        self.followed.insert(pid);
        if let Some(id) = known.or_else(|| self.id_of(pid)) {
            self.settle(id, pid);
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

    /// What was not told yet; it is told with this.
    pub(super) fn untold(&mut self, pid: i32) -> Option<Domain> {
        let id = self.id_of(pid)?;
        self.domains.get_mut(&id).map(Domain::tell)
    }

    /// Numbers of domains rise, so the last of a pid that was used again is the one that lives.
    pub(super) fn id_of(&self, pid: i32) -> Option<u64> {
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
        seen.follow(70, None);
        let domain = seen.of(70).unwrap();
        let times: Vec<_> = domain.denied.values().map(|count| count.times).collect();
        assert_eq!(times, [2]);
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
        seen.follow(70, None);
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
    fn a_flood_interrupts_the_reading_and_a_trickle_never_does() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        let read = (0..)
            .take_while(|_| seen.take(denied(1, "/x"), now))
            .count();
        assert_eq!((read as u64, seen.losses), (BURST, 1));
        let later = now + Duration::from_secs(10);
        let read = (0..)
            .take_while(|_| seen.take(denied(1, "/x"), later))
            .count();
        assert_eq!(read as u64, 10 * PER_SECOND);
        let mut seen = Seen::new(now);
        let mut later = now;
        for _ in 0..BURST * 3 {
            later += Duration::from_millis(10);
            assert!(seen.take(denied(1, "/x"), later));
        }
    }

    #[test]
    fn each_different_denial_is_told_once() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        seen.follow(70, None);
        assert!(seen.untold(70).is_none());
        let told = |seen: &mut Seen| -> Vec<(String, u64)> {
            let told = seen.untold(70).unwrap().denied.into_iter();
            told.map(|((object, _), count)| (format!("{object:?}"), count.times))
                .collect()
        };
        for heard in [denied(7, "/a"), denied(7, "/a"), made(7, 70)] {
            assert!(seen.take(heard, now));
        }
        assert_eq!(told(&mut seen), [("Path(\"/a\")".to_owned(), 2)]);
        for heard in [denied(7, "/a"), denied(7, "/b")] {
            assert!(seen.take(heard, now));
        }
        assert_eq!(told(&mut seen), [("Path(\"/b\")".to_owned(), 1)]);
        for number in 0..200 {
            assert!(seen.take(denied(7, &format!("/more/{number}")), now));
        }
        let untold = seen.untold(70).unwrap();
        assert_eq!(untold.denied.len() as u64 + untold.more, 200);
        let untold = seen.untold(70).unwrap();
        assert_eq!((untold.denied.len(), untold.more), (0, 0));
    }

    #[test]
    fn news_are_of_those_that_are_followed_and_of_what_is_new() {
        let now = Instant::now();
        let mut seen = Seen::new(now);
        // Recovered: who made the domain was said before.
        seen.follow(70, Some(7));
        let mut changes = |heard| {
            let before = seen.news;
            assert!(seen.take(heard, now));
            seen.news != before
        };
        assert!(changes(denied(7, "/a")));
        assert!(!changes(denied(7, "/a")));
        assert!(changes(denied(7, "/b")));
        assert!(!changes(denied(8, "/c")) && !changes(made(8, 80)) && !changes(denied(8, "/d")));
    }
}
