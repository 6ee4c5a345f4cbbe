//! The embedded store: DuckDB in one file, or in memory for tests and short demos.

use std::path::PathBuf;

/// How a [`DuckStore`] uses the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuckOptions {
    /// The most memory DuckDB takes for itself, in MB.
    pub memory_mb_max: u32,
    /// How many threads work on one question or batch.
    pub threads: u32,
    /// How many questions are worked on at a time; others wait.
    pub readers: u32,
    /// Where DuckDB may put what does not fit into memory; beside the file when `None`.
    pub temp_dir: Option<PathBuf>,
}

impl Default for DuckOptions {
    fn default() -> Self {
        Self {
            memory_mb_max: 256,
            threads: 2,
            readers: 4,
            temp_dir: None,
        }
    }
}

/// The embedded store.
#[derive(Debug)]
pub struct DuckStore {}
