//! The objects of the standard MIBs that are read, by their numbers: RFC 1213, RFC 2790 (Host Resources), RFC 3805 (Printer MIB v2).

use crate::oid::Oid;

/// A scalar of the group `system`, its instance included: 1 sysDescr, 2 sysObjectID, 3 sysUpTime, 4 sysContact, 5 sysName, 6 sysLocation.
#[must_use]
pub fn system(object: u32) -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 1, object, 0])
}

/// A column of hrDeviceTable: 2 hrDeviceType, 3 hrDeviceDescr, 5 hrDeviceStatus.
#[must_use]
pub fn hr_device(column: u32) -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, column])
}

/// A column of hrPrinterTable: 1 hrPrinterStatus, 2 hrPrinterDetectedErrorState.
#[must_use]
pub fn hr_printer(column: u32) -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 25, 3, 5, 1, column])
}

/// hrDevicePrinter, the value of hrDeviceType.
#[must_use]
pub fn hr_device_printer() -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 25, 3, 1, 5])
}

/// ifPhysAddress.
#[must_use]
pub fn if_phys_address() -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 6])
}

/// ipAdEntIfIndex.
#[must_use]
pub fn ip_if_index() -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 4, 20, 1, 2])
}

/// A column of a table of the Printer MIB: `prt([11, 1, 1], column)` is one of prtMarkerSuppliesTable.
fn prt([table, entry, row]: [u32; 3], column: u32) -> Oid {
    Oid::new(&[1, 3, 6, 1, 2, 1, 43, table, entry, row, column])
}

/// prtGeneralTable: 1 ConfigChanges, 2 CurrentLocalization, 8 MarkerDefaultIndex, 16 PrinterName, 17 SerialNumber, 19 AlertAllEvents.
#[must_use]
pub fn general(column: u32) -> Oid {
    prt([5, 1, 1], column)
}

/// prtLocalizationCharacterSet.
#[must_use]
pub fn charset() -> Oid {
    prt([7, 1, 1], 4)
}

/// prtInputTable: 2 Type, 8 CapacityUnit, 9 MaxCapacity, 10 CurrentLevel, 11 Status, 12 MediaName, 13 Name, 18 Description.
#[must_use]
pub fn input(column: u32) -> Oid {
    prt([8, 2, 1], column)
}

/// prtMarkerTable: 2 MarkTech, 3 CounterUnit, 4 LifeCount.
#[must_use]
pub fn marker(column: u32) -> Oid {
    prt([10, 2, 1], column)
}

/// prtMarkerSuppliesTable: 3 ColorantIndex, 4 Class, 5 Type, 6 Description, 7 SupplyUnit, 8 MaxCapacity, 9 Level.
#[must_use]
pub fn supplies(column: u32) -> Oid {
    prt([11, 1, 1], column)
}

/// prtMarkerColorantValue.
#[must_use]
pub fn colorant_value() -> Oid {
    prt([12, 1, 1], 4)
}

/// prtConsoleDisplayBufferText.
#[must_use]
pub fn console_text() -> Oid {
    prt([16, 5, 1], 2)
}

/// prtAlertTable: 2 SeverityLevel, 4 Group, 5 GroupIndex, 7 Code, 8 Description, 9 Time.
#[must_use]
pub fn alert(column: u32) -> Oid {
    prt([18, 1, 1], column)
}

/// Everything above, by subtree and purpose: the standard part of the allow-list.
#[must_use]
pub fn allowed() -> Vec<(Oid, &'static str)> {
    let mut list = vec![
        (if_phys_address(), "hardware address"),
        (ip_if_index(), "which interface answers"),
        (charset(), "charset of the device's texts"),
        (colorant_value(), "colours of the supplies"),
        (console_text(), "line on the panel"),
    ];
    list.extend((1..=6).map(|object| {
        (
            system(object),
            "description, kind, uptime, contact (if wanted), name and place of the device",
        )
    }));
    list.extend(
        [2, 3, 5].map(|column| (hr_device(column), "kind, model and status of the device")),
    );
    list.extend([1, 2].map(|column| (hr_printer(column), "status and error states")));
    list.extend([1, 2, 8, 16, 17, 18, 19].map(|column| {
        (
            general(column),
            "printer: name, serial number, change counters",
        )
    }));
    list.extend([2, 8, 9, 10, 11, 12, 13, 18].map(|column| (input(column), "input trays")));
    list.extend([2, 3, 4].map(|column| (marker(column), "engine counter")));
    list.extend((3..=9).map(|column| (supplies(column), "marker supplies")));
    list.extend([2, 4, 5, 7, 8, 9].map(|column| (alert(column), "alerts")));
    list
}
