//! What an operator says of ports and of the address that they are told with.

use std::ops::RangeInclusive;

use jobspec::Spanned;

use super::{Merge, Placed};
use crate::ports::host_ip;

impl Merge<'_> {
    /// The range of dynamic ports, once all files were read: each end may come from another.
    pub(super) fn dynamic_ports(&mut self) {
        let default = self.done.node.dynamic_ports.clone();
        let min = self.port(
            "min_dynamic_port",
            self.min_dynamic_port.clone(),
            default.start,
        );
        let max = self.port(
            "max_dynamic_port",
            self.max_dynamic_port.clone(),
            default.end,
        );
        let (Some(min), Some(max)) = (min, max) else {
            return;
        };
        let given = self
            .min_dynamic_port
            .as_ref()
            .or(self.max_dynamic_port.as_ref());
        match given.cloned() {
            Some(given) if min >= max => {
                let detail =
                    format!("min_dynamic_port ({min}) must be less than max_dynamic_port ({max}).");
                self.mistake(given.file, given.span, "client", detail);
            }
            _ => self.done.node.dynamic_ports = min..max,
        }
    }

    /// `None`: it was no port.
    fn port(&mut self, name: &str, given: Option<Placed<i64>>, default: u16) -> Option<u16> {
        let Some(given) = given else {
            return Some(default);
        };
        let port = u16::try_from(given.value).ok().filter(|port| *port > 0);
        if port.is_none() {
            let detail = format!("{name} must be from 1 to {}.", u16::MAX);
            self.mistake(given.file, given.span, "client", detail);
        }
        port
    }

    pub(super) fn reserved_ports(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(Spanned { value, span }) = given else {
            return;
        };
        match ranges(&value) {
            Ok(ranges) => self.done.node.reserved_ports = ranges,
            Err(part) => {
                let detail = format!(
                    "reserved_ports is a list as in \"22,80,8500-8600\"; {part:?} is no part of one."
                );
                self.mistake(file, span, "client reserved", detail);
            }
        }
    }

    pub(super) fn interface(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(Spanned { value, span }) = given else {
            return;
        };
        match host_ip::of_interface(&value) {
            Ok(_) => self.done.node.network_interface = Some(value),
            Err(problem) => {
                self.mistake(
                    file,
                    span,
                    "client",
                    format!("network_interface: {problem}."),
                );
            }
        }
    }
}

fn ranges(list: &str) -> Result<Vec<RangeInclusive<u16>>, &str> {
    let parts = list.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u16>().ok();
            match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => Ok(first..=last),
                _ => Err(part),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::configuration::{ConfigFile, configure};

    fn told(text: &str) -> Vec<String> {
        let file = ConfigFile {
            name: "a.hcl".to_owned(),
            text: format!("client {{\n{text}\n}}\n"),
        };
        let mistakes = configure(&[file]).unwrap_err();
        let details = mistakes.into_iter().map(|found| found.mistake.detail);
        details.collect()
    }

    #[test]
    fn a_list_of_ports_is_numbers_and_ranges() {
        assert_eq!(
            ranges("22, 80 ,8500-8600").unwrap(),
            [22..=22, 80..=80, 8500..=8600]
        );
        assert_eq!(ranges("").unwrap(), []);
        for wrong in ["x", "1-", "-1", "9-8", "70000", "1-2-3"] {
            assert_eq!(ranges(wrong), Err(wrong));
        }
    }

    #[test]
    fn what_an_operator_says_of_ports_is_taken_over() {
        let file = |text: &str| ConfigFile {
            name: "a.hcl".to_owned(),
            text: format!("client {{\n{text}\n}}\n"),
        };
        let files = [
            file("min_dynamic_port = 25000\nnetwork_interface = \"lo\""),
            file("max_dynamic_port = 26000\nreserved {\nreserved_ports = \"22\"\n}"),
        ];
        let node = configure(&files).unwrap().node;
        assert_eq!(node.dynamic_ports, 25_000..26_000);
        assert_eq!(node.reserved_ports.first(), Some(&(22..=22)));
        assert_eq!(node.network_interface.as_deref(), Some("lo"));
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert_eq!(
            told("min_dynamic_port = 40000"),
            ["min_dynamic_port (40000) must be less than max_dynamic_port (32000)."]
        );
        assert_eq!(
            told("max_dynamic_port = 0"),
            ["max_dynamic_port must be from 1 to 65535."]
        );
        assert!(told("reserved {\nreserved_ports = \"a\"\n}")[0].contains("\"a\" is no part"));
        let detail = told("network_interface = \"nosuch0\"").remove(0);
        assert!(
            detail.starts_with("network_interface: this host has no interface \"nosuch0\""),
            "{detail}"
        );
        assert!(detail.contains("lo"), "{detail}");
    }
}
