//! From the description to descriptors, C strings and steps: every lookup, and everything that can fail with a good message.
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::OpenTreeFlags;

use crate::enforcement::Enforcement;
use crate::layer::{Layer, Scratch};
use crate::order::{self, Parts};
use crate::program::Prepared;
use crate::spec::{Input, Missing, Mount, MountFlags, Network, Root, Rule, Source, Spec};
use crate::step::{Filesystem, Step};
use crate::view::{Links, View, host};
use crate::{
    Error, block, dev, executable, file, landlock, mounts, network, required, seccomp, stdio, sys,
};

/// Makes a program of a description, for a process in this cgroup.
///
/// # Errors
/// Whatever of it cannot be had on this host. Nothing has been started; what was made lies in the root's scratch directory.
pub fn prepare(spec: &Spec, cgroup: &cgroup::Cgroup) -> Result<Prepared, Error> {
    required::check()?;
    let mut make = Preparation {
        fds: vec![],
        refusals: vec![],
        landlock: None,
        seals: vec![],
        terminals: None,
        near: None,
    };
    let (view, root) = make.root(&spec.root)?;
    let mut tree = Tree {
        view,
        scratch: root.scratch,
    };
    let mut mounts = vec![];
    for mount in &spec.mounts {
        mounts.extend(make.mount(mount, &mut tree)?);
    }
    let target = executable::find(&spec.command.executable, &tree.view)?;
    let head = executable::head(&tree.view, &target);
    let parts = make.parts(spec, cgroup, root.step, mounts, &target)?;
    let program = order::program(spec, parts);
    let executable = target.display().to_string();
    Ok(Prepared {
        program,
        fds: make.fds,
        near: make.near,
        refusals: make.refusals,
        landlock: make.landlock,
        executable,
        head,
    })
}

/// What has been made so far.
struct Preparation {
    fds: Vec<OwnedFd>,
    refusals: Vec<String>,
    landlock: Option<Enforcement>,
    seals: Vec<Step>,
    terminals: Option<OwnedFd>,
    near: Option<OwnedFd>,
}

/// The root that was chosen.
struct Chosen {
    step: Option<Step>,
    scratch: Option<Scratch>,
}

/// The tree while it grows.
struct Tree {
    view: View,
    scratch: Option<Scratch>,
}

impl Preparation {
    /// Keeps a descriptor open until the launch and gives its number.
    fn keep(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.fds.push(fd);
        number
    }

    fn root(&mut self, root: &Root) -> Result<(View, Chosen), Error> {
        match root {
            Root::Host { read_only, .. } => {
                let step = read_only.then_some(Step::ReadOnlyTree);
                Ok((
                    host(Links::All)?,
                    Chosen {
                        step,
                        scratch: None,
                    },
                ))
            }
            Root::Directory {
                scratch: path,
                no_pivot_root,
            } => {
                let scratch = Scratch::open(path)?;
                let flags = OpenTreeFlags::OPEN_TREE_CLONE
                    | OpenTreeFlags::OPEN_TREE_CLOEXEC
                    | OpenTreeFlags::AT_EMPTY_PATH;
                let tree = rustix::mount::open_tree(&scratch.root, c"", flags)
                    .map_err(|e| Error::path("clone the mount of", path, e))?;
                // Device nodes work below /dev only: CAP_MKNOD is among what a process may be given. Private, because the clone of a
                // shared mount (systemd makes all of them shared) is shared, and pivot_root(2) refuses such a root with EINVAL.
                let private = libc::MS_PRIVATE;
                sys::mount_setattr(tree.as_fd(), c"", false, libc::MOUNT_ATTR_NODEV, private)
                    .map_err(|e| Error::path("set the flags of the mount of", path, e))?;
                let base = tree
                    .try_clone()
                    .map_err(|e| Error::call("duplicate a descriptor", e))?;
                let root = self.keep(tree);
                let step = if *no_pivot_root {
                    Step::MoveRoot { root }
                } else {
                    Step::PivotRoot { root }
                };
                Ok((
                    View::new(base),
                    Chosen {
                        step: Some(step),
                        scratch: Some(scratch),
                    },
                ))
            }
        }
    }

