//! Agents that connect at their moment, deliver in order, and do what the manager says: a receipt ends a report, a refusal too, and
//! everything else means to come again, when it says so or a little later each time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codec::key::Receipt;
use codec::time::Timestamp;
use tokio::sync::Semaphore;

use super::Agent;
use super::http::{Answer, Connection, Target};
use super::make::Sealed;
use super::tally::{Tally, Trouble};

/// The first pause after a failure; each doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause that is not asked for.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How the agents go about it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// All agents make their first connection within this time, evenly spread.
    pub connect_within: Duration,
    /// Connections of one agent, each with one report under way.
    pub in_flight: usize,
    /// Connections of all agents at once; who finds none free waits.
    pub connections_max: usize,
    /// Connections stay open until all agents are done, as agents keep theirs for the next report.
    pub keep_open: bool,
    /// Who is not done by then gives up.
    pub give_up_after: Duration,
}

struct Work {
    agent: Agent,
    number: u32,
    reports: Mutex<VecDeque<Sealed>>,
}

/// Delivers everything and returns what came of it.
pub async fn deliver(target: &Target, agents: Vec<(Agent, Vec<Sealed>)>, pace: Pace) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let places = Arc::new(Semaphore::new(pace.connections_max.max(1)));
    let count = u32::try_from(agents.len().max(1)).unwrap_or(u32::MAX);
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, (agent, reports)) in agents.into_iter().enumerate() {
        let offset = pace.connect_within * u32::try_from(number).unwrap_or(0) / count;
        let work = Arc::new(Work {
            agent,
            number: u32::try_from(number).unwrap_or(u32::MAX),
            reports: Mutex::new(reports.into()),
        });
        for _ in 0..pace.in_flight.max(1) {
            let (target, work) = (target.clone(), Arc::clone(&work));
            let (tally, places) = (Arc::clone(&tally), Arc::clone(&places));
            tasks.spawn(async move {
                tokio::time::sleep_until((began + offset).into()).await;
                // The semaphore is never closed; without a place the worker would merely not be bounded.
                let _place = places.acquire().await;
                run(&target, &work, &tally, began + pace.give_up_after)
                    .await
                    .filter(|_| pace.keep_open)
            });
        }
    }
    let mut kept = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(connection) => kept.extend(connection),
            Err(error) => tracing::error!(%error, "a simulated agent broke down"),
        }
    }
    let mut tally = std::mem::take(&mut *lock(&tally));
    tally.seconds = began.elapsed().as_secs_f64();
    tally
}

/// Delivers what is left of an agent's reports; the connection that is then open comes out.
async fn run(
    target: &Target,
    work: &Work,
    tally: &Mutex<Tally>,
    deadline: Instant,
) -> Option<Connection> {
    let mut connection: Option<Connection> = None;
    let mut failures = 0;
    loop {
        let Some(report) = lock(&work.reports).pop_front() else {
            return connection;
        };
        let mut knocked = None;
        loop {
            if Instant::now() > deadline {
                lock(tally).lost(&report);
                return None;
            }
            let knocked = *knocked.get_or_insert_with(Instant::now);
            match attempt(target, work, &report, &mut connection, tally, knocked).await {
                Verdict::Done => {
                    failures = 0;
                    break;
                }
                Verdict::Again(after) => {
                    failures += 1;
                    let backoff = (PAUSE_MIN * 2_u32.saturating_pow(failures - 1)).min(PAUSE_MAX);
                    tokio::time::sleep(after.unwrap_or(backoff)).await;
                }
                Verdict::Barred => {
                    lock(tally).lost(&report);
                    return None;
                }
            }
        }
    }
}

enum Verdict {
    Done,
    Again(Option<Duration>),
    Barred,
}

async fn attempt(
    target: &Target,
    work: &Work,
    report: &Sealed,
    connection: &mut Option<Connection>,
    tally: &Mutex<Tally>,
    knocked: Instant,
) -> Verdict {
    let mut open = match connection.take().filter(Connection::is_open) {
        Some(open) => open,
        None => {
            let began = Instant::now();
            match target.connect_as(work.number).await {
                Ok(open) => {
                    lock(tally).connected(began.elapsed());
                    open
                }
                Err(error) => {
                    lock(tally).trouble(Trouble::Connect, &error);
                    return Verdict::Again(None);
                }
            }
        }
    };
    let began = Instant::now();
    let head = head(target, &work.agent, report);
    match open.ask(&head, &report.bytes).await {
        Ok(answer) => {
            *connection = Some(open);
            judge(report, &answer, tally, began, knocked)
        }
        Err(error) => {
            lock(tally).trouble(Trouble::Broken, &error);
            Verdict::Again(None)
        }
    }
}

fn judge(
    report: &Sealed,
    answer: &Answer,
    tally: &Mutex<Tally>,
    began: Instant,
    knocked: Instant,
) -> Verdict {
    let mut tally = lock(tally);
    match answer.status {
        200 => match serde_json::from_slice::<Receipt>(&answer.body) {
            Ok(receipt) if receipt.receipt == report.key => {
                tally.delivered(report, began.elapsed(), knocked.elapsed());
                Verdict::Done
            }
            Ok(_) => {
                tally.trouble(Trouble::Foreign, "a receipt for another report");
                Verdict::Again(None)
            }
            Err(error) => {
                tally.trouble(Trouble::Foreign, &error);
                Verdict::Again(None)
            }
        },
        400 | 409 | 413 => {
            tally.refused(report, answer.status, &answer.body);
            Verdict::Done
        }
        401 | 403 => {
            tally.trouble(Trouble::Barred, &format!("answered {}", answer.status));
            Verdict::Barred
        }
        status => {
            tally.trouble(Trouble::Busy, &format!("answered {status}"));
            Verdict::Again(answer.retry_after)
        }
    }
}

fn head(target: &Target, agent: &Agent, report: &Sealed) -> Vec<u8> {
    let encoding = codec::envelope::Encoding::detect(&report.bytes);
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/xml\r\nContent-Encoding: {}\r\nPlaten-Sent-At: {}\r\n",
        agent.token,
        encoding.name(),
        Timestamp::now(),
    );
    target.head("POST", "/v1/reports", &headers, report.bytes.len())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Counters: a panic elsewhere cannot leave them half written in a way that matters.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
