//! `encamp doctor`: what this host can do for a task.
use client::doctor::{self, Finding, Level};
use serde_json::json;

use crate::cli::{Doctor, Global};
use crate::configuration;
use crate::failure::Failure;
use crate::terminal;

/// Some driver cannot run here.
const UNFIT: u8 = 1;

pub(crate) fn run(doctor: &Doctor, global: &Global) -> Result<u8, Failure> {
    let mut findings = doctor::examine(&global.settings()?);
    if !doctor.nomad.is_empty() {
        findings.extend(doctor::examine_agent(&configuration::files(&doctor.nomad)?));
    }
    let text = if doctor.json {
        format!("{:#}\n", document(&findings))
    } else {
        let shown = |finding: &&Finding| !global.quiet || finding.level != Level::Fine;
        findings.iter().filter(shown).map(lines).collect()
    };
    terminal::print(&text)?;
    let fails = findings
        .iter()
        .any(|finding| finding.level == Level::Failure);
    Ok(if fails { UNFIT } else { 0 })
}

/// `[fail] text`, and below it what to do.
fn lines(finding: &Finding) -> String {
    let mark = match finding.level {
        Level::Fine => "[ok]  ",
        Level::Warning => "[warn]",
        Level::Failure => "[fail]",
    };
    let mut text = format!("{mark} {}\n", finding.text);
    if let Some(way_out) = &finding.way_out {
        text += &format!("       {way_out}\n");
    }
    text
}

fn document(findings: &[Finding]) -> serde_json::Value {
    let level = |finding: &Finding| match finding.level {
        Level::Fine => "ok",
        Level::Warning => "warn",
        Level::Failure => "fail",
    };
    let one = |finding: &Finding| {
        json!({
            "check": finding.check,
            "level": level(finding),
            "text": finding.text,
            "fix": finding.way_out,
        })
    };
    json!({ "findings": findings.iter().map(one).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_comes_with_the_way_out() {
        let finding = Finding {
            check: "root".to_owned(),
            level: Level::Failure,
            text: "running as uid 5".to_owned(),
            way_out: Some("sudo encamp doctor".to_owned()),
        };
        assert_eq!(
            lines(&finding),
            "[fail] running as uid 5\n       sudo encamp doctor\n"
        );
        assert_eq!(document(&[finding])["findings"][0]["level"], "fail");
    }
}