    /// The steps for one mount; none when it is skipped.
    fn mount(&mut self, mount: &Mount, tree: &mut Tree) -> Result<Vec<Step>, Error> {
        match &mount.source {
            Source::Bind { path, recursive } => {
                if skipped(mount, path) {
                    return Ok(vec![]);
                }
                let (fd, kind) = mounts::bind(path, *recursive, mount.flags)?;
                Ok(vec![self.attach(fd, kind, &mount.target, tree)?])
            }
            Source::Layer { path } => {
                if skipped(mount, path) {
                    return Ok(vec![]);
                }
                self.layers(path, mount, tree)
            }
            Source::Tmpfs { size_bytes, mode } => self.new_directory(mount, tree, |flags| {
                mounts::tmpfs(*size_bytes, *mode, flags)
            }),
            Source::File { contents, mode } => {
                if mount.missing == Missing::Skip && !has_place(&mount.target, tree)? {
                    return Ok(vec![]);
                }
                let fd = file::mount(contents, *mode)?;
                Ok(vec![self.attach(
                    fd,
                    FileType::RegularFile,
                    &mount.target,
                    tree,
                )?])
            }
            Source::Node { path } => {
                let (fd, kind) = mounts::node(path, mount.flags)?;
                Ok(vec![self.attach(fd, kind, &mount.target, tree)?])
            }
            Source::Cover => {
                if tree.view.find(&mount.target)?.is_none() {
                    return Ok(vec![]);
                }
                let closed = MountFlags {
                    read_only: true,
                    nosuid: true,
                    nodev: true,
                    noexec: true,
                    ..mount.flags
                };
                let cover = Mount {
                    flags: closed,
                    ..mount.clone()
                };
                self.new_directory(&cover, tree, |flags| mounts::tmpfs(None, 0o755, flags))
            }
            Source::Proc => self.inside(Filesystem::Proc, mount, tree),
            Source::Sysfs => self.inside(Filesystem::Sysfs, mount, tree),
            Source::Mqueue => self.inside(Filesystem::Mqueue, mount, tree),
            Source::Dev { devices } => {
                let mut steps =
                    self.new_directory(mount, tree, |flags| dev::tree(devices, flags))?;
                let pts = dev::devpts()?;
                let own = pts.try_clone();
                self.terminals = Some(own.map_err(|e| Error::call("duplicate a descriptor", e))?);
                steps.push(self.attach(
                    pts,
                    FileType::Directory,
                    &mount.target.join("pts"),
                    tree,
                )?);
                Ok(steps)
            }
        }
    }

    /// A file system of our own making: writable until everything that lies on it has its mount point.
    fn new_directory(
        &mut self,
        mount: &Mount,
        tree: &mut Tree,
        make: impl FnOnce(MountFlags) -> Result<OwnedFd, Error>,
    ) -> Result<Vec<Step>, Error> {
        let fd = make(MountFlags {
            read_only: false,
            ..mount.flags
        })?;
        let attach = self.attach(fd, FileType::Directory, &mount.target, tree)?;
        if let (true, Step::Attach { target, .. }) = (mount.flags.read_only, &attach) {
            self.seals.push(Step::Seal {
                target: target.clone(),
            });
        }
        Ok(vec![attach])
    }

    fn layers(&mut self, path: &Path, mount: &Mount, tree: &mut Tree) -> Result<Vec<Step>, Error> {
        let Some(scratch) = &tree.scratch else {
            let problem = "cannot be a layer: the root is the host's own".to_owned();
            return Err(Error::Unfit {
                path: path.to_owned(),
                problem,
            });
        };
        let layers = scratch.layers(path, &mount.target, mount.flags, &mut self.refusals)?;
        let mut steps = vec![];
        for layer in layers {
            match layer {
                Layer::Mount(target, fd, kind) => steps.push(self.attach(fd, kind, &target, tree)?),
                Layer::Link(target, to) => link(&tree.view, &target, &to)?,
            }
        }
        Ok(steps)
    }

