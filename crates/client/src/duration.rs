//! Durations in Nomad's spelling, which is Go's: `30m0s`, `1.5s`, `250ms`.
use std::time::Duration;

/// Spells a duration as Go does.
pub fn spell(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return spell_short(duration);
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let seconds = with_fraction(
        duration.as_secs() % 60,
        u64::from(duration.subsec_nanos()),
        9,
    );
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn spell_short(duration: Duration) -> String {
    let nanos = u64::from(duration.subsec_nanos());
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", with_fraction(nanos / 1_000, nanos % 1_000, 3)),
        _ => format!(
            "{}ms",
            with_fraction(nanos / 1_000_000, nanos % 1_000_000, 6)
        ),
    }
}

fn with_fraction(whole: u64, fraction: u64, digits: usize) -> String {
    let text = format!("{whole}.{fraction:0digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_go_spells_them() {
        let cases = [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "1ns"),
            (Duration::from_micros(1500), "1.5ms"),
            (Duration::from_micros(15), "15µs"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_secs(5), "5s"),
            (Duration::from_millis(1500), "1.5s"),
            (Duration::from_secs(10), "10s"),
            (Duration::from_secs(60), "1m0s"),
            (Duration::from_secs(1800), "30m0s"),
            (Duration::from_secs(86400), "24h0m0s"),
        ];
        for (duration, expected) in cases {
            assert_eq!(spell(duration), expected);
        }
    }
}
