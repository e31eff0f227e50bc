//! Prints what a task sees.
fn main() {}