    fn attach(
        &mut self,
        mount: OwnedFd,
        kind: FileType,
        target: &Path,
        tree: &mut Tree,
    ) -> Result<Step, Error> {
        let target = place(target, kind, tree)?;
        tree.view.attach(target.clone(), Some(mount.as_fd()))?;
        Ok(Step::Attach {
            mount: self.keep(mount),
            target: c_path(&target)?,
        })
    }

    /// A file system that belongs to a namespace of the process is made by a step.
    fn inside(
        &mut self,
        filesystem: Filesystem,
        mount: &Mount,
        tree: &mut Tree,
    ) -> Result<Vec<Step>, Error> {
        let target = place(&mount.target, FileType::Directory, tree)?;
        tree.view.attach(target.clone(), None)?;
        let attributes = mounts::attributes(mount.flags).bits();
        Ok(vec![Step::Mount {
            filesystem,
            target: c_path(&target)?,
            attributes,
        }])
    }

    fn parts(
        &mut self,
        spec: &Spec,
        cgroup: &cgroup::Cgroup,
        root: Option<Step>,
        mounts: Vec<Step>,
        target: &Path,
    ) -> Result<Parts, Error> {
        let entry = cgroup.entry()?;
        let terminals = self.terminals()?;
        let opened = stdio::open(&spec.stdio, &spec.identity, terminals.as_fd())?;
        self.near = opened.near;
        let mut argv = vec![target.display().to_string()];
        argv.extend(spec.command.args.iter().cloned());
        let block = block::write(&[target], &argv, &spec.command.env)?;
        let ruleset = self.ruleset(spec)?;
        Ok(Parts {
            threads: entry
                .threads
                .into_iter()
                .map(|threads| self.keep(threads))
                .collect(),
            cgroup: entry.unified.map(|unified| self.keep(unified)),
            network: self.network(spec)?,
            root,
            mounts,
            seals: std::mem::take(&mut self.seals),
            closed: closed(spec)?,
            rules: rules(spec, ruleset)?,
            ruleset,
            ruleset_flags: spec.landlock.as_ref().map_or(0, landlock::flags),
            stdio: opened.stdio.map(|fd| self.keep(fd)),
            controls_terminal: matches!(spec.stdio.stdin, Input::Terminal { .. }),
            cwd: Step::ChangeDirectory {
                target: c_path(&spec.command.cwd)?,
                create: spec.command.create_cwd,
            },
            hostname: hostname(spec)?,
            oom_score_adj: spec.oom_score_adj.filter(|value| self.oom_allowed(*value)),
            filter: spec.seccomp.as_ref().map(seccomp::compile).transpose()?,
            block: self.keep(block),
            terminals: self.keep(terminals),
            held: held(&mut self.refusals, spec)?,
        })
    }

    fn ruleset(&mut self, spec: &Spec) -> Result<Option<RawFd>, Error> {
        let Some(landlock) = &spec.landlock else {
            return Ok(None);
        };
        let (ruleset, enforcement) = landlock::ruleset(landlock)?;
        self.landlock = Some(enforcement);
        Ok(Some(self.keep(ruleset)))
    }

    fn network(&mut self, spec: &Spec) -> Result<Option<Step>, Error> {
        Ok(match &spec.namespaces.net {
            None => None,
            Some(Network::Private) => Some(Step::Loopback),
            Some(Network::Join(path)) => Some(Step::JoinNamespace {
                fd: self.keep(network::open(path)?),
                kinds: libc::CLONE_NEWNET as u32,
                name: c_path(path)?,
            }),
        })
    }

    /// Lowering needs CAP_SYS_RESOURCE (proc(5)); without it the value stays what it is, and that is said.
    fn oom_allowed(&mut self, value: i32) -> bool {
        let own = std::fs::read_to_string("/proc/self/oom_score_adj")
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let resource = rustix::thread::capabilities(None).is_ok_and(|sets| {
            sets.effective
                .contains(rustix::thread::CapabilitySet::SYS_RESOURCE)
        });
        let allowed = resource || own.is_none_or(|own: i32| value >= own);
        if !allowed {
            self.refusals.push(format!(
                "oom_score_adj {value}: lowering it needs CAP_SYS_RESOURCE"
            ));
        }
        allowed
    }

