//! Signals by name: any case, with or without `SIG`, or a number.

/// x86-64's and arm64's numbers alike (signal(7)).
const NAMES: [(&str, i32); 37] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("NULL", 0),
    ("RTMIN", RT_MIN),
    ("RTMAX", RT_MAX),
];

/// glibc's and musl's first real-time signal for programs: the two or three before it are libc's own.
const RT_MIN: i32 = 34;
const RT_MAX: i32 = 64;

/// SIGINT, what an empty kill signal means.
pub(crate) const INT: i32 = 2;
/// SIGKILL.
pub(crate) const KILL: i32 = 9;

/// Every name that is one of the kernel's own, in the order of their letters.
pub fn names() -> Vec<String> {
    let real_time = |number: i32| number >= RT_MIN;
    let own = NAMES.iter().filter(|(_, number)| !real_time(*number));
    let mut names: Vec<String> = own.map(|(name, _)| format!("SIG{name}")).collect();
    names.sort();
    names
}

/// The number of a signal.
pub fn parse(given: &str) -> Option<i32> {
    let upper = given.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = by_name(name)
        .or_else(|| real_time(name))
        .or_else(|| upper.parse().ok())?;
    (0..=RT_MAX).contains(&number).then_some(number)
}

/// `SIGTERM`, or the number of one that has no name here.
pub fn name(number: i32) -> String {
    let named = NAMES.iter().find(|(_, known)| *known == number);
    named.map_or_else(
        || format!("signal {number}"),
        |(name, _)| format!("SIG{name}"),
    )
}

fn by_name(name: &str) -> Option<i32> {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
}

/// `RTMIN+n`, `RTMAX-n`.
fn real_time(name: &str) -> Option<i32> {
    let number = if let Some(offset) = name.strip_prefix("RTMIN+") {
        RT_MIN.checked_add(offset.parse::<u8>().ok()?.into())?
    } else {
        RT_MAX.checked_sub(name.strip_prefix("RTMAX-")?.parse::<u8>().ok()?.into())?
    };
    (RT_MIN..=RT_MAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_in_any_spelling() {
        for name in ["SIGTERM", "term", "sigterm", " Term ", "15"] {
            assert_eq!(parse(name), Some(15), "{name}");
        }
        assert_eq!(parse("SIGRTMIN+2"), Some(36));
        assert_eq!(parse("rtmax-1"), Some(63));
        assert_eq!(parse("SIGNULL"), Some(0));
    }

    #[test]
    fn strangers_are_refused() {
        for name in [
            "",
            "SIG",
            "SIGFOO",
            "-1",
            "65",
            "RTMIN+31",
            "RTMAX-255",
            "1.5",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
