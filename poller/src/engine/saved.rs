//! A [`Memory`] in the form that is kept over restarts.
//!
//! What always holds: it names a credential, never a secret; and what was kept comes back as it was, but for the instances that were
//! missing (they are tried once more) and for clocks, which go on from the moment it was kept.

use std::time::Duration;

use super::{EngineTime, Memory};

/// What was learned about a device's SNMP, as it is kept in a snapshot (`rkyv`).
///
/// The clock of an SNMPv3 engine is kept as the Unix time at which it would have been zero, so that the first request after a restart is
/// in time. Where our own clock was set meanwhile, the device says so and one exchange is lost.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct SavedMemory {
    credential: Option<String>,
    credential_misses: u32,
    v3_proven: bool,
    context: Option<String>,
    engine: Option<SavedEngine>,
    variables: u32,
    variables_refused: u32,
    variables_refused_answers: u32,
    bulk_proven: bool,
    bulk_refused: bool,
    bulk_strikes: u32,
    rtt_us: u64,
    rtt_deviation_us: u64,
    binding_bytes: u32,
}

/// Id, starts and clock of an SNMPv3 engine.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct SavedEngine {
    id: Vec<u8>,
    boots: u32,
    zero_unix_ms: i64,
}

impl SavedMemory {
    /// What is kept of a memory. `now` is the engine's clock ([`crate::driver::Fleet::now`]), `now_unix_ms` the same moment in milliseconds
    /// since the Unix epoch.
    #[must_use]
    pub fn new(memory: &Memory, now: Duration, now_unix_ms: i64) -> Self {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(0);
        Self {
            credential: memory.credential.as_deref().map(str::to_owned),
            credential_misses: memory.credential_misses,
            v3_proven: memory.v3_proven,
            context: memory.context.as_deref().map(str::to_owned),
            engine: memory.engine.as_ref().map(|engine| {
                let age = millis(now.saturating_sub(engine.at))
                    .saturating_add(i64::from(engine.time) * 1_000);
                SavedEngine {
                    id: engine.id.to_vec(),
                    boots: engine.boots,
                    zero_unix_ms: now_unix_ms.saturating_sub(age),
                }
            }),
            variables: memory.variables,
            variables_refused: memory.variables_refused,
            variables_refused_answers: memory.variables_refused_answers,
            bulk_proven: memory.bulk_proven,
            bulk_refused: memory.bulk_refused,
            bulk_strikes: memory.bulk_strikes,
            rtt_us: micros(memory.rtt),
            rtt_deviation_us: micros(memory.rtt_deviation),
            binding_bytes: memory.binding_bytes,
        }
    }

    /// The memory again. `now` is the engine's clock (zero for an engine that is about to start), `now_unix_ms` the same moment in
    /// milliseconds since the Unix epoch.
    #[must_use]
    pub fn to_memory(&self, now: Duration, now_unix_ms: i64) -> Memory {
        Memory {
            credential: self.credential.as_deref().map(Into::into),
            credential_misses: self.credential_misses,
            v3_proven: self.v3_proven,
            context: self.context.as_deref().map(Into::into),
            engine: self.engine.as_ref().map(|engine| {
                let age_s = now_unix_ms.saturating_sub(engine.zero_unix_ms).max(0) / 1_000;
                EngineTime {
                    id: engine.id.as_slice().into(),
                    boots: engine.boots,
                    time: i32::try_from(age_s).map_or(0, i32::unsigned_abs),
                    at: now,
                }
            }),
            variables: self.variables,
            variables_refused: self.variables_refused,
            variables_refused_answers: self.variables_refused_answers,
            bulk_proven: self.bulk_proven,
            bulk_refused: self.bulk_refused,
            bulk_strikes: self.bulk_strikes,
            missing: Vec::new(),
            rtt: Duration::from_micros(self.rtt_us),
            rtt_deviation: Duration::from_micros(self.rtt_deviation_us),
            binding_bytes: self.binding_bytes,
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_comes_back_with_the_engines_clock_gone_on() {
        let memory = Memory {
            credential: Some("branch".into()),
            credential_misses: 1,
            v3_proven: true,
            context: Some("printers".into()),
            engine: Some(EngineTime {
                id: [0x80, 0, 1].into(),
                boots: 7,
                time: 100,
                at: Duration::from_secs(50),
            }),
            variables: 32,
            variables_refused: 40,
            variables_refused_answers: 3,
            bulk_proven: true,
            bulk_refused: true,
            bulk_strikes: 2,
            missing: Vec::new(),
            rtt: Duration::from_millis(12),
            rtt_deviation: Duration::from_micros(345),
            binding_bytes: 21,
        };
        let saved = SavedMemory::new(&memory, Duration::from_secs(60), 1_000_000);
        let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&saved).expect("it is small");
        let read = rkyv::from_bytes::<SavedMemory, rkyv::rancor::Error>(&bytes).expect("sound");
        // Ten seconds old when it was kept, and a minute passes before it is needed.
        let restored = read.to_memory(Duration::from_secs(1), 1_060_000);

        let engine = EngineTime {
            id: [0x80, 0, 1].into(),
            boots: 7,
            time: 170,
            at: Duration::from_secs(1),
        };
        let expected = Memory {
            engine: Some(engine),
            ..memory
        };
        assert_eq!(restored, expected);
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_nonsense() {
        let memory = Memory {
            engine: Some(EngineTime {
                id: [1].into(),
                boots: 1,
                time: 5,
                at: Duration::ZERO,
            }),
            ..Memory::default()
        };
        let saved = SavedMemory::new(&memory, Duration::ZERO, 1_000_000);
        let time = |unix_ms| {
            let restored = saved.to_memory(Duration::ZERO, unix_ms);
            restored.engine.map(|engine| engine.time)
        };
        assert_eq!(time(0), Some(0));
        assert_eq!(time(1_000_000), Some(5));
        assert_eq!(time(i64::MAX), Some(0));
    }
}
