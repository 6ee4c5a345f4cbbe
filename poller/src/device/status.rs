//! Status and error states (quirks T1 to T5, T16).

use codec::model::{DeviceStatus, ErrorState, PrinterStatus, Status};

use super::mib;
use super::view::View;

/// Reads the status.
#[must_use]
pub fn status(view: &View<'_>) -> Status {
    let index = [view.device];
    let device = view
        .integer_in(&mib::hr_device(5), &index)
        .and_then(|code| {
            let words = [
                DeviceStatus::Unknown,
                DeviceStatus::Running,
                DeviceStatus::Warning,
                DeviceStatus::Testing,
                DeviceStatus::Down,
            ];
            words
                .get(usize::try_from(code).ok()?.checked_sub(1)?)
                .copied()
        });
    let printer = view
        .integer_in(&mib::hr_printer(1), &index)
        .and_then(|code| {
            let words = [
                PrinterStatus::Other,
                PrinterStatus::Unknown,
                PrinterStatus::Idle,
                PrinterStatus::Printing,
                PrinterStatus::Warmup,
            ];
            words
                .get(usize::try_from(code).ok()?.checked_sub(1)?)
                .copied()
        });
    let uptime_ticks = view
        .facts
        .integer(&mib::system(3))
        .and_then(|ticks| u32::try_from(ticks).ok());
    Status {
        device,
        printer,
        errors: errors(view),
        uptime_ticks,
        display: display(view),
    }
}

/// The bits of `hrPrinterDetectedErrorState` that are set; it has 0, 1 or 2 octets, and bit 0 is the highest of the first.
#[must_use]
pub fn errors(view: &View<'_>) -> Vec<ErrorState> {
    let octets = view
        .facts
        .octets(&mib::hr_printer(2).child(&[view.device]))
        .unwrap_or_default();
    let is_set = |bit: usize| {
        octets
            .get(bit / 8)
            .is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0)
    };
    ErrorState::ALL
        .iter()
        .enumerate()
        .filter(|(bit, _)| is_set(*bit))
        .map(|(_, state)| *state)
        .collect()
}

/// The line on the panel: the vendor's place, else the lines of the console, joined.
fn display(view: &View<'_>) -> Option<String> {
    let own = view
        .profile
        .status
        .display
        .iter()
        .find_map(|source| view.text(source));
    let own = own.or_else(|| {
        let column = mib::console_text();
        let rows = view.rows(std::slice::from_ref(&column));
        let lines = rows
            .iter()
            .filter_map(|(_, index)| view.text_in(&column, index))
            .collect::<Vec<_>>();
        (!lines.is_empty()).then(|| lines.join(" "))
    });
    // Lines are padded to the width of the panel.
    own.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}
