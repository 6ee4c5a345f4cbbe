//! `ListMeterTypes`: every meter code without a size, and the names that readings carry.
//!
//! Codes and names come from the words of reports; a code never changes its meaning, so that an ERP maps it once.

use codec::model::{Basis, Colour, MeterUnit, Sides, Work, meter_code};

use super::{Call, list};
use crate::fault::Fault;
use crate::out::Out;
use crate::schema::{Kind, Operation, column, record};

pub(super) const OPERATION: Operation = Operation {
    name: "ListMeterTypes",
    doc: "All meters that devices may have. Counters of one paper size or of simplex and duplex apart have the code of the meter they are part of, \
          then a dot and the size (a4, a3, letter) or simplex or duplex; before the code of an engine counter stands engine and a dot.",
    parameters: &[],
    response: &[column!(
        "meterTypes",
        Kind::List(&METER_TYPE),
        Always,
        "The meters."
    )],
    answer,
};

/// What a row is written from.
struct Row {
    work: Work,
    colour: Colour,
    unit: MeterUnit,
}

record! {
    METER_TYPE, write(row: &Row), "meterType", "A meter that devices may have.";
    "meterCode" Text Always "Names the meter for ever." =
        meter_code(row.work.word(), row.colour.word(), row.unit.word(), None, None, Basis::Billing).as_str();
    "meterName" Text Always "Names it for people." =
        meter_name(row.work, row.colour, row.unit, None, None, Basis::Billing).as_str();
    "work" Text Always "What the device did: total, print, copy, fax or scan." = row.work.word();
    "colour" Text Always "The colour of it: total, mono, colour; single-colour and full-colour are contained in colour." = row.colour.word();
    "unit" Text Always "What is counted: impressions (sides with a mark), sheets, images, feet, metres, hours, other." = row.unit.word();
}

fn answer(_call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for work in Work::ALL {
        for colour in Colour::ALL {
            for unit in MeterUnit::ALL {
                rows.push(Row {
                    work: *work,
                    colour: *colour,
                    unit: *unit,
                });
            }
        }
    }
    list(out, "meterTypes", &rows, write);
    Ok(())
}

/// What a meter is called, for people; in English, whoever asks, so that a mapping by name stays put.
pub(super) fn meter_name(
    work: Work,
    colour: Colour,
    unit: MeterUnit,
    size: Option<&str>,
    sides: Option<Sides>,
    basis: Basis,
) -> String {
    let mut name = String::with_capacity(48);
    if basis == Basis::Engine {
        name.push_str("Engine ");
    }
    name.push_str(match work {
        Work::Total => "Total",
        Work::Print => "Print",
        Work::Copy => "Copy",
        Work::Fax => "Fax",
        Work::Scan => "Scan",
    });
    name.push_str(match colour {
        Colour::Total => "",
        Colour::Mono => " mono",
        Colour::Colour => " colour",
        Colour::SingleColour => " single colour",
        Colour::FullColour => " full colour",
    });
    if let Some(size) = size {
        name.push(' ');
        name.push_str(&size.to_uppercase());
    }
    if let Some(sides) = sides {
        name.push(' ');
        name.push_str(sides.word());
    }
    name.push_str(" (");
    name.push_str(unit.word());
    name.push(')');
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_is_named_by_its_words() {
        let name = |work, colour, size, sides, basis| {
            meter_name(work, colour, MeterUnit::Impressions, size, sides, basis)
        };
        assert_eq!(
            name(Work::Total, Colour::Total, None, None, Basis::Billing),
            "Total (impressions)"
        );
        assert_eq!(
            name(
                Work::Print,
                Colour::FullColour,
                Some("a3"),
                Some(Sides::Duplex),
                Basis::Billing
            ),
            "Print full colour A3 duplex (impressions)"
        );
        assert_eq!(
            name(Work::Total, Colour::Mono, None, None, Basis::Engine),
            "Engine Total mono (impressions)"
        );
    }
}
