//! What an operator says of ports and of the address that they are told with.

use std::ops::RangeInclusive;

use jobspec::Spanned;

use super::Merge;
use super::check::{End, Order};

impl Merge<'_> {
    pub(super) fn dynamic_ports(&mut self) {
        let default = &self.done.node.dynamic_ports;
        let ends = [
            End {
                name: "min_dynamic_port",
                given: self.min_dynamic_port.clone(),
                default: default.start,
            },
            End {
                name: "max_dynamic_port",
                given: self.max_dynamic_port.clone(),
                default: default.end,
            },
        ];
        if let Some([min, max]) = self.bounds("client", ends, &(1..=u16::MAX), Order::Less) {
            self.done.node.dynamic_ports = min..max;
        }
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
        if value.contains("{{") {
            let detail = "network_interface must be the name of an interface; templates are not filled in here.";
            self.mistake(file, span, "client", detail.to_owned());
        } else {
            self.done.node.network_interface = Some(value);
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
        let detail = told("network_interface = \"{{ GetPrivateIP }}\"").remove(0);
        assert!(
            detail.contains("must be the name of an interface"),
            "{detail}"
        );
    }
}
