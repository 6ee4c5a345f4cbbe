//! Who a device says it is, as it is kept of each device: all words in one piece of memory, a fifth of what they take apart.

use codec::model::Identity;
use codec::sink::{IDENTITY_TEXTS, IdentityRow};

/// Where the profile is among them.
const PROFILE: usize = IDENTITY_TEXTS - 1;

/// The words of an [`Identity`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    text: Box<str>,
    /// Where each word ends in the text.
    ends: [u32; IDENTITY_TEXTS],
    /// One bit for each word that is there, the first the lowest.
    has: u16,
}

impl Who {
    /// The words of an identity.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        let words = IdentityRow::from(identity).texts();
        let mut who = Self::default();
        let length = words.iter().flatten().map(|word| word.len()).sum();
        let mut text = String::with_capacity(length);
        for (at, word) in words.into_iter().enumerate() {
            if let Some(word) = word {
                text.push_str(word);
                who.has |= 1 << at;
            }
            who.ends[at] = u32::try_from(text.len()).expect("a report has fewer than 2^32 bytes");
        }
        who.text = text.into_boxed_str();
        who
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.has == 0
    }

    /// Whether it has every word that `identity` has.
    #[must_use]
    pub fn says(&self, identity: &Identity) -> bool {
        let said = IdentityRow::from(identity).texts().into_iter().enumerate();
        said.into_iter()
            .all(|(at, word)| word.is_none() || self.word(at) == word)
    }

    /// The profile that it is read by.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.word(PROFILE)
    }

    /// The identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let row = IdentityRow::from_texts(std::array::from_fn(|at| self.word(at)));
        Identity::from(&row)
    }

    fn word(&self, at: usize) -> Option<&str> {
        if self.has & (1 << at) == 0 {
            return None;
        }
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[begin as usize..self.ends[at] as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_identity_is_all_of_it() {
        let some = Identity {
            serial: Some("A6-1F".to_owned()),
            hostname: Some(String::new()),
            location: Some("Büro 3".to_owned()),
            profile: Some("kyocera/1".to_owned()),
            ..Identity::default()
        };
        let numbered = |at: usize| Some(format!("word {at}"));
        let all = Identity {
            serial: numbered(0),
            manufacturer: numbered(1),
            model: numbered(2),
            hostname: numbered(3),
            dns_name: numbered(4),
            address: numbered(5),
            mac: numbered(6),
            location: numbered(7),
            contact: numbered(8),
            firmware: numbered(9),
            description: numbered(10),
            object_id: numbered(11),
            asset: numbered(12),
            profile: numbered(13),
        };
        for identity in [Identity::default(), some.clone(), all.clone()] {
            let who = Who::of(&identity);
            assert_eq!(who.identity(), identity);
            assert_eq!(who.profile(), identity.profile.as_deref());
            assert_eq!(who.is_empty(), identity == Identity::default());
            assert!(who.says(&identity) && who.says(&Identity::default()));
        }
        assert!(!Who::of(&some).says(&all) && !Who::of(&all).says(&some));
        assert!(!Who::default().says(&some));
    }
}
