//! The runs of a batch, as columns: they are most of its rows, and go to the engine column by column.
//!
//! What always holds: all columns are equally long; places ascend; the runs of one device report lie side by side and name its row.

use codec::id::DeviceId;
use codec::key::{SpoolEpoch, Stream};
use codec::time::Timestamp;

use crate::reading::JournalPosition;
use crate::rows::{RunEnd, RunRow};

/// What the runs of one device report have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportCells {
    pub agent: u32,
    pub epoch: SpoolEpoch,
    pub stream: Stream,
    pub sequence: u64,
    pub ordinal: u32,
    pub device: DeviceId,
    pub agent_at: Timestamp,
    pub received_at: Timestamp,
    pub journal: JournalPosition,
}

/// The runs of a batch.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// The device reports, each with the place of its first run.
    pub reports: Vec<(u64, ReportCells)>,
    /// Which of them a run comes from.
    pub report: Vec<u32>,
    pub place: Vec<u64>,
    pub origin: Vec<u32>,
    pub site: Vec<i64>,
    pub value: Vec<u64>,
    pub continuous: Vec<u64>,
    pub meter_epoch: Vec<u32>,
    pub observed_ms: Vec<i64>,
    pub confirmed_ms: Vec<i64>,
    /// `None` of open runs.
    pub superseded_ms: Vec<Option<i64>>,
    pub quality: Vec<u8>,
    pub clock_corrected: Vec<bool>,
    pub reason: Vec<u8>,
    /// Where its parts begin and end in the batch's text.
    pub parts: Vec<(usize, usize)>,
}

impl Runs {
    pub fn len(&self) -> usize {
        self.place.len()
    }

    pub fn clear(&mut self) {
        let Self {
            reports,
            report,
            place,
            origin,
            site,
            value,
            continuous,
            meter_epoch,
            observed_ms,
            confirmed_ms,
            superseded_ms,
            quality,
            clock_corrected,
            reason,
            parts,
        } = self;
        reports.clear();
        report.clear();
        place.clear();
        origin.clear();
        site.clear();
        value.clear();
        continuous.clear();
        meter_epoch.clear();
        observed_ms.clear();
        confirmed_ms.clear();
        superseded_ms.clear();
        quality.clear();
        clock_corrected.clear();
        reason.clear();
        parts.clear();
    }

    /// Adds a run; `agent` and `origin` are the batch's numbers, `parts` a stretch of its text.
    pub fn push(
        &mut self,
        row: &RunRow<'_>,
        (agent, origin): (u32, u32),
        superseded_at: Option<Timestamp>,
        parts: (usize, usize),
    ) {
        assert!(
            self.place.last().is_none_or(|last| *last < row.place),
            "runs are pushed in the order of their places"
        );
        let report = ReportCells {
            agent,
            epoch: row.epoch,
            stream: row.stream,
            sequence: row.sequence,
            ordinal: row.ordinal,
            device: row.device,
            agent_at: row.agent_at,
            received_at: row.received_at,
            journal: row.journal,
        };
        if self.reports.last().is_none_or(|(_, last)| *last != report) {
            self.reports.push((row.place, report));
        }
        let number = u32::try_from(self.reports.len() - 1);
        self.report
            .push(number.expect("a batch holds far fewer than 2^32 reports"));
        self.place.push(row.place);
        self.origin.push(origin);
        self.site.push(row.site.0);
        self.value.push(row.value);
        self.continuous.push(row.continuous);
        self.meter_epoch.push(row.meter_epoch);
        self.observed_ms.push(row.observed_at.unix_ms);
        self.confirmed_ms.push(row.confirmed_until.unix_ms);
        self.superseded_ms.push(superseded_at.map(|at| at.unix_ms));
        self.quality.push(row.quality.code());
        self.clock_corrected.push(row.clock_corrected);
        self.reason.push(row.reason.code());
        self.parts.push(parts);
    }

    /// Ends a run of this batch; `false` when the place is none of it.
    pub fn end(&mut self, end: &RunEnd) -> bool {
        let Some(at) = self.find(end.place) else {
            return false;
        };
        self.confirmed_ms[at] = end.confirmed_until.unix_ms;
        self.superseded_ms[at] = Some(end.superseded_at.unix_ms);
        true
    }

    /// Confirms a run of this batch; `false` when the place is none of it.
    pub fn confirm(&mut self, place: u64, until: Timestamp) -> bool {
        let Some(at) = self.find(place) else {
            return false;
        };
        let confirmed = &mut self.confirmed_ms[at];
        *confirmed = (*confirmed).max(until.unix_ms);
        true
    }

    fn find(&self, place: u64) -> Option<usize> {
        // Nearly all that ends began in an earlier batch.
        let first = self.place.first()?;
        if place < *first {
            return None;
        }
        self.place.binary_search(&place).ok()
    }
}
