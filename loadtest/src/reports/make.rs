//! What is delivered: one invented fleet per agent, evolving from report to report, sealed before anything is sent.
//!
//! The same plan, seed and moment make the same device reports. Serial numbers and MACs are the agent's own, so that no printer is seen
//! by two agents.

use codec::envelope::{Deflater, Encoding};
use codec::id::AgentId;
use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};
use codec::sample::Fleet;
use codec::time::Timestamp;

/// What each agent has to deliver.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Printers of each agent.
    pub devices: usize,
    /// Polls of all of them; each makes a report per stream.
    pub rounds: u32,
    /// Between two polls.
    pub minutes: u32,
    /// The streams that are reported.
    pub streams: Vec<Stream>,
    /// How reports are compressed.
    pub encoding: Encoding,
    /// Other seeds make other fleets.
    pub seed: u64,
    /// The spool epoch of all agents: the same one again delivers the same keys again.
    pub epoch: SpoolEpoch,
    /// When the last poll was; the others lie before it.
    pub until: Timestamp,
}

/// A report, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its key.
    pub key: ReportKey,
    /// How many device reports it holds.
    pub devices: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// All reports of the agent of that number, in the order in which they were sealed.
#[must_use]
pub fn seal_agent(agent: &AgentId, number: usize, plan: &Plan) -> Vec<Sealed> {
    let mut fleet = Fleet::new(
        plan.devices,
        plan.seed ^ (number as u64).wrapping_mul(0x9e37),
    );
    let mut deflater = Deflater::new();
    let mut xml = Vec::new();
    let mut sealed = Vec::with_capacity(plan.rounds as usize * plan.streams.len());
    for round in 0..plan.rounds {
        fleet.pass(plan.minutes);
        let back_ms = i64::from(plan.rounds - 1 - round) * i64::from(plan.minutes) * 60_000;
        let sealed_at = plan.until.plus_ms(-back_ms);
        for stream in &plan.streams {
            let sequence = u64::from(round) + 1;
            let mut report = fleet.report(*stream, sequence);
            let shift_ms = sealed_at.ms_since(report.header.sealed_at);
            report.header.agent = agent.clone();
            report.header.epoch = plan.epoch;
            report.header.sealed_at = sealed_at;
            report.header.program = concat!("loadtest ", env!("CARGO_PKG_VERSION")).to_owned();
            for (at, device) in report.devices.iter_mut().enumerate() {
                device.observed_at = device.observed_at.plus_ms(shift_ms);
                device.identity.serial = Some(format!("LT{number:05}{at:05}"));
                let [.., a, b] = (number as u64).to_be_bytes();
                let [.., c, d] = (at as u64).to_be_bytes();
                device.identity.mac = Some(format!("02:4c:{a:02x}:{b:02x}:{c:02x}:{d:02x}"));
                device.identity.address = Some(format!("10.{a}.{b}.{}", at % 254 + 1));
            }
            xml.clear();
            codec::xml::write_report(&report, &mut xml);
            let mut bytes = Vec::new();
            deflater.deflate(plan.encoding, &xml, &mut bytes);
            bytes.shrink_to_fit();
            sealed.push(Sealed {
                key: ReportKey {
                    agent: agent.clone(),
                    epoch: plan.epoch,
                    stream: *stream,
                    sequence,
                    hash: ContentHash::of(&bytes),
                },
                devices: u32::try_from(report.devices.len()).unwrap_or(u32::MAX),
                bytes,
            });
        }
    }
    sealed
}

/// The reports of all agents, made by as many threads as there are cores.
#[must_use]
pub fn seal_all(agents: &[AgentId], plan: &Plan) -> Vec<Vec<Sealed>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = agents.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = agents
            .chunks(share)
            .enumerate()
            .map(|(chunk, agents)| {
                scope.spawn(move || {
                    let first = chunk * share;
                    let numbered = agents.iter().enumerate();
                    numbered
                        .map(|(at, agent)| seal_agent(agent, first + at, plan))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| {
                thread
                    .join()
                    .expect("sealing invented reports does not fail")
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_seal_their_own_printers_in_rising_sequence() {
        let plan = Plan {
            devices: 3,
            rounds: 2,
            minutes: 60,
            streams: Stream::ALL.to_vec(),
            encoding: Encoding::Gzip,
            seed: 5,
            epoch: SpoolEpoch(7),
            until: Timestamp::from_unix_ms(1_795_255_200_000),
        };
        let agents: Vec<AgentId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).into();
        let all = seal_all(&agents, &plan);
        assert_eq!(
            all,
            seal_all(&agents, &plan),
            "the same plan makes the same bytes"
        );
        let mut serials = std::collections::BTreeSet::new();
        for (agent, reports) in agents.iter().zip(&all) {
            let numbers: Vec<_> = reports
                .iter()
                .map(|report| (report.key.stream, report.key.sequence))
                .collect();
            let [m, s] = Stream::ALL;
            assert_eq!(numbers, [(m, 1), (s, 1), (m, 2), (s, 2)]);
            for sealed in reports {
                let mut inflater = codec::envelope::Inflater::new();
                let xml = inflater
                    .inflate(Encoding::Gzip, &sealed.bytes, 1 << 20)
                    .unwrap();
                let report = codec::xml::read_report(xml).unwrap();
                assert_eq!((&report.header.agent, report.devices.len()), (agent, 3));
                let late_ms = plan.until.ms_since(report.header.sealed_at);
                assert_eq!(
                    late_ms,
                    if sealed.key.sequence == 1 {
                        3_600_000
                    } else {
                        0
                    }
                );
                for device in report.devices {
                    assert!(device.observed_at <= report.header.sealed_at);
                    serials.insert(device.identity.serial);
                }
            }
        }
        assert_eq!(serials.len(), 9);
    }
}
