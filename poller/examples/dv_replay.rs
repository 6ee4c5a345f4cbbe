//! Prints the JSON of replays (local tool).
use std::sync::Arc;
fn main() {
    let profiles = Arc::new(poller::profile::ProfileSet::embedded());
    for path in std::env::args().skip(1) {
        let text = std::fs::read(&path).unwrap();
        match poller::recording::Recording::parse(&text) {
            Err(error) => eprintln!("{path}: {error}"),
            Ok(recording) => {
                for s in recording.skipped() {
                    eprintln!("skipped {s}");
                }
                let outcome = poller::recording::replay(
                    &recording,
                    profiles.clone(),
                    codec::time::Timestamp::from_unix_ms(1_780_000_000_000),
                );
                if let Some(report) = outcome.report {
                    println!("{}", serde_json::to_string(&report).unwrap());
                }
            }
        }
    }
}
