//! How much of what a task is denied is worth its events, and in which words.
//!
//! Nomad keeps ten events of a task, and a task decides how much it is denied: so a start has few, each with several denials.
use std::collections::BTreeMap;

use driver::denials::{Advice, Denial, Denials, Entry, Who};

/// Events of a start before its end; that has one more.
const EVENTS: u32 = 3;
/// Denials that one event names.
const NAMED: usize = 5;
/// Characters of a name that are shown: a path may have 4096.
const LONGEST: usize = 200;

/// How a task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Badly,
}

/// What a start was told about.
#[derive(Debug, Default)]
pub(crate) struct Told {
    events: u32,
}

impl Told {
    /// Whether there is an event left before the end.
    pub(crate) fn may_tell(&self) -> bool {
        self.events < EVENTS
    }

    /// An event of a task that runs.
    pub(crate) fn more(&mut self, denials: &Denials) -> Option<String> {
        let mut words = words(denials)?;
        self.events += 1;
        if !self.may_tell() {
            words.push_str(" What else it is denied is told when it ends.");
        }
        Some(words)
    }

    /// The event of its end.
    pub(crate) fn last(&self, denials: &Denials, ended: Ended) -> Option<String> {
        let lost = denials.incomplete && ended == Ended::Badly;
        match words(denials) {
            Some(words) if lost => Some(format!("{words} There may be others: {TOO_FAST}.")),
            None if lost => Some(format!(
                "The sandbox may have denied the task something: {TOO_FAST}."
            )),
            words => words,
        }
    }
}

const TOO_FAST: &str = "they came faster than they could be read";

/// `None`: nothing is worth it. What is harmless is not.
fn words(denials: &Denials) -> Option<String> {
    let harmful = |denial: &&Denial| denial.advice != Advice::Harmless;
    let list: Vec<Denial> = denials.list.iter().filter(harmful).cloned().collect();
    let others = (list.len().saturating_sub(NAMED) as u64).saturating_add(denials.more);
    if list.is_empty() && others == 0 {
        return None;
    }
    let shown = Denials {
        list: list.into_iter().take(NAMED).collect(),
        ..Denials::default()
    };
    let mut named: Vec<String> = shown.list.iter().map(named).collect();
    if others > 0 {
        named.push(format!("{others} others"));
    }
    let missing = missing(&shown.entries());
    Some(format!(
        "The sandbox denied: {}.{missing}",
        named.join(", ")
    ))
}

fn named(denial: &Denial) -> String {
    let object = shortened(&denial.object);
    match denial.advice {
        Advice::Nothing(why) => format!("{} {object} ({why})", denial.access),
        Advice::Entry { .. } | Advice::Harmless => format!("{} {object}", denial.access),
    }
}

/// Whoever is denied chooses the name.
fn shortened(name: &str) -> String {
    let mut shown: String = name.chars().take(LONGEST).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// What to add, and to whose configuration.
fn missing(entries: &[Entry<'_>]) -> String {
    let mut lines: BTreeMap<(Who, &str), Vec<String>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| is_plain(entry.text)) {
        let line = lines.entry((entry.who, entry.option)).or_default();
        line.push(format!("\"{}\"", entry.text));
    }
    let mut missing = String::new();
    for ((who, option), texts) in lines {
        let whose = match who {
            Who::Task => "the task's",
            Who::Operator => "the plugin's",
        };
        let list = texts.join(", ");
        missing.push_str(&format!(" Add to {whose} config: {option} = [{list}]."));
    }
    if entries.iter().any(|entry| !is_plain(entry.text)) {
        missing.push_str(" encamp run tells what else to add.");
    }
    missing
}

/// Whether it can be written between quotes as it is.
fn is_plain(entry: &str) -> bool {
    let is_template = entry.contains("${") || entry.contains("%{");
    entry.len() <= LONGEST && !is_template && entry.escape_debug().to_string() == entry
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn denial(access: &'static str, object: &str, advice: Advice) -> Denial {
        Denial {
            access,
            object: object.to_owned(),
            times: 1,
            advice,
        }
    }

    fn entry(who: Who, option: &'static str, entry: &str) -> Advice {
        Advice::Entry {
            who,
            option,
            entry: entry.to_owned(),
        }
    }

    fn read(path: &str) -> Denial {
        denial(
            "read",
            path,
            entry(Who::Task, "unveil", &format!("r:{path}")),
        )
    }

    fn all(list: Vec<Denial>) -> Denials {
        Denials {
            list,
            ..Denials::default()
        }
    }

    #[test]
    fn an_event_names_what_was_denied_and_what_to_add_where() {
        let port = entry(Who::Operator, "network_rules", "bind:80");
        let denials = all(vec![
            read("/a"),
            denial("bind", "TCP port 80", port),
            denial(
                "signal",
                "process 7",
                Advice::Nothing("signals stay inside the task"),
            ),
            denial("read", "/etc/locale.alias", Advice::Harmless),
        ]);
        assert_eq!(
            words(&denials).unwrap(),
            "The sandbox denied: read /a, bind TCP port 80, signal process 7 (signals stay inside the task). \
             Add to the task's config: unveil = [\"r:/a\"]. Add to the plugin's config: network_rules = [\"bind:80\"]."
        );
        let harmless = denial("read", "/etc/locale.alias", Advice::Harmless);
        assert_eq!(words(&all(vec![harmless])), None);
    }

    #[test]
    fn a_start_has_few_events_however_much_it_is_denied() {
        let mut told = Told::default();
        let mut events = vec![];
        for number in 0..1000 {
            if told.may_tell() {
                events.extend(told.more(&all(vec![read(&format!("/{number}"))])));
            }
        }
        let rest = (3..1000)
            .map(|number| read(&format!("/{number}")))
            .collect();
        events.extend(told.last(&all(rest), Ended::Badly));
        assert_eq!(events.len(), 4);
        assert!(!events[1].contains("when it ends") && events[2].contains("when it ends"));
        assert!(events[3].contains("read /7, 992 others."), "{}", events[3]);
        assert!(events.iter().all(|event| event.len() < 500));
        assert_eq!(told.last(&Denials::default(), Ended::Badly), None);
    }

    #[test]
    fn what_came_too_fast_is_told_after_a_bad_end() {
        let lost = Denials {
            incomplete: true,
            ..Denials::default()
        };
        let told = Told::default();
        assert_eq!(told.last(&lost, Ended::Well), None);
        let words = told.last(&lost, Ended::Badly).unwrap();
        assert!(words.contains("may have denied"), "{words}");
        let list = vec![read("/a")];
        let words = told.last(&Denials { list, ..lost }, Ended::Badly).unwrap();
        assert!(
            words.contains("read /a") && words.contains("may be others"),
            "{words}"
        );
    }

    #[test]
    fn a_name_fills_nothing_and_writes_no_line_of_its_own() {
        let long = format!("/{}", "x".repeat(4000));
        let words = words(&all(vec![
            read(&long),
            read("/a\u{1b}[2J\n\u{202e}\"b"),
            read("/${c}"),
            read("/plain"),
        ]))
        .unwrap();
        assert!(words.len() < 700 && words.contains('…'), "{words}");
        assert!(!words.contains(['\u{1b}', '\n', '\u{202e}']), "{words}");
        assert!(
            words.contains("unveil = [\"r:/plain\"]. encamp run tells"),
            "{words}"
        );
    }
}
