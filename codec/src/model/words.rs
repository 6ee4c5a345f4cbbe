//! The words that reports are made of: one list each for the XML, the JSON, the columns and the labels of the pages.

use serde::{Deserialize, Serialize};

/// Makes an enumeration of wire words: one list for the XML, the JSON, the columns and the labels of the pages.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word of the list, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word on the wire, in JSON, and in columns.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that `word` names.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What the device did (PWG 5106.1 service types, folded).
    Work {
        /// All services together.
        Total = "total",
        /// Print jobs.
        Print = "print",
        /// Copies.
        Copy = "copy",
        /// Received and forwarded faxes that were printed, or fax pages where the device does not tell them apart.
        Fax = "fax",
        /// Scanned originals.
        Scan = "scan",
    }
}

words! {
    /// The colour of what was counted.
    Colour {
        /// Both.
        Total = "total",
        /// Black only.
        Mono = "mono",
        /// With colour: single colour, two colour and full colour together.
        Colour = "colour",
        /// One colour other than black, where the device counts it apart; also contained in [`Colour::Colour`].
        SingleColour = "single-colour",
        /// Full (process) colour, where the device counts it apart; also contained in [`Colour::Colour`].
        FullColour = "full-colour",
    }
}

words! {
    /// What a meter counts.
    MeterUnit {
        /// One side of a sheet, marked (PWG 5106.1).
        Impressions = "impressions",
        /// Sheets of paper.
        Sheets = "sheets",
        /// Images scanned or sent.
        Images = "images",
        /// Feet of media, for rolls.
        Feet = "feet",
        /// Metres of media, for rolls.
        Metres = "metres",
        /// Hours.
        Hours = "hours",
        /// What the device counts without saying what.
        Other = "other",
    }
}

words! {
    /// Whether both sides of the sheet were used, where counted apart.
    Sides {
        /// One side.
        Simplex = "simplex",
        /// Two sides.
        Duplex = "duplex",
    }
}

words! {
    /// What a meter may be used for.
    Basis {
        /// The vendor's page counters: what an invoice may rest on.
        Billing = "billing",
        /// Cycles of the print engine (`prtMarkerLifeCount`): never billed unless somebody chose to.
        Engine = "engine",
    }
}

words! {
    /// What the arithmetic of one poll's meters says (print + copy + fax = total, mono + colour = total, …).
    MeterSet {
        /// No identity could be checked.
        Unverified = "unverified",
        /// Every identity that could be checked holds.
        Verified = "verified",
        /// One at least does not hold: a person should look before this is billed.
        Conflicting = "conflicting",
    }
}

words! {
    /// Where a device report comes from.
    SourceKind {
        /// SNMP over the network.
        Snmp = "snmp",
        /// A local USB port.
        Usb = "usb",
    }
}

words! {
    /// `hrDeviceStatus` (RFC 2790).
    DeviceStatus {
        /// unknown(1)
        Unknown = "unknown",
        /// running(2)
        Running = "running",
        /// warning(3): usable, something needs a person
        Warning = "warning",
        /// testing(4)
        Testing = "testing",
        /// down(5)
        Down = "down",
    }
}

words! {
    /// `hrPrinterStatus` (RFC 2790).
    PrinterStatus {
        /// other(1)
        Other = "other",
        /// unknown(2)
        Unknown = "unknown",
        /// idle(3)
        Idle = "idle",
        /// printing(4)
        Printing = "printing",
        /// warmup(5)
        Warmup = "warmup",
    }
}

words! {
    /// The bits of `hrPrinterDetectedErrorState` (RFC 2790, RFC 3805), in their order.
    ErrorState {
        /// bit 0
        LowPaper = "lowPaper",
        /// bit 1
        NoPaper = "noPaper",
        /// bit 2
        LowToner = "lowToner",
        /// bit 3
        NoToner = "noToner",
        /// bit 4
        DoorOpen = "doorOpen",
        /// bit 5
        Jammed = "jammed",
        /// bit 6
        Offline = "offline",
        /// bit 7
        ServiceRequested = "serviceRequested",
        /// bit 8
        InputTrayMissing = "inputTrayMissing",
        /// bit 9
        OutputTrayMissing = "outputTrayMissing",
        /// bit 10
        MarkerSupplyMissing = "markerSupplyMissing",
        /// bit 11
        OutputNearFull = "outputNearFull",
        /// bit 12
        OutputFull = "outputFull",
        /// bit 13
        InputTrayEmpty = "inputTrayEmpty",
        /// bit 14
        OverduePreventMaint = "overduePreventMaint",
    }
}

