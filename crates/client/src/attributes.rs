//! What a job can ask of this node: `attr.…`, `node.…`, `meta.…`, with the names and the forms that Nomad's client
//! gives them.
//!
//! Only what jobs are known to use. A fact that the host does not tell is left out.
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;

use cgroup::Version;
use driver::{Compute, ConfigError, Fingerprint, Health, Kind};
use jobspec::Scope;

use crate::drivers::Fingerprints;
use crate::ports::host_ip;
use crate::settings::Settings;

type Map = BTreeMap<String, String>;

/// Looks at this host; `env` stays empty.
pub(crate) fn attributes(settings: &Settings, compute: Compute, drivers: &Fingerprints) -> Scope {
    Scope {
        env: Map::new(),
        attr: of_host(settings, compute, drivers),
        node: of_node(settings),
        meta: settings.node.meta.clone(),
    }
}

fn of_node(settings: &Settings) -> Map {
    let node = &settings.node;
    let name = node.name.clone().unwrap_or_else(hostname);
    named([
        ("unique.id", unique_id()),
        ("unique.name", name),
        ("datacenter", node.datacenter.clone()),
        ("region", node.region.clone()),
        ("class", node.class.clone()),
        ("pool", node.pool.clone()),
    ])
}

fn of_host(settings: &Settings, compute: Compute, drivers: &Fingerprints) -> Map {
    let mut all = named([
        ("os.signals", driver::signals::names().join(",")),
        ("unique.hostname", hostname()),
        ("unique.network.ip-address", address(settings)),
    ]);
    all.extend(of_kernel());
    all.extend(of_cpu(settings, compute));
    all.extend(of_os());
    all.extend(of_memory(&read("/proc/meminfo")));
    all.extend(of_storage(&settings.data_dir));
    all.extend(of_cgroups());
    all.extend(drivers.iter().flat_map(of_driver));
    all
}

fn of_kernel() -> Map {
    let name = rustix::system::uname();
    let mut all = named([
        ("kernel.name", "linux".to_owned()),
        (
            "kernel.version",
            name.release().to_string_lossy().into_owned(),
        ),
        ("kernel.arch", name.machine().to_string_lossy().into_owned()),
    ]);
    if let Some(abi) = sandbox::landlock::abi() {
        all.insert("kernel.landlock".to_owned(), format!("v{abi}"));
    }
    all
}

fn of_cpu(settings: &Settings, compute: Compute) -> Map {
    let reserved = settings.node.reserved_cores.len() as u64;
    let frequency = compute.total_mhz / compute.cores.max(1);
    let mut all = named([
        ("cpu.arch", go_arch(std::env::consts::ARCH).to_owned()),
        ("cpu.numcores", compute.cores.to_string()),
        (
            "cpu.reservablecores",
            compute.cores.saturating_sub(reserved).to_string(),
        ),
        ("cpu.totalcompute", compute.total_mhz.to_string()),
        (
            "cpu.usablecompute",
            compute
                .total_mhz
                .saturating_sub(reserved * frequency)
                .to_string(),
        ),
        ("cpu.frequency", frequency.to_string()),
    ]);
    if let Some(model) = model(&read("/proc/cpuinfo")) {
        all.insert("cpu.modelname".to_owned(), model);
    }
    all
}

/// Go's name for an architecture, which is Nomad's.
fn go_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn of_memory(meminfo: &str) -> Map {
    let total = meminfo.lines().find_map(|line| {
        let kilobytes = line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?;
        kilobytes.trim().parse::<u64>().ok()
    });
    let total = total.map(|kilobytes| ("memory.totalbytes", (kilobytes << 10).to_string()));
    named(total)
}

fn of_os() -> Map {
    let release = read("/etc/os-release");
    let debian = read("/etc/debian_version");
    let name = field(&release, "ID");
    let version = match name.as_deref() {
        // Its release file has the point release, os-release has not.
        Some("debian") if !debian.trim().is_empty() => Some(debian.trim().to_owned()),
        _ => field(&release, "VERSION_ID"),
    };
    named(
        [("os.name", name), ("os.version", version)]
            .map(|(key, value)| (key, value.unwrap_or_default())),
    )
}

