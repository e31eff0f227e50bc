//! What is told of many durations.
use std::time::Duration;

/// Of one way to start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) min_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Sorts and picks by nearest rank; `None` without a single duration.
pub(crate) fn summary(samples: &[Duration]) -> Option<Summary> {
    let mut micros: Vec<f64> = samples
        .iter()
        .map(|sample| sample.as_secs_f64() * 1e6)
        .collect();
    micros.sort_by(f64::total_cmp);
    let rank = |percent: usize| {
        micros
            .get((micros.len() * percent).div_ceil(100).saturating_sub(1))
            .copied()
    };
    Some(Summary {
        min_us: *micros.first()?,
        p50_us: rank(50)?,
        p99_us: rank(99)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Summary, summary};
    use std::time::Duration;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples: Vec<_> = (1..=200).rev().map(Duration::from_micros).collect();
        let Summary {
            min_us,
            p50_us,
            p99_us,
        } = summary(&samples).expect("samples");
        assert_eq!(
            (min_us.round(), p50_us.round(), p99_us.round()),
            (1.0, 100.0, 198.0)
        );
    }

    #[test]
    fn one_sample_is_all_three_and_none_is_nothing() {
        let one = summary(&[Duration::from_micros(7)]).expect("a sample");
        assert_eq!((one.min_us.round(), one.p99_us.round()), (7.0, 7.0));
        assert_eq!(summary(&[]), None);
    }
}
