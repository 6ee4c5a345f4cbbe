//! The audit log: who did what and when. Entries are added, never changed; beyond a bound the oldest go.

use codec::time::Timestamp;
use rusqlite::params;
use serde::Serialize;

use crate::Registry;
use crate::error::{During, Error};

/// Entries kept: at a hundred a day, ten years.
pub const ENTRIES_MAX: i64 = 400_000;
/// The longest text of a field, in characters.
const FIELD_CHARS_MAX: usize = 1_000;

/// What happened, as it is to be noted.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// A login, `cli`, or the name of a part of the program.
    pub who: &'a str,
    /// A stable word, such as `account.create`.
    pub action: &'a str,
    /// What it was done to, such as a login, an agent's or a device's id.
    pub subject: &'a str,
    /// Anything else worth knowing. Never a secret.
    pub detail: &'a str,
}

/// What happened, as it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its number; later entries have higher ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Anything else.
    pub detail: String,
}

impl Registry {
    /// Notes what was done.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note(&self, entry: &Entry<'_>, now: Timestamp) -> Result<(), Error> {
        let cut = |text: &str| text.chars().take(FIELD_CHARS_MAX).collect::<String>();
        self.inner.database.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO audit (at, who, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![now.unix_ms, cut(entry.who), cut(entry.action), cut(entry.subject), cut(entry.detail)],
                )
                .during("write the audit log")?;
            transaction
                .execute("DELETE FROM audit WHERE id <= ?1", [transaction.last_insert_rowid() - ENTRIES_MAX])
                .during("shorten the audit log")
        })?;
        Ok(())
    }

    /// The newest entries, at most `rows`, older than entry `before` if given.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn audit_log(&self, before: Option<i64>, rows: usize) -> Result<Vec<AuditEntry>, Error> {
        self.inner.database.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, at, who, action, subject, detail FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")
                .during("read the audit log")?;
            let entries = statement
                .query_map(params![before.unwrap_or(i64::MAX), i64::try_from(rows).unwrap_or(i64::MAX)], |row| {
                    Ok(AuditEntry {
                        id: row.get(0)?,
                        at: Timestamp::from_unix_ms(row.get(1)?),
                        who: row.get(2)?,
                        action: row.get(3)?,
                        subject: row.get(4)?,
                        detail: row.get(5)?,
                    })
                })
                .during("read the audit log")?;
            entries.collect::<Result<_, _>>().during("read the audit log")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_is_read_from_the_newest_in_pages() {
        let registry = Registry::in_memory().unwrap();
        for subject in ["a", "b", "c"] {
            let entry = Entry {
                who: "cli",
                action: "agent.add",
                subject,
                detail: "",
            };
            registry.note(&entry, Timestamp::from_unix_ms(5)).unwrap();
        }
        let subjects = |entries: &[AuditEntry]| {
            entries
                .iter()
                .map(|entry| entry.subject.clone())
                .collect::<String>()
        };
        let page = registry.audit_log(None, 2).unwrap();
        assert_eq!(subjects(&page), "cb");
        assert_eq!(
            subjects(&registry.audit_log(Some(page[1].id), 2).unwrap()),
            "a"
        );
    }
}
