//! Uids for tasks without `user`, of a pool (80000 to 89999 unless configured), each for one run at a time.
//!
//! A uid is claimed by a lock on `<uid>.lock`; the kernel drops the lock when its holder dies, however it dies. Who
//! claims or gives back holds the lock of `resting` meanwhile, a table with the time at which each uid was last given
//! back: four bytes per uid, seconds since 1970, at four times the uid (the file has a long hole at its beginning). A uid rests before it is given again, so that nothing of its last
//! owner (a file, a queue, a key) meets a stranger; when all free ones rest, the one that has rested longest goes.
//! A lock file that nobody holds was left by a killed run: its uid rests from the claim on.
use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, OFlags, Timespec, Timestamps, UTIME_NOW, flock, fstat, futimens};
use rustix::io::Errno;

use crate::dirs::{Dir, is};
use crate::error::{Attempt, Error, HostError};

/// So many uids are looked at for one claim, however large the pool is.
const WINDOW: u64 = 1 << 16;

/// How long a uid rests.
const REST_SECONDS: u32 = 600;

/// A uid that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) uid: u32,
    _lock: File,
}

/// Claims a uid of the pool; `start` says where the search begins.
pub(crate) fn claim(dir: &Dir, pool: &RangeInclusive<u32>, start: u32) -> Result<Claim, Error> {
    let table = Table::lock(dir)?;
    let (uids, turn) = window(pool, start);
    let released = table.read(&uids)?;
    let now = now();
    let mut order: Vec<usize> = (0..released.len())
        .map(|step| (turn + step) % released.len())
        .collect();
    // A stable sort: uids that have rested keep the random order, those that rest come after, the longest first.
    order.sort_by_key(|index| remaining(released[*index], now));
    for allow_resting in [false, true] {
        for index in &order {
            if (allow_resting || remaining(released[*index], now) == 0)
                && let Some(claim) =
                    try_claim(dir, uids.start() + *index as u32, now, allow_resting)?
            {
                return Ok(claim);
            }
        }
    }
    Err(Error::NoUid { pool: pool.clone() })
}

/// The uids that are looked at, and which of them first.
fn window(pool: &RangeInclusive<u32>, start: u32) -> (RangeInclusive<u32>, usize) {
    let count = u64::from(pool.end() - pool.start()) + 1;
    if count <= WINDOW {
        return (pool.clone(), (u64::from(start) % count) as usize);
    }
    let first = pool.start() + (u64::from(start) % (count - WINDOW + 1)) as u32;
    (first..=first + (WINDOW - 1) as u32, 0)
}

/// Gives a uid back; from now on it rests. What nobody has claimed is fine, what another holds is left alone.
pub(crate) fn release(dir: &Dir, uid: u32) -> Result<(), HostError> {
    let table = Table::lock(dir)?;
    let name = lock_name(uid);
    let file = match dir.file(&name, OFlags::RDWR) {
        Err(error) if is(&error, Errno::NOENT) => return Ok(()),
        other => other?,
    };
    if try_lock(&file)? {
        table.write(uid, now())?;
        dir.unlink(&name)?;
    }
    Ok(())
}

/// Removes lock files that nobody holds: their runs were killed, perhaps before they had written down the uid. It rests from now on.
pub(crate) fn sweep(dir: &Dir) -> Result<(), HostError> {
    let table = Table::lock(dir)?;
    for name in dir.names()? {
        let uid = name.strip_suffix(".lock").and_then(|uid| uid.parse().ok());
        let Some(uid) = uid else { continue };
        if try_lock(&dir.file(&name, OFlags::RDWR)?)? {
            table.write(uid, now())?;
            dir.unlink(&name)?;
        }
    }
    Ok(())
}

fn try_claim(
    dir: &Dir,
    uid: u32,
    now: u32,
    allow_resting: bool,
) -> Result<Option<Claim>, HostError> {
    let name = lock_name(uid);
    let (file, fresh) = match dir.file(&name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
        Ok(file) => (file, true),
        Err(error) if is(&error, Errno::EXIST) => (dir.file(&name, OFlags::RDWR)?, false),
        Err(error) => return Err(error),
    };
    if !try_lock(&file)? {
        return Ok(None);
    }
    if !fresh && !allow_resting && remaining(claimed_at(&file)?, now) > 0 {
        return Ok(None);
    }
    if !fresh {
        let touch = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        futimens(
            &file,
            &Timestamps {
                last_access: touch,
                last_modification: touch,
            },
        )
        .attempt(|| format!("touch {}", dir.path().join(&name).display()))?;
    }
    Ok(Some(Claim { uid, _lock: file }))
}

fn lock_name(uid: u32) -> String {
    format!("{uid}.lock")
}

fn try_lock(file: &File) -> Result<bool, HostError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).attempt(|| "lock a uid".to_owned()),
    }
}

fn claimed_at(file: &File) -> Result<u32, HostError> {
    let stat = fstat(file).attempt(|| "look at a uid's lock file".to_owned())?;
    Ok(u32::try_from(stat.st_mtime).unwrap_or(0))
}

/// Seconds that a uid given back then has still to rest. A clock that was set back counts as resting, but not for ever.
fn remaining(released: u32, now: u32) -> u32 {
    REST_SECONDS.saturating_sub(now.abs_diff(released))
}

fn now() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// The table of resting uids, locked.
struct Table(File);

