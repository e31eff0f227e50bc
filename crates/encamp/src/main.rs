//! The one program: a command line, or a Nomad plugin when Nomad starts it.
fn main() {}