    /// Where entered commands get terminals from: the tree's own devpts, or the host's.
    fn terminals(&mut self) -> Result<OwnedFd, Error> {
        if let Some(own) = self.terminals.take() {
            return Ok(own);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open("/dev/pts", flags, Mode::empty())
            .map_err(|e| Error::path("open", "/dev/pts", e))
    }
}

fn skipped(mount: &Mount, path: &Path) -> bool {
    mount.missing == Missing::Skip && std::fs::symlink_metadata(path).is_err()
}

/// Whether there is a mount point for a file, or was room to make one.
fn has_place(target: &Path, tree: &Tree) -> Result<bool, Error> {
    match tree.view.make(target, FileType::RegularFile) {
        Ok(_) => Ok(true),
        Err(error) if error.is_no_place() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where a mount goes, resolved; made where that is allowed.
fn place(target: &Path, kind: FileType, tree: &Tree) -> Result<std::path::PathBuf, Error> {
    let found = tree.view.make(target, kind)?;
    let fits = found.is(FileType::Directory) == (kind == FileType::Directory);
    if !fits || found.path == Path::new("/") {
        let problem =
            "cannot be covered by this mount: one is a directory and the other is not".to_owned();
        return Err(Error::Unfit {
            path: target.to_owned(),
            problem,
        });
    }
    Ok(found.path)
}

fn link(view: &View, target: &Path, to: &Path) -> Result<(), Error> {
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Ok(());
    };
    let parent = view.make(parent, FileType::Directory)?;
    // A link where the host has one, so that /bin stays usr/bin.
    match rustix::fs::symlinkat(to, &parent.fd, name) {
        // What the process put there in an earlier run is its own.
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(Error::path("make the link", target, error)),
    }
}

fn closed(spec: &Spec) -> Result<Vec<Step>, Error> {
    let masked = spec.masked.iter().map(|path| {
        Ok(Step::Mask {
            target: c_path(path)?,
        })
    });
    let read_only = spec.read_only.iter().map(|path| {
        Ok(Step::ReadOnlyPath {
            target: c_path(path)?,
        })
    });
    read_only.chain(masked).collect()
}

fn rules(spec: &Spec, ruleset: Option<RawFd>) -> Result<Vec<Step>, Error> {
    let (Some(landlock), Some(ruleset)) = (&spec.landlock, ruleset) else {
        return Ok(vec![]);
    };
    let inside = landlock.rules.iter().filter(|rule| rule.inside);
    let step = |rule: &Rule| {
        let [access, file_access] = landlock::inside(rule);
        Ok(Step::LandlockRule {
            ruleset,
            target: c_path(&rule.path)?,
            access,
            file_access,
            optional: rule.missing == Missing::Skip,
        })
    };
    inside.map(step).collect()
}

fn hostname(spec: &Spec) -> Result<Option<Step>, Error> {
    let Some(name) = &spec.namespaces.hostname else {
        return Ok(None);
    };
    let name = CString::new(name.as_str()).map_err(|_| Error::Nul {
        what: "the host name".to_owned(),
    })?;
    Ok(Some(Step::Hostname { name }))
}

/// The capabilities that can be given at all. What was wanted by number beyond them is said.
fn held(refusals: &mut Vec<String>, spec: &Spec) -> Result<u64, Error> {
    let own = rustix::thread::capabilities(None)
        .map_err(|e| Error::call("read our own capabilities", e))?;
    let held = own.permitted.bits();
    let lacking = spec.capabilities.permitted.0 & !held;
    if lacking != 0 {
        refusals.push(format!("capabilities {lacking:#x} are not ours to give"));
    }
    Ok(held)
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::Nul {
        what: format!("the path {}", path.display()),
    })
}
