//! `network` of a group.

use std::collections::BTreeMap;

use hcl_edit::structure::Block;

use super::{name, no_labels};
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::{DNS, NETWORK, PORT};
use crate::suggest::nearest;
use crate::{Dns, Network, NetworkMode, Port, Span, Spanned};

/// Reads the network of a group.
pub(crate) fn network(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Network>, Reported> {
    let Some(block) = fields.block("network") else {
        return Ok(None);
    };
    report.inside("network".to_owned(), |report| {
        no_labels(block, report);
        read(block, report).map(Some)
    })
}

fn read(block: &Block, report: &mut Report<'_>) -> Result<Network, Reported> {
    let fields = Fields::of(&block.body, header(block), &NETWORK, report);
    let mode = mode(&fields, report);
    let ports = ports(&fields, report);
    let dns = dns(fields.block("dns"), report);
    let hostname = hostname(&fields, report);
    let cni = cni(&fields, report);
    outdated(&fields, report)?;
    cni?;
    let network = Network {
        span: header(block),
        mode: mode?,
        ports: ports?,
        dns: dns?,
        hostname: hostname?,
    };
    check(&network, report)?;
    Ok(network)
}

fn mode(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<NetworkMode, Reported> {
    let Some(mode) = fields.text("mode", report)? else {
        return Ok(NetworkMode::Host);
    };
    let (code, detail) = match mode.value.as_str() {
        "" | "host" => return Ok(NetworkMode::Host),
        "none" => return Ok(NetworkMode::None),
        "bridge" => (
            NOT_SUPPORTED_YET,
            "Network mode \"bridge\" needs CNI plugins, which encamp does not run yet: use mode = \"host\", where \
             NOMAD_PORT_… says which port to listen on."
                .to_owned(),
        ),
        cni if cni.starts_with("cni/") => (
            NOT_SUPPORTED_YET,
            format!("Network mode {cni:?} needs CNI plugins, which encamp does not run yet: use mode = \"host\"."),
        ),
        other => (
            INVALID_NETWORK,
            format!("{other:?} is no network mode; there are host and none."),
        ),
    };
    let mut invalid = Diagnostic::new(code, mode.span, detail);
    invalid.fix = nearest(&mode.value, ["host", "none"]).map(|mode| format!("\"{mode}\""));
    Err(report.add(invalid))
}

fn ports(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Vec<Port>, Reported> {
    let blocks = fields.blocks().iter();
    let ports: Vec<_> = blocks
        .filter(|block| block.ident.as_str() == "port")
        .map(|block| report.inside(title(block), |report| port(block, report)))
        .collect();
    let ports: Vec<Port> = ports.into_iter().collect::<Result<_, _>>()?;
    unique(&ports, report)?;
    Ok(ports)
}

fn port(block: &Block, report: &mut Report<'_>) -> Result<Port, Reported> {
    let label = name(block, report);
    let fields = Fields::of(&block.body, header(block), &PORT, report);
    let static_port = static_port(&fields, report);
    let to = to(&fields, report);
    let host_network = fields.text("host_network", report);
    let ignore_collision = fields.flag("ignore_collision", report);
    Ok(Port {
        label: label?,
        static_port: static_port?,
        to: to?,
        host_network: host_network?.filter(|name| !name.value.is_empty()),
        ignore_collision: ignore_collision?.is_some_and(|flag| flag.value),
    })
}

/// 0 asks for a dynamic port, as in Nomad.
fn static_port(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<u16>>, Reported> {
    let Some(given) = fields.integer("static", report)? else {
        return Ok(None);
    };
    match u16::try_from(given.value) {
        Ok(0) => Ok(None),
        Ok(value) => Ok(Some(Spanned {
            value,
            span: given.span,
        })),
        Err(_) => {
            let detail = format!("\"static\" must be from 1 to {}.", u16::MAX);
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
    }
}

fn to(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Option<Spanned<i32>>, Reported> {
    let Some(given) = fields.integer("to", report)? else {
        return Ok(None);
    };
    match i32::try_from(given.value) {
        Ok(0) => Ok(None),
        Ok(value) if (-1..=i32::from(u16::MAX)).contains(&value) => Ok(Some(Spanned {
            value,
            span: given.span,
        })),
        _ => {
            let detail = format!(
                "\"to\" must be from 1 to {}, or -1 for the port's own number.",
                u16::MAX
            );
            Err(report.error_at(OUT_OF_RANGE, &given, detail))
        }
    }
}

/// Each label once, and each static port once in each host network, in Nomad's words.
fn unique(ports: &[Port], report: &mut Report<'_>) -> Result<(), Reported> {
    let mut result = Ok(());
    let mut labels: BTreeMap<&str, Span> = BTreeMap::new();
    let mut numbers: BTreeMap<(&str, u16), &str> = BTreeMap::new();
    for port in ports {
        let label = &port.label;
        if let Some(before) = labels.insert(&label.value, label.span.clone()) {
            let before = report.place(&before);
            let detail = format!(
                "Port label {} already in use by the port at {before}.",
                label.value
            );
            result = Err(report.error_at(DUPLICATE_NAME, label, detail));
        }
        let Some(number) = &port.static_port else {
            continue;
        };
        let network = port.host_network.as_ref();
        let network = network.map_or("default", |network| network.value.as_str());
        if let Some(other) = numbers.insert((network, number.value), &label.value)
            && !port.ignore_collision
        {
            let detail = format!(
                "Static port {} already reserved by port {other:?}.",
                number.value
            );
            result = Err(report.error_at(INVALID_PORT, number, detail));
        }
    }
    result
}

fn dns(block: Option<&Block>, report: &mut Report<'_>) -> Result<Option<Dns>, Reported> {
    let Some(block) = block else {
        return Ok(None);
    };
    report.inside("dns".to_owned(), |report| {
        no_labels(block, report);
        let fields = Fields::of(&block.body, header(block), &DNS, report);
        let [servers, searches, options] =
            ["servers", "searches", "options"].map(|name| fields.texts(name, report));
        let list = |given: Option<Spanned<Vec<String>>>| given.map_or_else(Vec::new, |g| g.value);
        Ok(Some(Dns {
            servers: list(servers?),
            searches: list(searches?),
            options: list(options?),
        }))
    })
}

fn hostname(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Spanned<String>>, Reported> {
    let given = fields.text("hostname", report)?;
    let Some(name) = given.filter(|name| !name.value.is_empty()) else {
        return Ok(None);
    };
    if name.value.contains("${") || is_host_name(&name.value) {
        return Ok(Some(name));
    }
    let detail = "Hostname is not a valid DNS name: letters, digits, - and ., 64 at most.";
    Err(report.error_at(INVALID_NETWORK, &name, detail))
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && !label.starts_with('-') && label.chars().all(fits)
    };
    name.len() <= 64 && name.split('.').all(is_label)
}

fn cni(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    match fields.block("cni") {
        None => Ok(()),
        Some(block) => {
            let detail = "The block \"cni\" is for CNI plugins, which encamp does not run yet.";
            Err(report.error(NOT_SUPPORTED_YET, header(block), detail))
        }
    }
}

/// What Nomad's documentation no longer knows, and Nomad does not use either.
fn outdated(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let mbits = fields.integer("mbits", report).map(drop);
    let texts = ["cidr", "device", "ip"].map(|name| fields.text(name, report).map(drop));
    for name in ["mbits", "cidr", "device", "ip"] {
        if let Some(argument) = fields.argument(name) {
            let detail = format!("\"{name}\" limits and chooses nothing, in Nomad neither.");
            let span = crate::eval::span(&argument.key);
            report.warn(Diagnostic::new(WITHOUT_EFFECT, span, detail));
        }
    }
    texts.into_iter().fold(mbits, Result::and)
}

/// What does not go together.
fn check(network: &Network, report: &mut Report<'_>) -> Result<(), Reported> {
    let mut result = Ok(());
    for port in &network.ports {
        if port.ignore_collision && network.mode != NetworkMode::Host {
            let detail = format!(
                "Port {:?} collision may not be ignored on non-host network mode \"{}\".",
                port.label.value, network.mode
            );
            result = Err(report.error_at(INVALID_PORT, &port.label, detail));
        }
        let number = port.static_port.as_ref().map(|port| i32::from(port.value));
        if let Some(to) = &port.to
            && to.value != -1
            && number != Some(to.value)
        {
            let detail = format!(
                "Nothing forwards a port to another one without a bridge: as in Nomad NOMAD_PORT_{} is {}, \
                 NOMAD_HOST_PORT_{0} the port that was reserved.",
                port.label.value, to.value
            );
            report.warn(Diagnostic::new(DIFFERENT_HERE, to.span.clone(), detail));
        }
    }
    if network.mode == NetworkMode::None && !network.ports.is_empty() {
        let detail = "In network mode \"none\" nobody outside the group can reach its ports.";
        report.warn(Diagnostic::new(
            WITHOUT_EFFECT,
            network.span.clone(),
            detail,
        ));
    }
    result
}
