//! Words of columns, API and SOAP service that no report carries: they come to be in the manager.

use serde::{Deserialize, Serialize};

/// Makes an enumeration with one word and one code each. Codes are written into columns: they are never given to another word.
macro_rules! coded_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word of the list, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in API and SOAP service.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that `word` names.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The code in columns.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value of a column's code.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

coded_words! {
    /// How far a reading can be trusted.
    Quality {
        /// Read as it is.
        Ok = 0, "ok";
        /// Older than the asker allowed; only billing readings are ever this.
        Stale = 1, "stale";
        /// Calculated between two readings; only billing readings are ever this.
        Interpolated = 2, "interpolated";
        /// Typed in by a person.
        Manual = 3, "manual";
        /// The meter went back: a reset, or another board. A person should confirm it.
        ResetSuspected = 4, "resetSuspected";
        /// The meters of this poll contradict each other.
        Conflict = 5, "conflict";
    }
}

coded_words! {
    /// Why a value was read.
    ReadReason {
        /// It was due.
        Scheduled = 0, "scheduled";
        /// The device said that something had changed (a trap).
        Triggered = 1, "triggered";
        /// A person asked for it.
        Requested = 2, "requested";
        /// A person typed it in.
        Entered = 3, "entered";
    }
}

coded_words! {
    /// What happened to a device.
    EventKind {
        /// It was seen for the first time.
        New = 0, "new";
        /// It answers from another address; `before` and `after` are addresses.
        AddressChanged = 1, "addressChanged";
        /// It calls itself something else.
        HostnameChanged = 2, "hostnameChanged";
        /// It runs another firmware.
        FirmwareChanged = 3, "firmwareChanged";
        /// It stands at another site; `before` and `after` are the sites' numbers.
        SiteChanged = 4, "siteChanged";
        /// Another agent reads it.
        AgentChanged = 5, "agentChanged";
        /// A meter went back: `subject` is its code, `before` and `after` its values.
        MeterReset = 6, "meterReset";
        /// A meter passed the end of its range.
        MeterRollover = 7, "meterRollover";
        /// The meters of a poll contradict each other, or do so no longer.
        MeterSetChanged = 8, "meterSetChanged";
        /// A supply was replaced: `subject` is its description, `before` and `after` serial numbers or levels.
        SupplyReplaced = 9, "supplyReplaced";
        /// The serial number, MAC or model changed at an otherwise known device.
        IdentityChanged = 10, "identityChanged";
        /// It was found to be the same as another device.
        Merged = 11, "merged";
        /// It was found to be two.
        Split = 12, "split";
        /// It was not heard of for too long.
        Silent = 13, "silent";
        /// It is heard of again.
        Heard = 14, "heard";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_every_code_names_its_value_alone() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_word(kind.word()), Some(*kind));
            assert_eq!(EventKind::from_code(kind.code()), Some(*kind));
        }
        for quality in Quality::ALL {
            assert_eq!(Quality::from_word(quality.word()), Some(*quality));
            assert_eq!(Quality::from_code(quality.code()), Some(*quality));
        }
        for reason in ReadReason::ALL {
            assert_eq!(ReadReason::from_word(reason.word()), Some(*reason));
            assert_eq!(ReadReason::from_code(reason.code()), Some(*reason));
        }
    }
}
