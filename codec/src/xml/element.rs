//! The grammar as one list: which elements there are, where they stand, and which attributes they have, in canonical order.
//!
//! Both tokenisers, the paths in errors and the test against the published schema are made from it.

use super::attributes::Attribute;

macro_rules! elements {
    ($($(#[$doc:meta])* $kind:ident $name:literal in $parent:expr, $slots:ident { $($slot:ident $attribute:literal,)* })+) => {
        /// An element of a report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Element {
            $($(#[$doc])* $kind,)+
        }

        impl Element {
            /// Every element.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// Its name.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// How its start tag begins.
            pub(super) const fn start(self) -> &'static str {
                match self { $(Self::$kind => concat!("<", $name),)+ }
            }

            /// Its end tag.
            pub(super) const fn end(self) -> &'static str {
                match self { $(Self::$kind => concat!("</", $name, ">"),)+ }
            }

            /// Where it stands: each element has one place.
            pub(super) const fn parent(self) -> Place {
                match self { $(Self::$kind => $parent,)+ }
            }

            /// The names of its attributes, by slot.
            pub(super) const fn attributes(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($attribute,)*],)+ }
            }

            /// The element of that name.
            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)+ _ => None }
            }
        }

        $(
            #[doc = concat!("The attributes of `", $name, "`.")]
            pub(super) mod $slots {
                use super::Attribute;

                #[allow(clippy::upper_case_acronyms, non_camel_case_types, reason = "the names of constants")]
                enum Slot { $($slot,)* }
                $(pub(in super::super) const $slot: Attribute = Attribute {
                    slot: Slot::$slot as usize,
                    before: concat!(" ", $attribute, "=\""),
                };)*
            }
        )+
    };
}

/// What is open: nothing yet, an element, or nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the root element.
    Before,
    /// In this element.
    In(Element),
    /// After the root element.
    After,
}

elements! {
    Report "report" in Place::Before, report {
        VERSION "version", AGENT "agent", EPOCH "epoch", STREAM "stream", SEQUENCE "sequence", SEALED_AT "sealed_at",
        SEALED_UPTIME_MS "sealed_uptime_ms", PROGRAM "program",
    }
    Device "device" in Place::In(Element::Report), device {
        HANDLE "handle", BASE "base", OBSERVED_AT "observed_at", AGE_MS "age_ms", SOURCE "source", METER_SET "meter_set",
        UNCHANGED "unchanged",
    }
    Identity "identity" in Place::In(Element::Device), identity {
        SERIAL "serial", MANUFACTURER "manufacturer", MODEL "model", HOSTNAME "hostname", DNS_NAME "dns_name",
        ADDRESS "address", MAC "mac", LOCATION "location", CONTACT "contact", FIRMWARE "firmware",
        DESCRIPTION "description", OBJECT_ID "object_id", ASSET "asset", PROFILE "profile",
    }
    Status "status" in Place::In(Element::Device), status {
        DEVICE "device", PRINTER "printer", ERRORS "errors", UPTIME_TICKS "uptime_ticks", DISPLAY "display",
    }
    Meters "meters" in Place::In(Element::Device), meters { ONLY "only", }
    Meter "meter" in Place::In(Element::Meters), meter {
        WORK "work", COLOUR "colour", UNIT "unit", SIZE "size", SIDES "sides", BASIS "basis", OID "oid", VALUE "value",
    }
    Part "part" in Place::In(Element::Meter), part { OID "oid", VALUE "value", }
    Supplies "supplies" in Place::In(Element::Device), supplies { ONLY "only", }
    Supply "supply" in Place::In(Element::Supplies), supply {
        INDEX "index", CLASS "class", TYPE "type", COLORANT "colorant", DESCRIPTION "description", PART "part",
        SERIAL "serial", UNIT "unit", CAPACITY "capacity", RESOLUTION "resolution", LEVEL "level",
    }
    Trays "trays" in Place::In(Element::Device), trays { ONLY "only", }
    Tray "tray" in Place::In(Element::Trays), tray {
        INDEX "index", NAME "name", TYPE "type", MEDIA "media", UNIT "unit", CAPACITY "capacity", STATUS "status",
        LEVEL "level",
    }
    Alerts "alerts" in Place::In(Element::Device), alerts { ONLY "only", }
    Alert "alert" in Place::In(Element::Alerts), alert {
        INDEX "index", SEVERITY "severity", GROUP "group", GROUP_INDEX "group_index", CODE "code",
        DESCRIPTION "description", SINCE "since",
    }
}
