//! A stage: the host's tree under an overlay of its own, in a mount namespace of its own, where a test may make and change any path.
//!
//! Nothing of it reaches the host, and it is gone with the last process on it. `/dev` is a small one, `/sys` holds the cgroups and
//! the devices.
use std::process::Command;

/// Builds the stage, carries out the test's own lines, becomes the command. `/media` is only covered, in this namespace.
const SCRIPT: &str = r#"
set -e
top=/media
mount -t tmpfs -o mode=755 stage $top
mkdir $top/upper $top/work $top/root
mount -t overlay -o lowerdir=/,upperdir=$top/upper,workdir=$top/work stage $top/root
# What lies on the root's own file system is there; other mounts (a /tmp, a /usr of their own) get an overlay each.
count=0
while read -r _ _ _ _ at _; do
  case $at in / | /proc* | /sys* | /dev* | /run* | /mnt* | $top* | *encamp* | */alloc/*) continue ;; esac
  [ -d "$at" ] || continue
  count=$((count + 1))
  mkdir -p $top/more/$count/upper $top/more/$count/work
  mount -t overlay -o "lowerdir=$at,upperdir=$top/more/$count/upper,workdir=$top/more/$count/work" stage "$top/root$at" 2>/dev/null || true
done </proc/self/mountinfo
cd $top/root
mount --rbind /proc proc
mount -t tmpfs -o mode=755 stage sys
mkdir -p sys/fs/cgroup sys/devices
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /sys/devices sys/devices
mount -t tmpfs -o mode=755 stage dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 stage dev/pts
mount -t tmpfs stage dev/shm
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
# Locks are not seen across an overlay: a run here would take those of the host for dead, and end them.
for state in run/encamp var/lib/encamp; do
  mkdir -p $state
  mount -t tmpfs -o mode=755 stage $state
done
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
"#;

/// The command on a stage that `setup`, lines of sh(1), has prepared.
#[must_use]
pub fn on_stage(setup: &str, command: &Command) -> Command {
    let mut staged = Command::new("unshare");
    let script = format!("{SCRIPT}\n{setup}\nexec \"$@\"");
    staged
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => staged.env(name, value),
            None => staged.env_remove(name),
        };
    }
    staged
}

/// Set on the stage, to the name of the test that runs there.
const ON_STAGE: &str = "ENCAMP_SUITE_ON_STAGE";

/// For a test that must be on the stage itself: `false` there, so that it goes on; anywhere else the test is run again on one,
/// and the answer is `true`.
///
/// # Panics
/// When it fails there.
#[must_use]
#[track_caller]
pub fn ran_on_stage(setup: &str) -> bool {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    if std::env::var(ON_STAGE).is_ok_and(|staged| staged == test) {
        return false;
    }
    let mut own = Command::new(std::env::current_exe().unwrap());
    own.args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(ON_STAGE, &test)
        .env("ENCAMP_BIN", crate::binaries::encamp());
    let outcome = crate::Running::start(&mut on_stage(setup, &own)).wait();
    let ran = outcome.stdout.contains("1 passed");
    assert!(outcome.code == Some(0) && ran, "on the stage:\n{outcome}");
    true
}
