//! Recordings and what polls make of them: any file is read or refused, and a replay ends with a report or without.
#![no_main]

use std::sync::{Arc, OnceLock};

use codec::time::Timestamp;
use libfuzzer_sys::fuzz_target;
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

static PROFILES: OnceLock<Arc<ProfileSet>> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = Recording::parse(bytes) {
        let profiles = PROFILES.get_or_init(|| Arc::new(ProfileSet::embedded()));
        let _ = replay(&recording, Arc::clone(profiles), Timestamp::from_unix_ms(0));
    }
});
