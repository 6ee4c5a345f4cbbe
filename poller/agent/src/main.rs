//! `platen-agent`.

fn main() {}
