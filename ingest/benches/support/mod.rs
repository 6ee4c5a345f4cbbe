//! What the benches count: CPU time per thread and memory, from `/proc` (Linux).

#![allow(dead_code, reason = "each bench uses its part")]

use std::collections::BTreeMap;

/// Name and CPU seconds of each thread.
type Cpu = BTreeMap<u64, (String, f64)>;

/// CPU seconds of every thread so far, with its name.
pub fn cpu() -> Cpu {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let mut threads = BTreeMap::new();
    for task in tasks.flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
        let (Some(name), Some(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let id = task.file_name().to_string_lossy().parse().unwrap_or(0);
        // The first number is the time it computed, in nanoseconds.
        let computed = times
            .split(' ')
            .next()
            .and_then(|ns| ns.parse::<f64>().ok());
        threads.insert(
            id,
            (name.trim().to_owned(), computed.expect("a number") / 1e9),
        );
    }
    threads
}

/// CPU seconds spent since `before` by threads of that name.
pub fn spent(before: &Cpu, of: impl Fn(&str) -> bool) -> f64 {
    let now = cpu();
    let threads = now.iter().filter(|(_, (name, _))| of(name));
    threads
        .map(|(id, (_, seconds))| seconds - before.get(id).map_or(0.0, |(_, seconds)| *seconds))
        .sum()
}

/// The most memory that the process ever had, in MiB.
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("a number of kB") / 1024
}
