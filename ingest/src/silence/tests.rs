//! Days of hearing and not hearing, on virtual time.

use super::*;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// A world of agents that send every five minutes and devices that answer at each.
struct World {
    silences: Silences,
    now: Timestamp,
    agents: Vec<AgentSeen>,
    devices: Vec<DeviceFresh>,
    /// Who does not send, answer or hear now.
    quiet_agents: Vec<usize>,
    quiet_devices: Vec<usize>,
    is_taking: bool,
    turns: Vec<(i64, Turn)>,
}

impl World {
    /// `agents` agents, two of each customer, with four devices each.
    fn new(agents: usize) -> Self {
        let begin = Timestamp::from_unix_ms(1_800_000_000_000);
        let id = |index: usize| AgentId::new(&format!("a{index}")).unwrap();
        let agent = |index: usize| AgentSeen {
            agent: id(index),
            site: TenantId(100 + index as i64),
            customer: TenantId(10 + index as i64 / 2),
            key_since: begin,
            heard_at: Some(begin),
            sealed_at: begin,
            devices: 4,
        };
        let device = |index: usize| DeviceFresh {
            device: DeviceId::from_bytes([index as u8; 10]),
            site: TenantId(100 + index as i64 / 4),
            agent: id(index / 4),
            address: Some(format!("10.0.{}.{}", index / 4, index % 4)),
            first_seen_at: begin,
            observed_at: Some(begin),
            received_at: Some(begin),
            has_meters: true,
        };
        Self {
            silences: Silences::new(SilenceRules::default()),
            now: begin,
            agents: (0..agents).map(agent).collect(),
            devices: (0..agents * 4).map(device).collect(),
            quiet_agents: Vec::new(),
            quiet_devices: Vec::new(),
            is_taking: true,
            turns: Vec::new(),
        }
    }

    /// Lets time pass; looks every minute.
    fn pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.now = self.now.plus_ms(MINUTE_MS);
            if (self.now.unix_ms / MINUTE_MS) % 5 == 0 {
                self.hear();
            }
            self.look();
        }
    }

    fn hear(&mut self) {
        for (index, agent) in self.agents.iter_mut().enumerate() {
            if !self.quiet_agents.contains(&index) {
                (agent.heard_at, agent.sealed_at) = (Some(self.now), self.now);
            }
        }
        for (index, device) in self.devices.iter_mut().enumerate() {
            if !self.quiet_agents.contains(&(index / 4)) && !self.quiet_devices.contains(&index) {
                (device.observed_at, device.received_at) = (Some(self.now), Some(self.now));
            }
        }
    }

    fn look(&mut self) {
        let turns = self
            .silences
            .look(self.now, self.is_taking, &self.agents, &self.devices);
        let minute = self.now.unix_ms / MINUTE_MS;
        self.turns
            .extend(turns.into_iter().map(|turn| (minute, turn)));
    }

    /// What happened since the last time, in short.
    fn told(&mut self) -> Vec<String> {
        let turns = std::mem::take(&mut self.turns);
        let short = |turn: Turn| match turn {
            Turn::Raised(silence) => format!("{} {}", name(&silence.subject), silence.cause.word()),
            Turn::Over(silence) => {
                format!("{} over, {}", name(&silence.subject), silence.cause.word())
            }
        };
        turns.into_iter().map(|(_, turn)| short(turn)).collect()
    }
}

fn name(subject: &Subject) -> String {
    match subject {
        Subject::Manager => "manager".to_owned(),
        Subject::Agent(agent) => agent.to_string(),
        Subject::Device(device) => format!("d{}", device.as_bytes()[0]),
    }
}