/// A value of os-release(5).
fn field(release: &str, name: &str) -> Option<String> {
    let value = release
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

/// Of the file system that allocations lie on, as df(1) tells it; before the first run that is a parent's.
fn of_storage(data_dir: &Path) -> Map {
    let Some((path, size)) = data_dir
        .ancestors()
        .find_map(|path| Some((path, rustix::fs::statvfs(path).ok()?)))
    else {
        return Map::new();
    };
    let mut all = named([
        (
            "unique.storage.bytestotal",
            size.f_blocks.saturating_mul(size.f_frsize).to_string(),
        ),
        (
            "unique.storage.bytesfree",
            size.f_bavail.saturating_mul(size.f_frsize).to_string(),
        ),
    ]);
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(volume) = volume(&path, &read("/proc/self/mountinfo")) {
        all.insert("unique.storage.volume".to_owned(), volume);
    }
    all
}

/// What is mounted where a path lies: of the deepest mount points above it the last, which covers the others.
fn volume(path: &Path, mountinfo: &str) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let point = Path::new(mount.split(' ').nth(4)?);
        let source = source.split(' ').nth(1)?;
        path.starts_with(point)
            .then(|| (point.components().count(), source))
    });
    let deepest = mounts.max_by_key(|(depth, _)| *depth)?;
    Some(deepest.1.to_owned())
}

fn of_cgroups() -> Map {
    let version = cgroup::Host::detect().ok().map(|host| match host.version {
        Version::V1 => "1",
        Version::V2 => "2",
    });
    named(version.map(|version| ("os.cgroups.version", version.to_owned())))
}

/// A driver that is there says so with `1`. Without root it does not say whether it is; it may well be.
fn of_driver((kind, found): &(Kind, Result<Fingerprint, ConfigError>)) -> Map {
    let there = |found: &&Fingerprint| found.health != Health::Unhealthy;
    let Some(fingerprint) = found.as_ref().ok().filter(there) else {
        return Map::new();
    };
    let attributes = fingerprint.attributes.iter();
    let mut all: Map = attributes
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    all.insert(format!("driver.{}", kind.name()), "1".to_owned());
    all
}

/// That of the configured interface, or the one by which this host reaches others. Connecting a UDP socket sends nothing: the kernel only looks up the
/// route (udp(7)). The address asked for is one of documentation (RFC 5737).
fn address(settings: &Settings) -> String {
    if settings.node.network_interface.is_some()
        && let Ok(address) = host_ip::of(settings.node.network_interface.as_deref())
    {
        return address.to_string();
    }
    let asked = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    asked.map_or_else(
        |_| "127.0.0.1".to_owned(),
        |address| address.ip().to_string(),
    )
}

/// This host's name.
pub(crate) fn hostname() -> String {
    read("/proc/sys/kernel/hostname").trim().to_owned()
}

/// The same for this host at all times. machine-id(5) asks that its own value is not handed out, so it is hashed.
fn unique_id() -> String {
    let machine = read("/etc/machine-id");
    let known = if machine.trim().is_empty() {
        hostname()
    } else {
        machine
    };
    let hash = format!("{:032x}", fnv(known.trim().as_bytes()));
    format!(
        "{}-{}-{}-{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..16],
        &hash[16..20],
        &hash[20..]
    )
}