impl Table {
    fn lock(dir: &Dir) -> Result<Table, HostError> {
        let file = dir.file("resting", OFlags::RDWR | OFlags::CREATE)?;
        flock(&file, FlockOperation::LockExclusive)
            .attempt(|| format!("lock {}", dir.path().join("resting").display()))?;
        Ok(Table(file))
    }

    fn read(&self, uids: &RangeInclusive<u32>) -> Result<Vec<u32>, HostError> {
        let offset = u64::from(*uids.start()) * 4;
        let mut bytes = vec![0; uids.clone().count() * 4];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.0.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).attempt(|| "read the table of resting uids".to_owned());
                }
            }
        }
        Ok(bytes
            .as_chunks()
            .0
            .iter()
            .map(|entry| u32::from_le_bytes(*entry))
            .collect())
    }

    fn write(&self, uid: u32, released: u32) -> Result<(), HostError> {
        let offset = u64::from(uid) * 4;
        self.0
            .write_all_at(&released.to_le_bytes(), offset)
            .attempt(|| "write the table of resting uids".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::Scratch;

    const POOL: RangeInclusive<u32> = 80_000..=89_999;

    fn pool() -> (Scratch, Dir) {
        let scratch = Scratch::new();
        let dir = Dir::open(scratch.path()).unwrap();
        (scratch, dir)
    }

    #[test]
    fn two_runs_never_get_the_same_uid() {
        let (scratch, _) = pool();
        let claim_some = || {
            let dir = Dir::open(scratch.path()).unwrap();
            (0..25)
                .map(|_| claim(&dir, &POOL, 17).unwrap())
                .collect::<Vec<_>>()
        };
        let claims: Vec<Claim> = std::thread::scope(|scope| {
            [scope.spawn(claim_some), scope.spawn(claim_some)]
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        let uids: BTreeSet<u32> = claims.iter().map(|claim| claim.uid).collect();
        assert_eq!(uids.len(), 50);
        assert!(uids.iter().all(|uid| POOL.contains(uid)));
    }

    #[test]
    fn a_uid_given_back_rests_and_leaves_no_lock_file() {
        let (_scratch, dir) = pool();
        let first = claim(&dir, &POOL, 5).unwrap().uid;
        release(&dir, first).unwrap();
        assert_eq!(dir.names().unwrap(), ["resting"]);
        assert_eq!(
            (first, claim(&dir, &POOL, 5).unwrap().uid),
            (80_005, 80_006)
        );
    }

    #[test]
    fn a_uid_that_has_rested_is_given_again() {
        let (_scratch, dir) = pool();
        Table::lock(&dir)
            .unwrap()
            .write(80_005, now() - REST_SECONDS)
            .unwrap();
        assert_eq!(claim(&dir, &POOL, 5).unwrap().uid, 80_005);
    }

    #[test]
    fn when_all_rest_the_longest_rested_goes() {
        let (_scratch, dir) = pool();
        let table = Table::lock(&dir).unwrap();
        POOL.for_each(|uid| table.write(uid, now() - 10).unwrap());
        table.write(80_123, now() - 300).unwrap();
        drop(table);
        assert_eq!(claim(&dir, &POOL, 5).unwrap().uid, 80_123);
    }

    #[test]
    fn the_uid_of_a_killed_run_rests_too() {
        let (_scratch, dir) = pool();
        drop(claim(&dir, &POOL, 5).unwrap());
        assert_eq!(claim(&dir, &POOL, 5).unwrap().uid, 80_006);
    }

    #[test]
    fn the_lock_of_a_killed_run_is_swept_and_its_uid_rests() {
        let (_scratch, dir) = pool();
        let held = claim(&dir, &POOL, 9).unwrap();
        drop(claim(&dir, &POOL, 5).unwrap());
        sweep(&dir).unwrap();
        let mut names = dir.names().unwrap();
        names.sort();
        assert_eq!(names, [lock_name(held.uid).as_str(), "resting"]);
        assert_eq!(claim(&dir, &POOL, 5).unwrap().uid, 80_006);
    }

    #[test]
    fn a_held_uid_is_not_given_back_by_another() {
        let (_scratch, dir) = pool();
        let held = claim(&dir, &POOL, 5).unwrap();
        release(&dir, held.uid).unwrap();
        assert_eq!(claim(&dir, &POOL, 5).unwrap().uid, 80_006);
    }

    #[test]
    fn a_pool_of_two_has_two() {
        let (_scratch, dir) = pool();
        let pool = 70_001..=70_002;
        let held: Vec<Claim> = (0..2).map(|_| claim(&dir, &pool, 7).unwrap()).collect();
        let uids: BTreeSet<u32> = held.iter().map(|claim| claim.uid).collect();
        assert_eq!(uids, BTreeSet::from([70_001, 70_002]));
        assert!(matches!(claim(&dir, &pool, 7), Err(Error::NoUid { .. })));
    }

    #[test]
    fn a_uid_rests_whatever_pool_it_was_claimed_of() {
        let (_scratch, dir) = pool();
        release(&dir, claim(&dir, &(70_001..=70_002), 0).unwrap().uid).unwrap();
        assert_eq!(claim(&dir, &(70_000..=70_002), 1).unwrap().uid, 70_002);
    }

    #[test]
    fn a_pool_of_all_uids_is_no_burden() {
        let (_scratch, dir) = pool();
        let all = 1..=u32::MAX - 1;
        for start in [0, 5, u32::MAX] {
            assert!(all.contains(&claim(&dir, &all, start).unwrap().uid));
        }
        assert_eq!(window(&all, u32::MAX - 1).0.count() as u64, WINDOW);
    }
}
