//! The process that fetches: nobody's, in a root of its own, with one directory to write to. What it says is believed no
//! more than what the server says.
mod checksum;
mod http;
mod problem;
mod proxy;
mod report;
mod unpack;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

use self::checksum::Hasher;
use self::http::{Client, Trust};
use self::problem::Problem;
use self::report::Report;
use super::order::{Limits, Line, ORDER, OUT, Order, REPORT, STAGING, Sum, Wanted};
use super::url::Url;

pub(super) use proxy::VARIABLES;
pub use unpack::try_unpacking;

/// What all of it may use of memory: the largest windows of the formats, and room to work.
const MEMORY: u64 = 1 << 30;
/// A list of sums is no longer.
const LIST: u64 = 4 << 20;
const DOWNLOAD: &str = "download";

/// Does what the order says.
pub(super) fn main() -> ExitCode {
    // Before anything else is in memory: another process of nobody's must not look into this one.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let staging = Path::new(STAGING);
    let report = File::options().append(true).open(staging.join(REPORT));
    let Ok(mut report) = report.map(Report::to) else {
        return ExitCode::FAILURE;
    };
    let done = read(Path::new(ORDER)).and_then(|order| {
        limit(&order.limits);
        run(&order, staging, &mut report)
    });
    match done {
        Ok(bytes) => report.say(&Line::Done { bytes }),
        Err(problem) => report.say(&Line::Failed {
            reason: problem.to_string(),
        }),
    }
    ExitCode::SUCCESS
}

fn read(order: &Path) -> Result<Order, Problem> {
    let text = std::fs::read(order).map_err(Problem::order)?;
    serde_json::from_slice(&text).map_err(|error| Problem::order(error.into()))
}

/// The kernel's limits, in case ours are wrong. A refusal leaves the ones that are there.
fn limit(limits: &Limits) {
    let at_most = |value: u64| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    let _ = rustix::process::setrlimit(Resource::As, at_most(MEMORY));
    let _ = rustix::process::setrlimit(Resource::Core, at_most(0));
    let largest = [limits.download, limits.unpacked].map(|limit| limit.unwrap_or(u64::MAX));
    if let Some(bytes) = largest.into_iter().max().filter(|bytes| *bytes < u64::MAX) {
        let _ = rustix::process::setrlimit(Resource::Fsize, at_most(bytes.max(1 << 20)));
    }
}

/// Fetches, checks and unpacks; says how many bytes came.
fn run(order: &Order, staging: &Path, report: &mut Report) -> Result<u64, Problem> {
    let url = Url::parse(&order.url)?;
    let trust = match (&order.sum, order.insecure) {
        (_, true) => Trust::Anybody,
        (Some(Wanted::Sum(_)), false) => Trust::Sum,
        _ => Trust::Server,
    };
    let client = Client::new(trust, order.limits.time.map(|time| Instant::now() + time));
    let sum = match &order.sum {
        None => None,
        Some(Wanted::Sum(sum)) => Some(sum.clone()),
        Some(Wanted::In { url, names }) => Some(listed(&client, url, names)?),
    };
    let download = staging.join(DOWNLOAD);
    let bytes = fetch(&client, &url, order, sum, &download, report)?;
    let out = staging.join(OUT);
    match order.archive {
        None => unpack::keep(&download, &order.result, &out)?,
        Some(archive) => {
            report.say(&Line::Unpacking);
            let limits = Limits {
                room: order.limits.room.map(|room| room.saturating_sub(bytes)),
                ..order.limits
            };
            let left_out = unpack::unpack(&download, archive, &order.result, &out, limits)?;
            if let Some(first) = left_out.first {
                let count = left_out.count;
                report.say(&Line::LeftOut { count, first });
            }
            std::fs::remove_file(&download).map_err(Problem::write)?;
        }
    }
    Ok(bytes)
}

/// The sum that a list of them has for a file.
fn listed(client: &Client, url: &str, names: &[String]) -> Result<Sum, Problem> {
    let url = Url::parse(url)?;
    let answer = client.get(&url, &[])?;
    let mut list = Vec::new();
    let mut body = answer.body.take(LIST + 1);
    body.read_to_end(&mut list).map_err(Problem::read)?;
    if list.len() as u64 > LIST {
        return Err(Problem::LongList { url });
    }
    checksum::find(&String::from_utf8_lossy(&list), names).ok_or(Problem::NotListed { url })
}

fn fetch(
    client: &Client,
    url: &Url,
    order: &Order,
    sum: Option<Sum>,
    to: &Path,
    report: &mut Report,
) -> Result<u64, Problem> {
    let answer = client.get(url, &order.headers)?;
    let limits = &order.limits;
    within(answer.length.unwrap_or(0), limits)?;
    let mut file = File::create(to).map_err(Problem::write)?;
    let mut hasher = sum.as_ref().map(|sum| Hasher::of(sum.kind));
    let (mut body, mut bytes) = (answer.body, 0_u64);
    let mut chunk = vec![0; 256 << 10];
    loop {
        let got = body
            .read(&mut chunk)
            .map_err(|error| match client.is_late() {
                true => Problem::Late,
                false => Problem::read(error),
            })?;
        if got == 0 {
            break;
        }
        bytes += got as u64;
        within(bytes, limits)?;
        if let Some(hasher) = &mut hasher {
            hasher.update(&chunk[..got]);
        }
        file.write_all(&chunk[..got]).map_err(Problem::write)?;
        report.progress(bytes, answer.length);
    }
    match (sum, hasher.map(Hasher::digits)) {
        (Some(sum), Some(got)) if sum.digits != got => Err(Problem::Sum { wanted: sum, got }),
        _ => Ok(bytes),
    }
}

fn within(bytes: u64, limits: &Limits) -> Result<(), Problem> {
    if let Some(limit) = limits.download.filter(|limit| bytes > *limit) {
        return Err(Problem::LongDownload { limit });
    }
    match limits.room {
        Some(room) if bytes > room => Err(Problem::NoRoom { room }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
