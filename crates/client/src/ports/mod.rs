//! Ports for the tasks of a group, claimed across runs: the ones that a job names, and ones of the dynamic range.
//!
//! A port is claimed by a lock on `<port>.lock`, which says who holds it; the kernel drops the lock when its holder
//! dies, however it dies. Claims change under the lock of `.lock`. Nomad's scheduler knows only what it gave away
//! itself; here a port is also tried, and one that anybody has bound is not given.
//!
//! A lock file that nobody holds is of a killed run. Its tasks may live for another moment, so the port counts as taken
//! until the run has been cleared, which ends the tasks and takes the run's directory away.
mod bound;
mod holder;
pub(crate) mod host_ip;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::time::{Duration, Instant};

use jobspec::{Diagnostic, Group, Port};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::config::{Code, diagnostic};
use crate::cores::Holder;
use crate::dirs::Dir;
use crate::error::{Attempt, Error, HostError};
use crate::node::Node;

const ALL: &str = ".lock";
/// How long the tasks of a killed run may take to end.
const DYING: Duration = Duration::from_secs(10);

/// A port of an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The port's label.
    pub label: String,
    /// Its number on this host.
    pub value: u16,
    /// The number that the task is told; 0: the same.
    pub to: u16,
    /// The address that others are told.
    pub host_ip: IpAddr,
}

impl Mapping {
    /// The number that the task is told.
    pub(crate) fn inside(&self) -> u16 {
        if self.to == 0 { self.value } else { self.to }
    }

    /// Where others find it.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host_ip, self.value)
    }
}

/// The ports of this node, and where they are claimed.
#[derive(Debug, Clone)]
pub(crate) struct Ports<'a> {
    pub(crate) dir: &'a Dir,
    /// `client.min_dynamic_port`, and the port before which the range ends.
    pub(crate) dynamic: Range<u16>,
    /// Never given.
    pub(crate) reserved: &'a [RangeInclusive<u16>],
    /// `client.network_interface`, whose address others are told.
    pub(crate) interface: Option<&'a str>,
}

/// The ports of one allocation, and whose they are to be.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    group: &'a Group,
    ports: &'a [Port],
    holder: &'a Holder,
    host_ip: IpAddr,
}

/// Ports that are ours as long as this lives.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    pub(crate) ports: Vec<Mapping>,
    locks: Vec<(u16, File)>,
}

/// Why a port cannot be had.
enum Taken {
    /// A killed run's, for another moment.
    Dying,
    /// Somebody's, in words.
    By(String),
    /// The host failed.
    Host(HostError),
}

impl From<HostError> for Taken {
    fn from(error: HostError) -> Taken {
        Taken::Host(error)
    }
}

/// Why not all ports of a group can be had.
enum Refused {
    Dying,
    Error(Error),
}

