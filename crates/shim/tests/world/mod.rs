//! A place for one process: a fresh directory, a cgroup, FIFOs, and a description to start from.
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sandbox::spec::*;
use shim::{Launch, Lifetime, Running, Shim, SpawnError};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A fresh directory, cgroup and FIFOs, all gone in the end.
#[allow(dead_code, reason = "each test program uses its part")]
pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) cgroup: cgroup::Cgroup,
    readers: Vec<fs::File>,
}

#[allow(dead_code, reason = "each test program uses its part")]
impl World {
    pub(crate) fn new() -> Option<World> {
        if !need::require(&[need::Need::Root]) {
            return None;
        }
        let name = format!(
            "encamp-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(&name);
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let paths = cgroup::Host::detect().unwrap().paths(Path::new(&name));
        let cgroup = cgroup::Cgroup::create(&paths).unwrap();
        let mut readers = vec![];
        for name in ["out", "err"] {
            let path = dir.join(name);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                0o600.into(),
                0,
            )
            .unwrap();
            let flags = rustix::fs::OFlags::RDONLY
                | rustix::fs::OFlags::NONBLOCK
                | rustix::fs::OFlags::CLOEXEC;
            readers.push(
                rustix::fs::open(&path, flags, rustix::fs::Mode::empty())
                    .unwrap()
                    .into(),
            );
        }
        Some(World {
            dir,
            cgroup,
            readers,
        })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    pub(crate) fn spawn(&self, spec: &Spec) -> Result<(Shim, Running), SpawnError> {
        self.spawn_as(spec, Lifetime::Detached)
    }

    pub(crate) fn spawn_as(
        &self,
        spec: &Spec,
        lifetime: Lifetime,
    ) -> Result<(Shim, Running), SpawnError> {
        self.spawn_in(&self.state(), spec, lifetime)
    }

    pub(crate) fn spawn_in(
        &self,
        state: &Path,
        spec: &Spec,
        lifetime: Lifetime,
    ) -> Result<(Shim, Running), SpawnError> {
        let spawned = shim::spawn(&Launch {
            spec,
            cgroup: self.cgroup.paths(),
            state,
            lifetime,
            title: "test",
        })?;
        Ok((spawned.shim, spawned.running))
    }

    pub(crate) fn output(&mut self) -> String {
        read(&mut self.readers[0])
    }

    pub(crate) fn errors(&mut self) -> String {
        read(&mut self.readers[1])
    }

    pub(crate) fn spec(&self, init: Init, command: &str, args: &[&str]) -> Spec {
        let target = PathBuf::from(command);
        let candidate = Candidate {
            target,
            unexecutable: Unexecutable::Refuse,
        };
        let mount = |target: &str, source| Mount {
            target: target.into(),
            source,
            flags: MountFlags::default(),
            missing: Missing::Skip,
        };
        let layer = |path: &str| mount(path, Source::Layer { path: path.into() });
        let own = init == Init::Process;
        let mut mounts = vec![];
        if own {
            mounts.extend(["/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr"].map(layer));
            mounts.push(mount("/dev", Source::Dev { devices: vec![] }));
            mounts.push(mount("/sys", Source::Sysfs));
            mounts.push(mount("/dev/mqueue", Source::Mqueue));
            mounts.push(mount(
                "/tmp",
                Source::Tmpfs {
                    size_bytes: None,
                    mode: 0o1777,
                },
            ));
        }
        mounts.push(mount("/proc", Source::Proc));
        let rule = |path: &str, access| Rule {
            path: path.into(),
            access,
            missing: Missing::Skip,
            inside: false,
        };
        let rx = Access::READ | Access::EXECUTE;
        let landlock = Landlock {
            rules: ["/bin", "/usr", "/lib", "/lib64", "/etc/ld.so.cache"]
                .map(|path| rule(path, rx))
                .to_vec(),
            scoped: true,
            network: None,
            logged: false,
        };
        let mut landlock = landlock;
        landlock
            .rules
            .push(rule("/dev/null", Access::READ | Access::WRITE));
        landlock.rules.push(Rule {
            inside: true,
            ..rule("/proc", Access::READ)
        });
        Spec {
            command: Command {
                executable: Executable {
                    name: command.into(),
                    candidates: vec![candidate],
                },
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
                env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
                cwd: "/".into(),
                create_cwd: false,
            },
            namespaces: Namespaces {
                pid: Sharing::Private,
                ipc: Sharing::Private,
                net: None,
                hostname: None,
            },
            init,
            root: if own {
                Root::Directory {
                    scratch: self.dir.join("scratch"),
                    no_pivot_root: false,
                }
            } else {
                Root::Host {
                    read_only: true,
                    slave: true,
                }
            },
            mounts,
            masked: vec!["/proc/kcore".into(), "/sys/firmware".into()],
            read_only: vec!["/proc/sys".into()],
            landlock: (!own).then_some(landlock),
            identity: Identity {
                uid: 65534,
                gid: 65534,
                groups: vec![],
            },
            capabilities: Capabilities::default(),
            no_new_privs: !own,
            seccomp: None,
            umask: 0o022,
            oom_score_adj: Some(100),
            stdio: Stdio {
                stdin: sandbox::spec::Input::Null,
                stdout: Output::Fifo(self.dir.join("out")),
                stderr: Output::Fifo(self.dir.join("err")),
            },
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.cgroup.empty(Duration::from_secs(5));
        self.cgroup.remove().unwrap();
        let _ = shim::forget(&self.state());
        fs::remove_dir_all(&self.dir).unwrap();
    }
}

pub(crate) const BOTH: [Init; 2] = [Init::Process, Init::Ours];

fn read(reader: &mut fs::File) -> String {
    let mut text = String::new();
    match reader.read_to_string(&mut text) {
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
            panic!("read the output: {error}")
        }
        _ => text,
    }
}
