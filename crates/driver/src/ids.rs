//! Ids that an operator denies to tasks: `0-99,1000`.

/// Inclusive ranges of ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Reads a comma list of ids and ranges; the empty list denies nothing.
    ///
    /// # Errors
    /// With Nomad's reason.
    pub(crate) fn parse(list: &str) -> Result<Ranges, &'static str> {
        if list.is_empty() {
            return Ok(Ranges::default());
        }
        list.split(',')
            .map(range)
            .collect::<Result<_, _>>()
            .map(Ranges)
    }

    /// Whether an id is in one of them.
    pub(crate) fn contain(&self, id: u32) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&id))
    }
}

fn range(element: &str) -> Result<(u32, u32), &'static str> {
    let (low, high) = element.split_once('-').unwrap_or((element, element));
    let (low, high) = (bound(low)?, bound(high)?);
    if low > high {
        return Err("lower bound cannot be greater than upper bound");
    }
    Ok((low, high))
}

fn bound(text: &str) -> Result<u32, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or("range bound not valid")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive() {
        let ranges = Ranges::parse("1-10,20").unwrap();
        assert!([1, 10, 20].iter().all(|id| ranges.contain(*id)));
        assert!([0, 11, 19, 21].iter().all(|id| !ranges.contain(*id)));
        assert!(!Ranges::parse("").unwrap().contain(0));
    }

    #[test]
    fn bad_ranges_are_told_in_nomads_words() {
        assert_eq!(
            Ranges::parse("10-1"),
            Err("lower bound cannot be greater than upper bound")
        );
        for list in [
            "1-100,foo",
            "1-100,,200-300",
            " 1",
            "1-2-3",
            "-1",
            "4294967296",
            "+1",
        ] {
            assert_eq!(Ranges::parse(list), Err("range bound not valid"), "{list}");
        }
    }
}
