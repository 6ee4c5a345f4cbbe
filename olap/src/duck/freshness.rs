//! How fresh each device is: what silence is told from. One pass over small tables, for all devices at once.

use codec::id::Scope;
use codec::time::Timestamp;
use duckdb::Connection;

use super::readers::Answer;
use super::sql;
use crate::ask::DeviceFresh;

pub(super) fn all(connection: &Connection, scope: &Scope) -> Answer<Vec<DeviceFresh>> {
    let sites = sql::sites_condition("d.site", scope, None);
    let mut statement = connection.prepare(&format!(
        "SELECT d.device, d.site, d.agent, d.address, d.first_seen_ms, s.observed_ms, s.received_ms, m.device_no IS NOT NULL \
         FROM device d LEFT JOIN device_seen s ON s.device_no = d.device_no \
         LEFT JOIN (SELECT DISTINCT device_no FROM run_now) m ON m.device_no = d.device_no \
         WHERE {sites} AND {} ORDER BY d.device_no",
        sql::STANDS
    ))?;
    let rows = statement.query_map([], |row| {
        let moment = |at| {
            row.get::<_, Option<i64>>(at)
                .map(|ms| ms.map(Timestamp::from_unix_ms))
        };
        Ok(DeviceFresh {
            device: sql::parsed(row, 0)?,
            site: codec::id::TenantId(row.get(1)?),
            agent: sql::parsed(row, 2)?,
            address: row.get(3)?,
            first_seen_at: Timestamp::from_unix_ms(row.get(4)?),
            observed_at: moment(5)?,
            received_at: moment(6)?,
            has_meters: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<duckdb::Result<_>>()?)
}
