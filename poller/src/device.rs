//! One poll of one printer: what to ask, and what the answers mean.
//!
//! [`DevicePoll`] is a [`Conversation`](crate::conversation::Conversation): no socket, no clock. The first poll identifies the device, walks its tables and
//! learns a [`Plan`]; given that plan, later polls are one packed Get of what changes, with the serial number in
//! the same PDU as proof of whose values they are.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what is remembered from one poll to the next |
//! | `context` | what a poll has to know, and what it yields |
//! | `learn` | the asks of each kind of poll |
//! | `recognise` | which profile a device has, or may have under another set of profiles |
//! | `partial` | steady polls that leave sections out |
//! | `hearing` | what comes back, and what it means when it does not come in full |
//! | `report` | what was heard, as report and plan |
//! | `facts`, `view`, `forms` | what is known by OID; sources of a profile looked up in it; how a value becomes a number |
//! | `identity`, `status`, `meters`, `supplies`, `trays`, `alerts` | facts to sections of the report |
//! | `uptime` | when the device started, which its alerts' times count from |
//! | `mib`, `text`, `words` | object numbers; charsets and placeholders; words for kinds and colours |

mod alerts;
mod context;
mod facts;
mod forms;
mod hearing;
mod identity;
mod learn;
mod meters;
pub(crate) mod mib;
mod partial;
pub mod plan;
mod recognise;
mod report;
mod status;
mod supplies;
mod text;
mod trays;
mod uptime;
mod view;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

pub use context::{Depth, PollContext, PollOutcome, Sections};
pub use mib::allowed as standard_subtrees;
pub use plan::Plan;

use crate::conversation::{Ask, Failure};
use crate::oid::Oid;
use crate::profile::{Profile, ProfileSet};
use facts::Facts;
use hearing::Hearing;
use learn::{Part, Step};
use plan::{Known, Silent};
use view::View;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Identify,
    Probe,
    Tables,
    Refresh,
    Steady,
    Signs,
    Heartbeat,
    Done,
}

/// One poll of one device.
#[derive(Debug)]
pub struct DevicePoll {
    profiles: Arc<ProfileSet>,
    plan: Option<Plan>,
    context: PollContext,
    stage: Stage,
    depth: Depth,
    queue: VecDeque<Step>,
    hearing: Hearing,
    /// What this poll heard, and, in a poll by plan, what the plan remembers.
    facts: Facts,
    /// The plan, unpacked.
    known: Known,
    /// hrDeviceIndex of the printer, where the plan knows it.
    device: Option<u32>,
    profile: Arc<Profile>,
    /// The maker that the rule names which found the profile.
    rule_maker: Option<String>,
    asked: BTreeSet<Part>,
    /// Parts that the device fell silent in.
    broken: BTreeSet<Part>,
    /// Parts in which it refused an ask; they are read all the same when it answered another.
    refused: BTreeSet<Part>,
    /// Parts of which something was heard.
    spoken: BTreeSet<Part>,
    /// How many asks of this poll were met with silence, and how many of them since it last answered.
    silences: u32,
    silences_in_a_row: u32,
    /// What of a learning poll met with silence, though the device went on to answer.
    silent: Silent,
    /// Asks were not made, or were lost in another way than a table that is never answered.
    is_cut_short: bool,
    failure: Option<Failure>,
    answered_once: bool,
    do_not_touch: bool,
    changed: bool,
    /// All of the alerts was asked for once their severities were read.
    alerts_followed: bool,
}

impl DevicePoll {
    /// A poll; without a `plan` it starts by identifying the device.
    #[must_use]
    pub fn new(profiles: Arc<ProfileSet>, plan: Option<Plan>, context: PollContext) -> Self {
        let profile = Arc::clone(profiles.standard());
        let depth = context.depth;
        Self {
            profiles,
            plan,
            context,
            stage: Stage::Start,
            depth,
            queue: VecDeque::new(),
            hearing: Hearing::default(),
            facts: Facts::default(),
            known: Known::default(),
            device: None,
            profile,
            rule_maker: None,
            asked: BTreeSet::new(),
            broken: BTreeSet::new(),
            refused: BTreeSet::new(),
            spoken: BTreeSet::new(),
            silences: 0,
            silences_in_a_row: 0,
            silent: Silent::default(),
            is_cut_short: false,
            failure: None,
            answered_once: false,
            do_not_touch: false,
            changed: false,
            alerts_followed: false,
        }
    }

