//! The texts of an identity, named once: as a row, as an owned [`Identity`], and as a list for whoever keeps them side by side.

use super::IdentityRow;
use crate::model::Identity;

/// How many texts an identity has.
pub const IDENTITY_TEXTS: usize = 14;

macro_rules! texts {
    ($($field:ident)+) => {
        impl<'a> IdentityRow<'a> {
            /// Its texts in the order of the fields: the serial number first, the profile last.
            #[must_use]
            pub const fn texts(&self) -> [Option<&'a str>; IDENTITY_TEXTS] {
                [$(self.$field,)+]
            }

            /// The row of such a list.
            #[must_use]
            pub const fn from_texts([$($field,)+]: [Option<&'a str>; IDENTITY_TEXTS]) -> Self {
                Self { $($field,)+ }
            }
        }

        impl<'a> From<&'a Identity> for IdentityRow<'a> {
            fn from(identity: &'a Identity) -> Self {
                // The pattern names every field, so that none is forgotten.
                let Identity { $($field,)+ } = identity;
                Self { $($field: $field.as_deref(),)+ }
            }
        }

        impl From<&IdentityRow<'_>> for Identity {
            fn from(row: &IdentityRow<'_>) -> Self {
                Self { $($field: row.$field.map(str::to_owned),)+ }
            }
        }
    };
}

texts! {
    serial manufacturer model hostname dns_name address mac location contact firmware description object_id asset profile
}
