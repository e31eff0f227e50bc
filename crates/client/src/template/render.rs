//! One text rendered.
use super::functions::{Rendering, Surroundings, is_known, unavailable};
use super::go::{self, Delimiters, Fault, MissingKey, Tree};

/// A mistake in a template, and its place in the template's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct Trouble {
    /// Counted from 1.
    pub line: usize,
    /// The byte of that line where it begins, counted from 0.
    pub column: usize,
    /// How many bytes are meant.
    pub length: usize,
    /// What is wrong.
    pub what: String,
}

impl Trouble {
    fn of(fault: &Fault, text: &str) -> Trouble {
        let (line, column) = fault.position(text);
        Trouble {
            line,
            column,
            length: fault.at.len(),
            what: fault.what.clone(),
        }
    }
}

/// How a template is written, and what it does with keys that are not there.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a> {
    /// What opens an action.
    pub left: &'a str,
    /// What closes one.
    pub right: &'a str,
    /// Whether a missing key is an error.
    pub error_on_missing_key: bool,
}

/// Reads a template without rendering it: what it says must be right everywhere, also where no rendering comes to.
///
/// # Errors
/// The first mistake; a call that this machine cannot answer is one.
pub fn check(text: &str, form: Form<'_>) -> Result<(), Trouble> {
    parsed(text, form).map(drop)
}

/// Renders a template.
///
/// # Errors
/// As [`check`], and what went wrong on the way.
pub fn render(
    text: &str,
    form: Form<'_>,
    around: &mut dyn Surroundings,
) -> Result<Vec<u8>, Trouble> {
    let tree = parsed(text, form)?;
    let missing_key = if form.error_on_missing_key {
        MissingKey::Error
    } else {
        MissingKey::Zero
    };
    let rendered = go::execute(&tree, missing_key, &mut Rendering::new(around));
    rendered.map_err(|fault| Trouble::of(&fault, text))
}

fn parsed(text: &str, form: Form<'_>) -> Result<Tree, Trouble> {
    let delimiters = Delimiters {
        left: form.left,
        right: form.right,
    };
    let known = |name: &str| is_known(name) || unavailable(name).is_some();
    let tree = go::parse(text, &delimiters, &known).map_err(|fault| Trouble::of(&fault, text))?;
    for (name, at) in tree.calls() {
        if let Some(why) = unavailable(name) {
            let fault = Fault::new(at, format!("{name} {why}"));
            return Err(Trouble::of(&fault, text));
        }
    }
    Ok(tree)
}
