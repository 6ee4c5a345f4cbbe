//! What a poll heard, as report and plan.

use codec::model::{DeviceReport, Section, SourceKind};
use codec::time::Timestamp;

use super::learn::Part;
use super::plan::{Plan, Silent};
use super::uptime::Uptime;
use super::{Depth, DevicePoll, alerts, identity, meters, status, supplies, trays};

impl DevicePoll {
    /// What was asked for and not read.
    pub(super) fn not_read(&self, report: Option<&DeviceReport>) -> Vec<&'static str> {
        let meters_lost = self.depth != Depth::Heartbeat
            && self.asked.contains(&Part::Meters)
            && report.is_some_and(|report| report.meters.is_not_read());
        let lost = |part: &Part| {
            self.broken.contains(part)
                || self.is_refused(*part)
                || (self.asked.contains(part) && self.is_silent(*part))
                || (*part == Part::Meters && meters_lost)
        };
        Part::ALL
            .iter()
            .copied()
            .filter(lost)
            .map(Part::name)
            .collect()
    }

    fn is_refused(&self, part: Part) -> bool {
        self.refused.contains(&part) && !self.spoken.contains(&part)
    }

    /// The plan says that the part cannot be told: a table of it is never answered.
    fn is_silent(&self, part: Part) -> bool {
        self.known.silent.parts.contains(&part)
    }

    /// A section is read when its asks were made, and none was left unanswered or out because it would be.
    fn section<T>(&self, part: Part, read: impl FnOnce() -> T) -> Section<T> {
        let is_lost = self.broken.contains(&part) || self.is_refused(part) || self.is_silent(part);
        if self.asked.contains(&part) && !is_lost {
            Section::Read(read())
        } else {
            Section::NotRead
        }
    }

    pub(super) fn report(&self) -> DeviceReport {
        let view = self.view();
        let identity = identity::identity(
            &view,
            self.rule_maker.as_deref(),
            &self.context.address,
            self.context.collect_contact,
        );
        let mut report = DeviceReport {
            observed_at: self.context.observed_at,
            observed_uptime_ms: self.context.observed_uptime_ms,
            source: Some(SourceKind::Snmp),
            identity,
            ..DeviceReport::default()
        };
        if self.depth == Depth::Heartbeat || self.do_not_touch {
            return report;
        }
        report.status = self.section(Part::Status, || status::status(&view));
        if let Section::Read(meters) = self.section(Part::Meters, || meters::meters(&view))
            && !meters.lost
        {
            report.meter_set = Some(meters.set);
            report.meters = Section::Read(meters.list);
        }
        report.supplies = self.section(Part::Supplies, || supplies::supplies(&view));
        report.trays = self.section(Part::Trays, || trays::trays(&view));
        let uptime = self.uptime();
        report.alerts = self.section(Part::Alerts, || alerts::alerts(&view, uptime.as_ref()));
        report
    }

    /// Whether something is missing that a plan would miss too.
    fn is_incomplete(&self) -> bool {
        !self.broken.is_empty() || self.silences > 0 || meters::total_unread(&self.view())
    }

    /// What this learning poll says the device never answers, all else being complete; `None` when something was lost in another way,
    /// so that nothing can be built on it.
    fn learned_silence(&self) -> Option<Silent> {
        if !self.is_incomplete() {
            return Some(Silent::default());
        }
        let silent = &self.silent;
        let is_all = !self.is_cut_short
            && self.silences == u32::from(silent.learns)
            && self.broken.is_subset(&silent.parts)
            && (silent.parts.contains(&Part::Meters) || !meters::total_unread(&self.view()));
        let before = self.plan.as_ref().map(Plan::silent).unwrap_or_default();
        let learns = match before.places == silent.places {
            true => before.learns.saturating_add(1),
            false => 1,
        };
        is_all.then(|| Silent {
            learns,
            ..silent.clone()
        })
    }

    /// What is known after this poll of how long the device has been running.
    fn uptime(&self) -> Option<Uptime> {
        Uptime::of(&self.facts, self.started_at(), self.context.observed_at)
    }

    fn started_at(&self) -> Option<Timestamp> {
        self.plan.as_ref().and_then(Plan::started_at)
    }

    pub(super) fn next_plan(&self) -> Option<Plan> {
        let plan = self.plan_by_depth()?;
        let started_at = self.uptime().map(|uptime| uptime.started());
        Some(plan.of_start(started_at.or_else(|| self.started_at())))
    }

    fn plan_by_depth(&self) -> Option<Plan> {
        let view = self.view();
        let now = self.context.observed_at;
        let alerts_read =
            self.asked.contains(&Part::Alerts) && !self.broken.contains(&Part::Alerts);
        match self.depth {
            Depth::Heartbeat => self.plan.clone(),
            Depth::Steady => {
                let plan = self.plan.clone()?;
                // A poll that broke off has nothing to compare the next one with.
                Some(if self.broken.is_empty() {
                    plan.after(&self.known, &view, now, alerts_read)
                } else {
                    plan
                })
            }
            Depth::Full if self.is_incomplete() => self.plan.clone(),
            Depth::Full | Depth::Learn => {
                let silent = match self.depth {
                    Depth::Full => self.known.silent.clone(),
                    // An error amid the meters, or silence here and there, may have been chance: the next poll learns again.
                    _ => self.learned_silence()?,
                };
                let learned_at = self
                    .plan
                    .as_ref()
                    .filter(|_| self.depth == Depth::Full)
                    .map_or(now, Plan::learned_at);
                let moved = self
                    .plan
                    .as_ref()
                    .is_some_and(|plan| plan.events_moved_by(&self.known, &self.facts));
                Some(Plan::learned(
                    &view,
                    self.rule_maker.as_deref(),
                    &self.context.address,
                    (learned_at, now),
                    moved,
                    &silent,
                ))
            }
        }
    }
}
