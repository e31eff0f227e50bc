//! What a template may cost.

/// The most that a template may write, and the most that one of its values may hold.
pub(crate) const MAX_OUTPUT: usize = 16 << 20;
/// The most items that a list made by a function may have.
pub(crate) const MAX_ITEMS: usize = 1 << 20;
/// The most that a list or a map may weigh: whoever walks through it comes to an end.
pub(super) const MAX_WEIGHT: usize = 64 << 20;
/// How deep values may lie in values: each level is one of the stack when it is dropped.
pub(crate) const MAX_VALUE_DEPTH: usize = 128;
/// How deep actions may lie in actions, and parentheses in parentheses.
pub(super) const MAX_NESTING: usize = 100;
/// How deep actions, templates and pipelines may be entered.
pub(super) const MAX_DEPTH: usize = 250;
/// Nodes walked, and bytes that functions are handed, walk through or give back in portions of [`PORTION`].
const MAX_STEPS: usize = 20_000_000;
const PORTION: usize = 64;

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: usize,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { steps: MAX_STEPS }
    }

    /// Takes note of work before it is done.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let steps = 1 + bytes / PORTION;
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(format!(
                "the template does not come to an end within {MAX_STEPS} steps"
            )),
        }
    }
}
