//! A customer is forgotten: what stands under his sites goes, in the transaction that notes the decision as applied.
//!
//! | of | goes | stays |
//! |---|---|---|
//! | readings, alerts, events | those that stand under his sites | those under other sites, also of a device that stood at both |
//! | a device that stands at his site | the device with all that is kept of it | the device as it stood elsewhere, when it has readings there: what was last seen of it goes |
//! | a device that stands elsewhere now | what was left in its supplies before its first reading there | everything else |
//! | his agents | streams, when they were heard, their names | the name of one that has readings elsewhere |
//!
//! Nothing here is gone from the file yet: see [`crate::Store::erase_deleted`].

use duckdb::{Connection, OptionalExt};

use super::Step;
use crate::batch::Forgotten;
use crate::duck::sql;
use crate::duck::write::Known;

/// Where the number of the next device is kept, so that a list that is read on never meets a number twice.
const DEVICE_NEXT: &str = "device_next";

/// Tables of what is known of a device now.
const NOW: [&str; 5] = [
    "device_status",
    "device_level",
    "supply",
    "tray",
    "device_seen",
];
/// Tables that have their rows' site beside their device, without the readings.
const STORIES: [&str; 3] = ["alert_open", "alert_over", "event"];

/// Deletes what the batch forgets. What the writer knows of it is read anew.
pub(super) fn apply(connection: &Connection, known: &mut Known, forgotten: &Forgotten) -> Step {
    if forgotten.sites.is_empty() && forgotten.agents.is_empty() {
        return Ok(());
    }
    let at =
        |column: &str| sql::number_condition(column, forgotten.sites.iter().map(|site| site.0));
    let here = at("site");
    connection.execute_batch(&format!(
        "CREATE TEMP TABLE gone_report AS SELECT report_no, device_no FROM run WHERE {here}; \
         DELETE FROM run WHERE {here}; \
         CREATE TEMP TABLE left_run AS SELECT device_no, arg_max(site, place) AS site, min(observed_ms) AS begun_ms, max(confirmed_ms) AS until_ms \
         FROM run_all GROUP BY device_no; \
         DELETE FROM report WHERE report_no IN (SELECT report_no FROM gone_report) \
         AND report_no NOT IN (SELECT report_no FROM run)"
    ))?;
    for table in STORIES {
        connection.execute_batch(&format!("DELETE FROM {table} WHERE {here}"))?;
    }
    connection.execute_batch(&format!(
        "CREATE TEMP TABLE moved AS SELECT d.device_no, l.site, l.until_ms FROM device d JOIN left_run l USING (device_no) WHERE {}; \
         CREATE TEMP TABLE gone AS SELECT device_no FROM device WHERE {here} AND device_no NOT IN (SELECT device_no FROM moved); \
         UPDATE device SET site = m.site FROM moved m WHERE device.device_no = m.device_no; \
         DELETE FROM supply_level USING moved m WHERE supply_level.device_no = m.device_no AND observed_ms > m.until_ms; \
         DELETE FROM supply_level USING (SELECT DISTINCT g.device_no, l.begun_ms FROM gone_report g LEFT JOIN left_run l USING (device_no) \
         WHERE g.device_no NOT IN (SELECT device_no FROM moved)) t \
         WHERE supply_level.device_no = t.device_no AND (t.begun_ms IS NULL OR observed_ms < t.begun_ms); \
         DELETE FROM supply_level WHERE device_no IN (FROM gone)",
        at("d.site")
    ))?;
    for table in NOW {
        connection.execute_batch(&format!(
            "DELETE FROM {table} WHERE device_no IN (SELECT device_no FROM moved UNION ALL FROM gone)"
        ))?;
    }
    for table in STORIES {
        connection.execute_batch(&format!(
            "DELETE FROM {table} WHERE device_no IN (FROM gone)"
        ))?;
    }
    connection.execute_batch(
        "DELETE FROM device WHERE device_no IN (FROM gone); \
         DROP TABLE gone; DROP TABLE moved; DROP TABLE left_run; DROP TABLE gone_report",
    )?;
    if !forgotten.agents.is_empty() {
        let agents: Vec<&str> = forgotten
            .agents
            .iter()
            .map(codec::id::AgentId::as_str)
            .collect();
        let his = sql::text_condition("agent", &agents);
        connection.execute_batch(&format!(
            "DELETE FROM stream WHERE {his}; DELETE FROM agent_heard WHERE {his}; \
             DELETE FROM agent_name WHERE {his} AND agent_no NOT IN (SELECT agent_no FROM report)"
        ))?;
    }
    let next = known.device_next;
    connection.execute("DELETE FROM meta WHERE key = ?", [DEVICE_NEXT])?;
    connection.execute(
        "INSERT INTO meta VALUES (?, ?)",
        [DEVICE_NEXT, &next.to_string()],
    )?;
    *known = crate::duck::write::load(connection)?;
    Ok(())
}

/// The number that the next device has at least.
pub(in crate::duck) fn device_next(connection: &Connection) -> duckdb::Result<u32> {
    let kept: Option<String> = connection
        .query_row(
            "SELECT value FROM meta WHERE key = ?",
            [DEVICE_NEXT],
            |row| row.get(0),
        )
        .optional()?;
    Ok(kept.and_then(|next| next.parse().ok()).unwrap_or(0))
}
