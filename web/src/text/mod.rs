//! What the pages say, in English and German.
//!
//! [`table`] is the one list of sentences: a key, the English, the German. [`words`] names the vocabulary of the reports. A text may hold
//! named places such as `{n}`, which [`fill`] fills; a test proves that both languages have the same ones.

pub(crate) mod alerts;
pub(crate) mod table;
pub(crate) mod words;

#[cfg(test)]
mod tests;

pub(crate) use table::Texts;

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lang {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Lang {
    /// Both, in the order of the switch.
    pub(crate) const ALL: [Self; 2] = [Self::De, Self::En];

    /// The BCP 47 tag, as in the `lang` attribute and in cookies.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language's own name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
        }
    }

    /// The language of a tag; what follows a `-` (a region) does not matter.
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|lang| primary.eq_ignore_ascii_case(lang.tag()))
    }

    /// The language that an `Accept-Language` header likes best, by its weights and then its order.
    pub(crate) fn from_accept(header: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for item in header.split(',').take(20) {
            let mut parts = item.split(';');
            let Some(lang) = parts.next().and_then(Self::from_tag) else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if weight > 0.0 && best.is_none_or(|(_, known)| weight > known) {
                best = Some((lang, weight));
            }
        }
        best.map(|(lang, _)| lang)
    }

    /// The texts of this language.
    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::En => &table::ENGLISH,
            Self::De => &table::GERMAN,
        }
    }

    /// One of two.
    pub(crate) const fn pick<T: Copy>(self, english: T, german: T) -> T {
        match self {
            Self::En => english,
            Self::De => german,
        }
    }
}

impl Texts {
    /// What is in the way, from the stable word for it.
    pub(crate) fn hindered_by(&self, reason: &str) -> &'static str {
        match reason {
            "disk-full" => self.hindered_disk_full,
            "store-locked" => self.hindered_store_locked,
            "stopping" => self.hindered_stopping,
            "archive-error" => self.hindered_archiving,
            "archive-unreadable" => self.hindered_reading,
            "ended" => self.hindered_ended,
            "journal-error" | "journal-unavailable" => self.hindered_taking,
            _ => self.hindered_applying,
        }
    }
}

/// `text` with each `{name}` replaced by its value.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match values.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => filled.push_str(value),
            None => {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}