/// FNV-1a with 128 bits (draft-eastlake-fnv).
fn fnv(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, &byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    })
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn named<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Map {
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    pairs.into_iter().map(owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::drivers::fingerprints;
    use crate::here::Here;

    /// What every Linux host tells.
    const ALWAYS: [&str; 19] = [
        "cpu.arch",
        "cpu.frequency",
        "cpu.numcores",
        "cpu.reservablecores",
        "cpu.totalcompute",
        "cpu.usablecompute",
        "driver.exec",
        "kernel.arch",
        "kernel.name",
        "kernel.version",
        "memory.totalbytes",
        "os.name",
        "os.signals",
        "os.version",
        "unique.hostname",
        "unique.network.ip-address",
        "unique.storage.bytesfree",
        "unique.storage.bytestotal",
        "unique.storage.volume",
    ];

    #[test]
    fn this_host_tells_what_jobs_ask_for() {
        let scope = Here::look(&Settings::default()).scope;
        for name in ALWAYS {
            assert!(scope.attr.contains_key(name), "{name} in {:#?}", scope.attr);
        }
        for name in [
            "cpu.frequency",
            "cpu.numcores",
            "cpu.totalcompute",
            "memory.totalbytes",
            "unique.storage.bytesfree",
            "unique.storage.bytestotal",
        ] {
            assert!(scope.attr[name].parse::<u64>().is_ok(), "{name}");
        }
        assert_eq!(scope.attr["kernel.name"], "linux");
        assert_eq!(scope.attr["driver.exec"], "1");
        assert!(
            scope.attr["unique.network.ip-address"]
                .parse::<std::net::IpAddr>()
                .is_ok()
        );
        if let Some(abi) = scope.attr.get("kernel.landlock") {
            assert!(
                abi.strip_prefix('v').unwrap().parse::<u32>().is_ok(),
                "{abi}"
            );
        }
        if let Some(version) = scope.attr.get("os.cgroups.version") {
            assert!(version == "1" || version == "2", "{version}");
        }
    }

    #[test]
    fn the_node_is_as_its_operator_calls_it() {
        let mut settings = Settings::default();
        settings.node.name = Some("n1".to_owned());
        settings.node.class = "big".to_owned();
        settings.node.meta = Map::from([("rack".to_owned(), "7".to_owned())]);
        settings.node.reserved_cores = [0].into_iter().collect();
        let compute = Compute {
            total_mhz: 6000,
            cores: 4,
        };
        let scope = attributes(&settings, compute, &fingerprints(&settings, compute));
        assert_eq!(scope.node["unique.name"], "n1");
        assert_eq!(scope.node["class"], "big");
        assert_eq!(scope.node["pool"], "default");
        assert_eq!(scope.node["datacenter"], "dc1");
        assert_eq!(scope.meta["rack"], "7");
        assert_eq!(scope.attr["cpu.reservablecores"], "3");
        assert_eq!(scope.attr["cpu.frequency"], "1500");
        assert_eq!(scope.attr["cpu.usablecompute"], "4500");
    }

    #[test]
    fn the_id_of_a_node_is_a_uuid_and_stays() {
        let id = unique_id();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(id, unique_id());
        // The test vector of the draft.
        assert_eq!(fnv(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn the_files_of_the_kernel_are_read_as_they_are_written() {
        let memory = of_memory("MemFree: 1 kB\nMemTotal:       24684092 kB\n");
        assert_eq!(memory["memory.totalbytes"], "25276510208");
        assert!(of_memory("").is_empty());
        let info = "processor\t: 0\nmodel name\t: Xeon(R) CPU @ 2.10GHz\n";
        assert_eq!(model(info).unwrap(), "Xeon(R) CPU @ 2.10GHz");
        let release = "PRETTY_NAME=\"x\"\nVERSION_ID=\"22.04\"\nID=ubuntu\n";
        assert_eq!(field(release, "ID").unwrap(), "ubuntu");
        assert_eq!(field(release, "VERSION_ID").unwrap(), "22.04");
        assert_eq!(field(release, "NAME"), None);
        let mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /var rw - ext4 /dev/b rw\n3 1 8:3 / /variety rw - ext4 /dev/c rw\n4 2 0:9 / /var rw - tmpfs none rw\n";
        assert_eq!(volume(Path::new("/var/lib"), mounts).unwrap(), "none");
        assert_eq!(volume(Path::new("/etc"), mounts).unwrap(), "/dev/a");
        assert_eq!(volume(Path::new("/etc"), ""), None);
    }
}
