//! How much work one text may ask for.

/// More than any job needs, and little enough to answer for in time and memory. A file that holds no template and no
/// function cannot reach it.
const STEPS: usize = 32 << 20;

/// The work that may still be done, in steps: about one for each byte that comes out, or for each part of a type that is looked at.
#[derive(Debug)]
pub(crate) struct Steps {
    /// `None`: more was asked for than there was.
    left: Option<usize>,
    was_told: bool,
}

/// Whether there was work left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Within,
    /// For the first time that anybody asks.
    JustOver,
    Over,
}

impl Default for Steps {
    fn default() -> Self {
        Steps {
            left: Some(STEPS),
            was_told: false,
        }
    }
}

impl Steps {
    /// Takes that many; false where there are no more, now and from now on.
    pub(crate) fn take(&mut self, steps: usize) -> bool {
        self.left = self.left.and_then(|left| left.checked_sub(steps));
        self.left.is_some()
    }

    /// The same for whoever says so to the author.
    pub(crate) fn spend(&mut self, steps: usize) -> Spent {
        if self.take(steps) {
            Spent::Within
        } else if std::mem::replace(&mut self.was_told, true) {
            Spent::Over
        } else {
            Spent::JustOver
        }
    }

    /// Whether nothing more can be evaluated.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.is_none()
    }
}