    /// What came out, once [`Conversation::next_ask`](crate::conversation::Conversation::next_ask) has given `None` (or the caller has had enough).
    #[must_use]
    pub fn into_outcome(mut self) -> PollOutcome {
        // Whatever was still to be asked was not read.
        self.break_off(None);
        if self.alerts_found().is_some() {
            self.broken.insert(Part::Alerts);
        }
        let is_printer = self.is_printer();
        let report = self
            .answered_once
            .then(|| self.report())
            .filter(|_| !self.changed);
        let plan = if self.answered_once && !self.do_not_touch {
            self.next_plan()
        } else {
            self.plan.clone()
        };
        let not_read = self.not_read(report.as_ref());
        PollOutcome {
            report,
            not_read,
            plan,
            depth: self.depth,
            failure: self.failure,
            is_printer,
            do_not_touch: self.do_not_touch,
            changed: self.changed,
        }
    }

    fn view(&self) -> View<'_> {
        View::new(&self.facts, &self.profile, &self.profiles, self.device)
    }

    fn is_printer(&self) -> bool {
        let view = self.view();
        let row = |column: &Oid| self.facts.any_below(column);
        self.profile.name != crate::profile::STANDARD
            || [
                mib::general(17),
                mib::general(16),
                mib::supplies(9),
                mib::marker(4),
                mib::input(10),
                mib::hr_printer(2),
            ]
            .iter()
            .any(row)
            || self.facts.get(&mib::hr_device(2).child(&[view.device]))
                == Some(&crate::value::Value::ObjectId(mib::hr_device_printer()))
    }

    /// Goes on to the next stage; its asks are in the queue then. Several stages may pass without an ask.
    fn advance(&mut self) {
        match self.stage {
            Stage::Start => self.start(),
            Stage::Identify => {
                let probes = self.probes();
                self.stage = Stage::Probe;
                if !probes.is_empty() {
                    self.push(Part::Identity, Ask::Get(probes));
                }
            }
            Stage::Probe => self.choose_profile(),
            Stage::Steady => self.after_steady(),
            Stage::Refresh => self.after_refresh(),
            Stage::Heartbeat => {
                self.changed = self.known.moved(&self.facts);
                self.stage = Stage::Done;
            }
            Stage::Signs => self.after_signs(),
            Stage::Tables | Stage::Done => self.stage = Stage::Done,
        }
    }

    fn start(&mut self) {
        let plan = self
            .plan
            .as_ref()
            .filter(|plan| plan.fits(&self.profiles, self.context.observed_at));
        let unpacked =
            plan.and_then(|plan| Some((plan.unpack()?, plan.profile_of(&self.profiles)?)));
        // A plan that asks for nothing would prove nothing.
        let unpacked = unpacked.filter(|((_, known), _)| !known.steady.is_empty());
        let Some(((facts, known), profile)) = unpacked else {
            return self.learn();
        };
        let plan = self.plan.as_ref().expect("it was unpacked");
        self.profile = profile;
        self.facts = facts;
        self.known = known;
        self.device = Some(plan.device());
        self.rule_maker = plan.rule_maker().map(str::to_owned);
        match self.depth {
            Depth::Learn => self.learn(),
            Depth::Heartbeat => {
                self.stage = Stage::Heartbeat;
                // The proof is read by steady polls only; without it the report would not say whose it is.
                for oid in &self.known.proof {
                    if let Some(value) = self.known.last.get(oid) {
                        self.facts.insert(oid, value.clone());
                    }
                }
                let signs = self.known.signs();
                self.push(Part::Status, Ask::Get(signs));
            }
            Depth::Steady => {
                self.stage = Stage::Steady;
                self.leave_out();
                let asked = self.known.asked().cloned().collect();
                self.push(Part::Identity, Ask::Get(asked));
            }
            Depth::Full => {
                self.stage = Stage::Refresh;
                let (steps, renewed) = learn::refresh(
                    plan,
                    &self.known.steady,
                    &self.facts,
                    &self.profile,
                    self.context.collect_contact,
                );
                for prefix in renewed {
                    self.facts.forget(&prefix);
                }
                self.extend_but_silent(steps);
            }
        }
    }

    /// Starts anew, whatever was heard or remembered.
    fn learn(&mut self) {
        self.facts = Facts::default();
        self.device = None;
        self.asked.clear();
        self.broken.clear();
        self.refused.clear();
        self.spoken.clear();
        self.queue.clear();
        self.silences = 0;
        self.silences_in_a_row = 0;
        self.silent = Silent::default();
        self.is_cut_short = false;
        // Everything is asked, also what was never answered.
        self.known.silent = Silent::default();
        self.depth = Depth::Learn;
        self.profile = Arc::clone(self.profiles.standard());
        self.stage = Stage::Identify;
        self.push(
            Part::Identity,
            learn::identify(self.context.collect_contact),
        );
    }

    fn choose_profile(&mut self) {
        let (profile, rule) = self.identified();
        self.profile = profile;
        self.do_not_touch = rule.as_ref().is_some_and(|rule| rule.do_not_touch);
        self.rule_maker = rule.and_then(|rule| rule.manufacturer);
        if self.do_not_touch {
            self.stage = Stage::Done;
            return;
        }
        self.stage = Stage::Tables;
        let steps = learn::tables(&self.profile, &self.profiles, &self.context.address);
        self.extend(steps);
    }

    /// After the steady Get: is it the same device, is everything still there, and does anything point to the alerts?
    fn after_steady(&mut self) {
        let plan = self.plan.as_ref().expect("a steady poll has a plan");
        if self.broken.contains(&Part::Identity) {
            self.broken
                .extend([Part::Status, Part::Meters, Part::Supplies, Part::Trays]);
            self.stage = Stage::Done;
            return;
        }
        if !plan.still_fits(&self.known, &self.facts) {
            let same = self.known.proven_by(&self.facts);
            self.plan = self.plan.take().filter(|_| same);
            return self.learn();
        }
        self.stage = Stage::Signs;
        if self.context.sections.alerts
            || plan.wants_alerts(&self.known, &self.facts, self.context.observed_at)
        {
            let (steps, renewed) = learn::signs(plan, &self.profile);
            for prefix in renewed {
                self.facts.forget(&prefix);
            }
            self.extend_but_silent(steps);
        }
    }

    fn after_refresh(&mut self) {
        let proven = !self.broken.contains(&Part::Identity);
        if proven && !self.known.proven_by(&self.facts) {
            self.plan = None;
            return self.learn();
        }
        if proven && !self.known.silent.places.is_empty() && self.may_answer_more() {
            return self.learn();
        }
        self.stage = Stage::Signs;
    }

    fn after_signs(&mut self) {
        match self.alerts_found() {
            Some(rows) if !self.broken.contains(&Part::Alerts) => {
                self.alerts_followed = true;
                self.extend(vec![learn::alerts_found(rows)]);
            }
            _ => self.stage = Stage::Done,
        }
    }

    /// How many alerts there are where the last time there were none, while only their severities were read.
    fn alerts_found(&self) -> Option<u32> {
        let by_plan = self.plan.as_ref().filter(|_| self.depth != Depth::Learn);
        let were_none = by_plan.is_some_and(|plan| plan.rows().alerts == 0);
        let rows = plan::count(&self.facts, &mib::alert(2));
        (were_none && rows > 0 && !self.alerts_followed).then_some(rows)
    }

    fn push(&mut self, part: Part, ask: Ask) {
        self.queue.push_back(Step {
            part,
            ask,
            own: false,
        });
    }

    fn extend(&mut self, steps: Vec<Step>) {
        self.queue.extend(steps);
    }

    /// The steps of a poll by plan, without those for tables that the device never answers.
    fn extend_but_silent(&mut self, mut steps: Vec<Step>) {
        steps.retain(|step| !self.known.silent.covers(&step.ask));
        self.extend(steps);
    }

    /// Whether a full poll by plan shows a reason why the device may answer now what it never did: it restarted, it is configured in another
    /// way, or what it says of itself, where most name their firmware, is not what the plan remembers.
    fn may_answer_more(&self) -> bool {
        let config = mib::general(1).child(&[self.device.unwrap_or(1)]);
        if plan::restarted(&self.known.last, &self.facts)
            || self.known.last.get(&config) != self.facts.get(&config)
        {
            return true;
        }
        let description = mib::system(1);
        let before = self.plan.as_ref().and_then(Plan::unpack);
        before.is_some_and(|(before, _)| before.get(&description) != self.facts.get(&description))
    }

    /// The one place that every ask passes: what is not on the allow-list is not asked.
    fn permitted(&self, mut ask: Ask) -> Option<Ask> {
        let allowed = self.profiles.allowed();
        let names = match &mut ask {
            Ask::Get(oids) => oids,
            Ask::Walk { columns, .. } => columns,
        };
        allowed.retain_permitted(names);
        let is_empty = names.is_empty();
        if let Ask::Get(oids) = &mut ask {
            oids.dedup();
        }
        (!is_empty).then_some(ask)
    }
}