impl<'a> Ports<'a> {
    /// Those of this node.
    pub(crate) fn of(dir: &'a Dir, node: &'a Node) -> Ports<'a> {
        Ports {
            dir,
            dynamic: node.dynamic_ports.clone(),
            reserved: &node.reserved_ports,
            interface: node.network_interface.as_deref(),
        }
    }

    /// Claims the ports of a group, all or none, in the order of the file. `clear` clears up behind killed runs.
    pub(crate) fn claim(
        &self,
        group: &Group,
        holder: &Holder,
        clear: &mut dyn FnMut(),
    ) -> Result<Claim, Error> {
        let ports = group.network.as_ref().map_or(&[][..], |of| &of.ports);
        let Some(first) = ports.first() else {
            return Ok(Claim::default());
        };
        // Here and no earlier: an interface that is down is no matter to who has no ports.
        let host_ip = host_ip::of(self.interface).map_err(|problem| {
            let reason = format!("client.network_interface: {problem}");
            Error::Unmet(vec![refused(group, first, &reason)])
        })?;
        let asked = Asked {
            group,
            ports,
            holder,
            host_ip,
        };
        let deadline = Instant::now() + DYING;
        loop {
            match self.attempt(asked) {
                Ok(claim) => return Ok(claim),
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Dying) if Instant::now() > deadline => {
                    let reason = "the run that had its ports was killed, and its tasks do not end";
                    return Err(Error::Unmet(vec![refused(group, first, reason)]));
                }
                Err(Refused::Dying) => clear(),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn attempt(&self, asked: Asked<'_>) -> Result<Claim, Refused> {
        let _all = self.lock_all().map_err(Refused::from)?;
        let mut claim = Claim::default();
        match self.fill(&mut claim, asked) {
            Ok(()) => Ok(claim),
            Err(refused) => {
                self.drop_locked(claim).map_err(Refused::from)?;
                Err(refused)
            }
        }
    }

    /// The static ones first: no dynamic one must take their place.
    fn fill(&self, claim: &mut Claim, asked: Asked<'_>) -> Result<(), Refused> {
        let Asked {
            group,
            ports,
            holder,
            host_ip,
        } = asked;
        let mut numbers: Vec<Option<u16>> = vec![None; ports.len()];
        let mut unmet = Vec::new();
        for (port, number) in ports.iter().zip(&mut numbers) {
            let Some(wanted) = &port.static_port else {
                continue;
            };
            *number = Some(wanted.value);
            if port.ignore_collision {
                continue;
            }
            match self.take(wanted.value, holder) {
                Ok(lock) => claim.locks.push((wanted.value, lock)),
                Err(Taken::Dying) => return Err(Refused::Dying),
                Err(Taken::Host(error)) => return Err(error.into()),
                Err(Taken::By(who)) => unmet.push(self.in_use(group, port, wanted.value, &who)),
            }
        }
        if !unmet.is_empty() {
            return Err(Refused::Error(Error::Unmet(unmet)));
        }
        for (port, number) in ports.iter().zip(numbers) {
            let value = match number {
                Some(value) => value,
                None => self.draw(claim, asked, port)?,
            };
            claim.ports.push(mapping(port, value, host_ip));
        }
        Ok(())
    }

    /// Any port of the range that nobody has.
    fn draw(&self, claim: &mut Claim, asked: Asked<'_>, port: &Port) -> Result<u16, Refused> {
        let Range { start, end } = self.dynamic;
        let count = u32::from(end.saturating_sub(start));
        let first = crate::ids::random().map_err(Refused::from)?;
        let mut dying = false;
        for step in 0..count {
            let offset = (first % count + step) % count;
            // Both are below 65536, and so is the end of the range.
            let number = start + offset as u16;
            let ours = claim.locks.iter().any(|(taken, _)| *taken == number);
            if ours || self.is_reserved(number) {
                continue;
            }
            match self.take(number, asked.holder) {
                Ok(lock) => {
                    claim.locks.push((number, lock));
                    return Ok(number);
                }
                Err(Taken::Host(error)) => return Err(error.into()),
                Err(Taken::Dying) => dying = true,
                Err(Taken::By(_)) => {}
            }
        }
        if dying {
            return Err(Refused::Dying);
        }
        let reason = format!(
            "dynamic port selection failed: all of {start}-{} are taken (client.min_dynamic_port, max_dynamic_port)",
            end.saturating_sub(1)
        );
        Err(Refused::Error(Error::Unmet(vec![refused(
            asked.group,
            port,
            &reason,
        )])))
    }

    fn is_reserved(&self, number: u16) -> bool {
        let mut reserved = self.reserved.iter();
        reserved.any(|range| range.contains(&number))
    }

    /// Claims one port, if nobody has claimed it and nobody has bound it.
    fn take(&self, number: u16, holder: &Holder) -> Result<File, Taken> {
        if self.is_reserved(number) {
            return Err(Taken::By(
                "kept by client.reserved.reserved_ports".to_owned(),
            ));
        }
        let name = lock_name(number);
        let mut file = self.dir.file(&name, OFlags::RDWR | OFlags::CREATE)?;
        let before = read(&mut file);
        if !try_lock(&file)? {
            return Err(Taken::By(before.map_or_else(
                || "being claimed by another run".to_owned(),
                |by| {
                    let Holder {
                        job, alloc, pid, ..
                    } = by;
                    format!("held by job {job:?} (alloc {alloc}, pid {pid})")
                },
            )));
        }
        if before.is_some_and(|before| before.run_dir.exists()) {
            return Err(Taken::Dying);
        }
        let in_use = bound::in_use(number).attempt(|| format!("try port {number}"))?;
        if let Some(protocol) = in_use {
            self.dir.unlink(&name)?;
            let who = holder::of(protocol, number);
            return Err(Taken::By(who.map_or_else(
                || "in use".to_owned(),
                |who| format!("in use by {who}"),
            )));
        }
        write(&mut file, holder)
            .attempt(|| format!("write {}", self.dir.path().join(&name).display()))?;
        Ok(file)
    }

    fn in_use(&self, group: &Group, port: &Port, number: u16, who: &str) -> Diagnostic {
        let label = &port.label.value;
        let Range { start, end } = self.dynamic;
        let detail = format!(
            "port {label:?} = {number} is {who}; pick another, or drop `static` to get one from {start}-{}.",
            end.saturating_sub(1)
        );
        let span = port
            .static_port
            .as_ref()
            .map_or(port.label.span.clone(), |number| number.span.clone());
        diagnostic(Code::Port, detail, span, within(group))
    }

    /// Gives ports back, once nothing of their owner runs any more.
    pub(crate) fn release(&self, claim: Claim) -> Result<(), HostError> {
        if claim.locks.is_empty() {
            return Ok(());
        }
        let _all = self.lock_all()?;
        self.drop_locked(claim)
    }

    /// Forgets the claims of killed runs that have been cleared.
    pub(crate) fn sweep(&self) -> Result<(), HostError> {
        let numbered = |name: &String| number_of(name).is_some();
        if !self.dir.names()?.iter().any(numbered) {
            return Ok(());
        }
        let _all = self.lock_all()?;
        for name in self.dir.names()?.iter().filter(|name| numbered(name)) {
            let mut file = self.dir.file(name, OFlags::RDWR)?;
            let holder = read(&mut file);
            let is_dying = holder.is_some_and(|holder| holder.run_dir.exists());
            if try_lock(&file)? && !is_dying {
                self.dir.unlink(name)?;
            }
        }
        Ok(())
    }

    fn lock_all(&self) -> Result<File, HostError> {
        let file = self.dir.file(ALL, OFlags::RDWR | OFlags::CREATE)?;
        flock(&file, FlockOperation::LockExclusive)
            .attempt(|| format!("lock {}", self.dir.path().display()))?;
        Ok(file)
    }

    fn drop_locked(&self, claim: Claim) -> Result<(), HostError> {
        for (number, _) in &claim.locks {
            self.dir.unlink(&lock_name(*number))?;
        }
        drop(claim.locks);
        Ok(())
    }
}

impl From<HostError> for Refused {
    fn from(error: HostError) -> Refused {
        Refused::Error(error.into())
    }
}

fn refused(group: &Group, port: &Port, reason: &str) -> Diagnostic {
    let detail = format!("port {:?}: {reason}", port.label.value);
    diagnostic(Code::Port, detail, port.label.span.clone(), within(group))
}

fn within(group: &Group) -> String {
    format!("group {:?} network", group.name)
}

/// Ports as they may come out, so that what is said of them can be checked before they are claimed.
pub(crate) fn before_claim(group: &Group, node: &Node) -> Vec<Mapping> {
    let ports = group.network.iter().flat_map(|network| &network.ports);
    ports
        .map(|port| {
            let value = port
                .static_port
                .as_ref()
                .map_or(node.dynamic_ports.start, |number| number.value);
            mapping(port, value, Ipv4Addr::LOCALHOST.into())
        })
        .collect()
}

fn mapping(port: &Port, value: u16, host_ip: IpAddr) -> Mapping {
    let to = port.to.as_ref().map_or(0, |to| to.value);
    Mapping {
        label: port.label.value.clone(),
        value,
        // -1 is the port's own number.
        to: u16::try_from(to).unwrap_or(value),
        host_ip,
    }
}

/// What keeps the group's ports from being had whatever is free: Nomad's node would be filtered.
pub(crate) fn possible(group: &Group) -> Result<(), Error> {
    let ports = group.network.iter().flat_map(|network| &network.ports);
    let unmet = ports.flat_map(|port| [other_network(group, port), twice(group, port)]);
    let unmet: Vec<Diagnostic> = unmet.flatten().collect();
    if unmet.is_empty() {
        Ok(())
    } else {
        Err(Error::Unmet(unmet))
    }
}

fn other_network(group: &Group, port: &Port) -> Option<Diagnostic> {
    let network = port.host_network.as_ref()?;
    if network.value == "default" {
        return None;
    }
    let detail = format!(
        "* Constraint \"missing host network {:?} for port {:?}\": 1 nodes excluded by filter; there is only the \
         default one here, leave host_network out.",
        network.value, port.label.value
    );
    let span = network.span.clone();
    Some(diagnostic(Code::Port, detail, span, within(group)))
}

/// A static port that several allocations on this one node would have.
fn twice(group: &Group, port: &Port) -> Option<Diagnostic> {
    let number = port.static_port.as_ref()?;
    if group.count < 2 || port.ignore_collision {
        return None;
    }
    let detail = format!(
        "port {:?} = {} can be had once on one machine, and count = {} asks for it as often; drop `static`, or set \
         ignore_collision where the tasks share it.",
        port.label.value, number.value, group.count
    );
    let span = number.span.clone();
    Some(diagnostic(Code::Port, detail, span, within(group)))
}

fn lock_name(number: u16) -> String {
    format!("{number}.lock")
}

fn number_of(name: &str) -> Option<u16> {
    name.strip_suffix(".lock")?.parse().ok()
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    let text = serde_json::to_string(holder)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn try_lock(file: &File) -> Result<bool, HostError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).attempt(|| "lock a port".to_owned()),
    }
}

#[cfg(test)]
mod tests;
