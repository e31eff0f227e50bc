//! `encamp node status`: this machine as Nomad shows a node.
use std::collections::BTreeMap;
use std::time::Duration;

use client::{DriverStatus, Node, spell};
use serde_json::{Value, json};

use crate::cli::{Global, NodeStatus};
use crate::failure::Failure;
use crate::terminal;

type Map = BTreeMap<String, String>;

pub(crate) fn run(asked: &NodeStatus, global: &Global) -> Result<u8, Failure> {
    let settings = global.settings()?;
    let status = client::node_status(&settings);
    let text = if asked.json {
        format!("{:#}\n", document(&status, &settings.node))
    } else {
        shown(&status, &settings.node)
    };
    terminal::print(&text)?;
    Ok(0)
}

fn shown(status: &client::NodeStatus, node: &Node) -> String {
    let mut text = pairs(&head(status, node));
    text += &section("Drivers", &drivers(&status.drivers));
    if !node.host_volumes.is_empty() {
        text += &section("Host Volumes", &volumes(node));
    }
    text += "\nAttributes\n";
    text += &pairs(&lines(&status.scope.attr));
    text += "\nMeta\n";
    text += &pairs(&lines(&status.scope.meta));
    text
}

type Pair = (String, String);

fn head(status: &client::NodeStatus, node: &Node) -> Vec<Pair> {
    let own = |name: &str| status.scope.node.get(name).cloned().unwrap_or_default();
    let names: Vec<&str> = node.host_volumes.keys().map(String::as_str).collect();
    let uptime = status
        .uptime
        .map_or_else(String::new, |seconds| spell(Duration::from_secs(seconds)));
    [
        ("ID", own("unique.id")),
        ("Name", own("unique.name")),
        ("Node Pool", own("pool")),
        ("Class", own("class")),
        ("DC", own("datacenter")),
        ("Drain", "false".to_owned()),
        ("Eligibility", "eligible".to_owned()),
        ("Status", "ready".to_owned()),
        ("Uptime", uptime),
        ("Host Volumes", names.join(",")),
        ("Driver Status", driver_names(&status.drivers)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Those that are there, and whether they are well.
fn driver_names(drivers: &BTreeMap<String, DriverStatus>) -> String {
    let there = drivers.iter().filter(|(_, driver)| driver.detected);
    let names: Vec<String> = there
        .map(|(name, driver)| match driver.healthy {
            true => name.clone(),
            false => format!("{name} (unhealthy)"),
        })
        .collect();
    names.join(",")
}

fn drivers(drivers: &BTreeMap<String, DriverStatus>) -> Vec<Vec<String>> {
    let head = ["Driver", "Detected", "Healthy", "Message"].map(str::to_owned);
    let rows = drivers.iter().map(|(name, driver)| {
        vec![
            name.clone(),
            driver.detected.to_string(),
            driver.healthy.to_string(),
            driver.description.clone(),
        ]
    });
    [head.to_vec()].into_iter().chain(rows).collect()
}

fn volumes(node: &Node) -> Vec<Vec<String>> {
    let head = ["Name", "ReadOnly", "Source"].map(str::to_owned);
    let rows = node.host_volumes.iter().map(|(name, volume)| {
        vec![
            name.clone(),
            volume.read_only.to_string(),
            volume.path.display().to_string(),
        ]
    });
    [head.to_vec()].into_iter().chain(rows).collect()
}

fn lines(map: &Map) -> Vec<Pair> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// `name = value`, the signs below each other; nothing is `<none>`, as Nomad writes it.
fn pairs(lines: &[Pair]) -> String {
    let widest = lines.iter().map(|(name, _)| name.chars().count()).max();
    let width = widest.unwrap_or(0);
    lines
        .iter()
        .map(|(name, value)| {
            let value = if value.is_empty() { "<none>" } else { value };
            format!("{name:width$} = {value}\n")
        })
        .collect()
}

/// A title, and columns two spaces apart.
fn section(title: &str, rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = format!("\n{title}\n");
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        text += line.trim_end();
        text += "\n";
    }
    text
}

/// With the names of Nomad's API.
fn document(status: &client::NodeStatus, node: &Node) -> Value {
    let own = |name: &str| status.scope.node.get(name).cloned().unwrap_or_default();
    let drivers: BTreeMap<&String, Value> = status
        .drivers
        .iter()
        .map(|(name, driver)| {
            let document = json!({
                "Attributes": driver.attributes,
                "Detected": driver.detected,
                "Healthy": driver.healthy,
                "HealthDescription": driver.description,
            });
            (name, document)
        })
        .collect();
    let volumes: BTreeMap<&String, Value> = node
        .host_volumes
        .iter()
        .map(|(name, volume)| {
            let document = json!({
                "Name": name, "Path": volume.path, "ReadOnly": volume.read_only,
            });
            (name, document)
        })
        .collect();
    json!({
        "ID": own("unique.id"),
        "Name": own("unique.name"),
        "Datacenter": own("datacenter"),
        "NodePool": own("pool"),
        "NodeClass": own("class"),
        "Attributes": status.scope.attr,
        "Meta": status.scope.meta,
        "Drivers": drivers,
        "HostVolumes": volumes,
        "Drain": false,
        "SchedulingEligibility": "eligible",
        "Status": "ready",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> client::NodeStatus {
        let map = |pairs: &[(&str, &str)]| -> Map {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let driver = |detected, healthy| DriverStatus {
            detected,
            healthy,
            description: "words".to_owned(),
            attributes: Map::new(),
        };
        client::NodeStatus {
            scope: jobspec::Scope {
                node: map(&[("unique.name", "n1"), ("class", ""), ("datacenter", "dc1")]),
                attr: map(&[("cpu.arch", "amd64"), ("kernel.name", "linux")]),
                meta: map(&[("rack", "7")]),
                ..jobspec::Scope::default()
            },
            drivers: [
                ("exec".to_owned(), driver(true, true)),
                ("exec2".to_owned(), driver(true, false)),
            ]
            .into(),
            uptime: Some(3600),
        }
    }

    #[test]
    fn a_node_is_shown_as_nomad_shows_it() {
        let text = shown(&status(), &Node::default());
        for line in [
            "Name          = n1",
            "Class         = <none>",
            "Uptime        = 1h0m0s",
            "Host Volumes  = <none>",
            "Driver Status = exec,exec2 (unhealthy)",
            "exec2   true      false    words",
            "kernel.name = linux",
            "rack = 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn machines_get_the_names_of_nomads_api() {
        let mut node = Node::default();
        let volume = client::HostVolume {
            path: "/srv".into(),
            read_only: true,
        };
        node.host_volumes.insert("data".to_owned(), volume);
        let document = document(&status(), &node);
        assert_eq!(document["Attributes"]["kernel.name"], "linux");
        assert_eq!(document["Drivers"]["exec2"]["Healthy"], false);
        assert_eq!(document["HostVolumes"]["data"]["ReadOnly"], true);
    }
}