#[test]
fn an_agent_that_stops_is_told_once_with_its_devices_and_closes_by_itself() {
    let mut world = World::new(6);
    world.pass(240);
    assert_eq!(world.told(), Vec::<String>::new());
    world.quiet_agents = vec![2];
    world.pass(15);
    assert_eq!(
        world.told(),
        Vec::<String>::new(),
        "within three of its gaps"
    );
    world.pass(24 * 60);
    assert_eq!(
        world.told(),
        ["a2 agent"],
        "its devices tell nothing beside it"
    );
    let (open, _) = world.silences.all();
    assert_eq!(open.map(|silence| silence.devices).collect::<Vec<_>>(), [4]);
    world.quiet_agents.clear();
    world.pass(5);
    assert_eq!(world.told(), ["a2 over, agent"]);
    world.pass(24 * 60);
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn neighbours_and_the_return_tell_whether_it_was_the_line() {
    let mut world = World::new(6);
    world.pass(240);
    // Both agents of a customer.
    world.quiet_agents = vec![2, 3];
    world.pass(60);
    assert_eq!(world.told(), ["a2 line", "a3 line"]);
    world.quiet_agents.clear();
    world.pass(5);
    assert_eq!(world.told(), ["a2 over, line", "a3 over, line"]);
    // One alone, which turns out to have been running: the first it delivers was sealed meanwhile.
    world.quiet_agents = vec![4];
    world.pass(120);
    assert_eq!(world.told(), ["a4 agent"]);
    world.agents[4].heard_at = Some(world.now);
    world.agents[4].sealed_at = world.now.plus_ms(-HOUR_MS);
    world.look();
    assert_eq!(world.told(), ["a4 over, line"]);
}

#[test]
fn when_nobody_is_heard_the_manager_looks_at_itself() {
    let mut world = World::new(6);
    world.pass(240);
    world.quiet_agents = (0..6).collect();
    world.pass(60);
    let told = world.told();
    assert_eq!(told.len(), 6);
    assert!(
        told.iter().all(|told| told.ends_with("manager")),
        "{told:?}"
    );
}

#[test]
fn a_manager_that_was_down_blames_nobody_before_everybody_had_time() {
    let mut world = World::new(6);
    world.pass(240);
    world.told();
    // Ten hours later, a new life of the program: rhythms are not known, and nobody has come back yet.
    world.silences = Silences::new(SilenceRules::default());
    world.now = world.now.plus_ms(10 * HOUR_MS);
    world.quiet_agents = vec![0];
    world.look();
    let (_, over) = world.silences.all();
    assert!(over.map(|over| over.devices).eq([0]), "everybody sees it");
    assert_eq!(world.told(), ["manager over, manager"], "it says so itself");
    world.pass(59);
    assert_eq!(world.told(), Vec::<String>::new());
    world.pass(10);
    assert_eq!(world.told(), ["a0 agent"], "who does not come back is told");
    // A journal that takes nothing is the manager's fault too.
    world.is_taking = false;
    world.quiet_agents = (0..6).collect();
    world.pass(600);
    world.is_taking = true;
    world.quiet_agents = vec![0];
    world.pass(10);
    assert_eq!(world.told(), Vec::<String>::new());
    let (open, _) = world.silences.all();
    assert!(
        open.map(|open| name(&open.subject)).eq(["a0"]),
        "it still is"
    );
}

#[test]
fn a_manager_that_restarts_every_night_still_tells_who_is_silent() {
    let mut world = World::new(3);
    world.pass(240);
    world.quiet_agents = vec![2];
    world.quiet_devices = vec![1];
    world.devices[3].has_meters = false;
    for _ in 0..3 {
        world.pass(10 * 60);
        world.silences = Silences::new(SilenceRules::default());
        world.now = world.now.plus_ms(2 * HOUR_MS);
    }
    world.told();
    // Of the 36 hours, six were the manager's.
    world.look();
    assert_eq!(
        world.told(),
        ["manager over, manager", "a2 agent", "d1 no-answer"],
        "they were silent too long before it went"
    );
    world.pass(10);
    assert_eq!(world.told(), Vec::<String>::new());
    // What it is away for is not their silence.
    world.quiet_devices = vec![1, 5];
    world.silences = Silences::new(SilenceRules::default());
    world.now = world.now.plus_ms(30 * HOUR_MS);
    world.pass(30);
    let told = world.told();
    assert!(!told.iter().any(|told| told.contains("d5")), "{told:?}");
    // A device without meters, too, whose two days are over.
    for _ in 0..2 {
        world.pass(16 * 60);
        world.silences = Silences::new(SilenceRules::default());
    }
    world.pass(10);
    let told = world.told();
    assert!(told.contains(&"d3 no-meters".to_owned()), "{told:?}");
}

#[test]
fn an_agent_that_never_delivered_is_told_after_a_day() {
    let mut world = World::new(3);
    world.agents[1].heard_at = None;
    world.quiet_agents = vec![1];
    world.devices.retain(|device| device.agent.as_str() != "a1");
    world.pass(24 * 60);
    assert_eq!(world.told(), Vec::<String>::new());
    world.pass(2);
    assert_eq!(world.told(), ["a1 agent"]);
    world.quiet_agents.clear();
    world.pass(5);
    assert_eq!(world.told(), ["a1 over, agent"]);
}

/// Four weeks of one who is quiet from 19 to 7 o'clock and from Friday to Monday: when who is told to be silent, by day.
fn weeks_of(world: &mut World, quiet: impl Fn(&mut World, bool)) -> Vec<(i64, String)> {
    let mut told = Vec::new();
    world.pass(240);
    world.told();
    for day in 0..28 {
        for (hours, is_on) in [(12, day % 7 < 5), (12, false)] {
            quiet(world, !is_on);
            world.pass(hours * 60);
            let raised = world
                .told()
                .into_iter()
                .filter(|told| !told.contains("over"));
            told.extend(raised.map(|raised| (day, raised)));
        }
    }
    told
}

#[test]
fn nights_and_weekends_are_told_until_they_came_twice() {
    let mut world = World::new(2);
    let told = weeks_of(&mut world, |world, is_quiet| {
        world.quiet_devices = if is_quiet { vec![1] } else { Vec::new() };
    });
    let days: Vec<i64> = told.iter().map(|(day, _)| *day).collect();
    // Monday, Tuesday, and the first two weekends on their Saturdays.
    assert_eq!(days, [0, 1, 5, 12], "{told:?}");
    assert!(told.iter().all(|(_, told)| told == "d1 no-answer"));
    // Who does not come back after a weekend is told.
    world.pass(24 * 60);
    assert_eq!(world.told(), ["d1 no-answer"]);
}

#[test]
fn an_agents_nights_are_not_its_devices() {
    let mut world = World::new(3);
    let told = weeks_of(&mut world, |world, is_quiet| {
        world.quiet_agents = if is_quiet { vec![0] } else { Vec::new() };
    });
    let days: Vec<i64> = told.iter().map(|(day, _)| *day).collect();
    assert_eq!(days, [0, 1, 5, 12], "{told:?}");
    assert!(told.iter().all(|(_, told)| told == "a0 agent"), "{told:?}");
}

#[test]
fn a_silent_device_has_its_own_cause_and_patience() {
    let mut world = World::new(2);
    world.pass(240);
    world.quiet_devices = vec![1];
    world.pass(119);
    assert_eq!(world.told(), Vec::<String>::new(), "devices sleep");
    world.pass(10);
    assert_eq!(world.told(), ["d1 no-answer"]);
    // Another device answers where it stood.
    world.devices[5].agent = world.devices[1].agent.clone();
    world.devices[5].address = world.devices[1].address.clone();
    world.pass(5);
    let (open, _) = world.silences.all();
    assert_eq!(
        open.map(|open| open.cause).collect::<Vec<_>>(),
        [Cause::Moved]
    );
    world.quiet_devices.clear();
    world.pass(5);
    assert_eq!(world.told(), ["d1 over, moved"]);
    // Three of four at once: their network.
    world.quiet_devices = vec![0, 2, 3];
    world.devices[5].agent = world.devices[4].agent.clone();
    world.devices[5].address = None;
    world.pass(180);
    assert_eq!(world.told(), ["d0 network", "d2 network", "d3 network"]);
    // A device that leaves the lists leaves the alerts.
    world.devices.remove(0);
    world.look();
    assert_eq!(world.told(), ["d0 over, network"]);
}

#[test]
fn devices_are_not_blamed_for_the_time_their_agent_was_away() {
    let mut world = World::new(2);
    world.pass(240);
    world.quiet_agents = vec![0];
    world.pass(600);
    assert_eq!(world.told(), ["a0 agent"]);
    // The agent is back, its backlog is not applied yet, and one device stays away.
    world.quiet_agents.clear();
    world.quiet_devices = vec![1];
    world.pass(119);
    assert_eq!(world.told(), ["a0 over, agent"]);
    world.pass(20);
    assert_eq!(world.told(), ["d1 no-answer"]);
}

#[test]
fn a_device_that_never_told_a_meter_is_told_after_two_days() {
    let mut world = World::new(2);
    world.devices[3].has_meters = false;
    world.pass(48 * 60);
    assert_eq!(world.told(), Vec::<String>::new());
    world.pass(10);
    assert_eq!(world.told(), ["d3 no-meters"]);
    world.devices[3].has_meters = true;
    world.look();
    assert_eq!(world.told(), ["d3 over, no-meters"]);
}

#[test]
fn silences_that_are_over_are_kept_within_bounds() {
    let mut world = World::new(2);
    world.pass(60);
    for _ in 0..OVER_MAX + 20 {
        world.quiet_agents = vec![0];
        world.pass(30);
        world.quiet_agents.clear();
        world.pass(10);
    }
    let (_, over) = world.silences.all();
    assert!(over.count() <= OVER_MAX);
}

/// Days of a device that is off from six in the evening to eight in the morning, and of a manager that is started anew at noon. With
/// `is_kept` it finds what the one before it had learned; else it begins anew. How often the device was told silent comes out, by day.
fn days_with_a_restart(is_kept: bool) -> Vec<usize> {
    let mut world = World::new(1);
    let mut told = Vec::new();
    for _ in 0..5 {
        world.quiet_devices.clear();
        world.pass(4 * 60);
        let file = kept::to_bytes(&world.silences);
        world.silences = Silences::new(SilenceRules::default());
        if is_kept {
            kept::take_over(&mut world.silences, &file).unwrap();
        }
        world.pass(6 * 60);
        world.quiet_devices = vec![2];
        world.pass(14 * 60);
        let raised = world.told().into_iter();
        told.push(raised.filter(|told| told == "d2 no-answer").count());
    }
    told
}

#[test]
fn what_was_learned_of_nights_survives_a_restart_each_day() {
    let kept = days_with_a_restart(true);
    assert_eq!(kept, [1, 1, 0, 0, 0], "it is off every night");
    let anew = days_with_a_restart(false);
    assert_eq!(anew, [1; 5], "what is forgotten is told again");
}

#[test]
fn rhythms_read_back_as_they_were_written_and_damaged_ones_not_at_all() {
    let mut world = World::new(3);
    world.quiet_devices = vec![5];
    world.pass(30 * 60);
    world.is_taking = false;
    world.pass(30);
    let file = kept::to_bytes(&world.silences);
    let read = |file: &[u8]| {
        let mut silences = Silences::new(SilenceRules::default());
        kept::take_over(&mut silences, file).map(|()| silences)
    };
    let silences = read(&file).unwrap();
    assert_eq!(silences.devices, world.silences.devices);
    assert_eq!(silences.there_until, world.silences.looked_at);
    assert_eq!(silences.absences.spans(), world.silences.absences.spans());
    assert_eq!(silences.agents.len(), 3);
    for (agent, track) in &silences.agents {
        let before = &world.silences.agents[agent];
        assert_eq!(track.rhythm, before.rhythm);
        assert_eq!(
            (track.heard_at, track.fine_since),
            (before.heard_at, before.fine_since)
        );
    }
    for cut in 0..file.len() {
        assert!(read(&file[..cut]).is_err(), "{cut}");
    }
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(read(&damaged).is_err(), "{at}");
    }
}

#[test]
fn a_file_of_rhythms_that_is_damaged_costs_the_learning_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rhythms.bin");
    let mut world = World::new(1);
    world.pass(60);
    kept::save(&kept::to_bytes(&world.silences), &path).unwrap();
    let known = |path: &std::path::Path| {
        let mut silences = Silences::new(SilenceRules::default());
        kept::load(&mut silences, path);
        silences.devices.len()
    };
    assert_eq!(known(&path), 4);
    std::fs::write(&path, b"PLSR and nothing").unwrap();
    assert_eq!(known(&path), 0);
    assert_eq!(known(&folder.path().join("missing")), 0);
    let nowhere = folder.path().join("missing/rhythms.bin");
    assert!(kept::save(b"", &nowhere).is_err());
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "no half file is left");
}