words! {
    /// `prtMarkerSuppliesClass` (RFC 3805).
    SupplyClass {
        /// other(1)
        Other = "other",
        /// supplyThatIsConsumed(3): the level is what is left
        Consumed = "consumed",
        /// receptacleThatIsFilled(4): the level is the room that is left
        Receptacle = "receptacle",
    }
}

words! {
    /// What a supply is: `PrtMarkerSuppliesTypeTC` folded to one canonical kind, since vendors choose freely among its values.
    SupplyType {
        /// Toner or a toner cartridge.
        Toner = "toner",
        /// Ink or an ink cartridge.
        Ink = "ink",
        /// Ribbon.
        Ribbon = "ribbon",
        /// Solid wax.
        Wax = "wax",
        /// Drum, photoconductor (opc).
        Drum = "drum",
        /// Developer.
        Developer = "developer",
        /// Fuser and its parts.
        Fuser = "fuser",
        /// Transfer unit or belt.
        Transfer = "transfer",
        /// A waste receptacle.
        Waste = "waste",
        /// Cleaner unit.
        Cleaner = "cleaner",
        /// Staples and stitching wire.
        Staples = "staples",
        /// Maintenance kit, feed rollers.
        Kit = "kit",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// The unit of a supply's or a tray's capacity and level (`PrtMarkerSuppliesSupplyUnitTC`, `PrtCapacityUnitTC`).
    CapacityUnit {
        /// other(1)
        Other = "other",
        /// unknown(2)
        Unknown = "unknown",
        /// tenThousandthsOfInches(3)
        TenThousandthsOfInches = "tenThousandthsOfInches",
        /// micrometers(4)
        Micrometers = "micrometers",
        /// impressions(7)
        Impressions = "impressions",
        /// sheets(8)
        Sheets = "sheets",
        /// hours(11)
        Hours = "hours",
        /// thousandthsOfOunces(12)
        ThousandthsOfOunces = "thousandthsOfOunces",
        /// tenthsOfGrams(13)
        TenthsOfGrams = "tenthsOfGrams",
        /// hundrethsOfFluidOunces(14)
        HundredthsOfFluidOunces = "hundredthsOfFluidOunces",
        /// tenthsOfMilliliters(15)
        TenthsOfMilliliters = "tenthsOfMilliliters",
        /// feet(16)
        Feet = "feet",
        /// meters(17)
        Metres = "metres",
        /// items(18)
        Items = "items",
        /// percent(19)
        Percent = "percent",
    }
}

words! {
    /// The colour of a supply, from `prtMarkerColorantValue` or the description; K C M Y first, as pages show them.
    Colorant {
        /// Black.
        Black = "black",
        /// Cyan.
        Cyan = "cyan",
        /// Magenta.
        Magenta = "magenta",
        /// Yellow.
        Yellow = "yellow",
        /// Photo black.
        PhotoBlack = "photo-black",
        /// Matte black.
        MatteBlack = "matte-black",
        /// Light cyan.
        LightCyan = "light-cyan",
        /// Light magenta.
        LightMagenta = "light-magenta",
        /// Grey.
        Grey = "grey",
        /// Light grey.
        LightGrey = "light-grey",
        /// Red.
        Red = "red",
        /// Green.
        Green = "green",
        /// Blue.
        Blue = "blue",
        /// Orange.
        Orange = "orange",
        /// White.
        White = "white",
        /// Clear coat.
        Clear = "clear",
        /// A colour that has no word here.
        Other = "other",
    }
}

words! {
    /// `prtAlertSeverityLevel` (RFC 3805).
    AlertSeverity {
        /// other(1)
        Other = "other",
        /// critical(3): the printer stopped
        Critical = "critical",
        /// warning(4): an event without an end
        Warning = "warning",
        /// warningBinaryChangeEvent(5): a condition with an end
        WarningBinaryChangeEvent = "warningBinaryChangeEvent",
    }
}

words! {
    /// What kind of input a tray is (`prtInputType`).
    TrayType {
        /// other(1)
        Other = "other",
        /// unknown(2)
        Unknown = "unknown",
        /// sheetFeedAutoRemovableTray(3)
        Removable = "removable",
        /// sheetFeedAutoNonRemovableTray(4)
        NonRemovable = "nonRemovable",
        /// sheetFeedManual(5)
        Manual = "manual",
        /// continuousRoll(6)
        Roll = "roll",
        /// continuousFanFold(7)
        FanFold = "fanFold",
    }
}
