//! The checks and generators of this repository: `cargo xtask <verb>`.
fn main() {}
