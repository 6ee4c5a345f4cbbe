//! The uploader against a manager on loopback that behaves as managers and proxies do: it dies, stalls, answers garbage, refuses.

mod again;
mod server;
mod wire;

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use codec::envelope::Encoding;
use codec::id::AgentId;
use codec::key::{ContentHash, SpoolEpoch};
use journal::StdDisk;

use server::{Act, Manager};
pub(super) use server::{key, read_request};

use super::http::HttpTransport;
use super::*;
use crate::clock::Clock;
use crate::config::{AgentConfig, ManagerConfig, ProxyConfig, Secret};
use crate::spool::Meta;

/// No condition of these tests takes longer on a machine that is busy with a build.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn agent() -> AgentId {
    AgentId::new("tester").unwrap()
}

pub(super) struct Fixture {
    pub(super) folder: tempfile::TempDir,
    spool: Arc<Mutex<Spool<StdDisk>>>,
    stop: StopHandle,
    pub(super) status: StatusHandle,
    need_full: Arc<Mutex<Vec<String>>>,
    uploader: Option<Uploader>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "http://127.0.0.1:1".to_owned());
        let spool = Spool::open(&config.spool, &agent(), Timestamp::now()).unwrap();
        Self {
            folder,
            spool: Arc::new(Mutex::new(spool)),
            stop: StopHandle::new(),
            status: StatusHandle::new(),
            need_full: Arc::default(),
            uploader: None,
        }
    }

    pub(super) fn epoch(&self) -> SpoolEpoch {
        self.spool.lock().unwrap().epoch()
    }

    pub(super) fn put(&self, stream: Stream) -> u64 {
        self.put_large(stream, 0)
    }

    /// One with so many bytes more.
    pub(super) fn put_large(&self, stream: Stream, bytes: usize) -> u64 {
        let mut spool = self.spool.lock().unwrap();
        let sequence = spool.sequence_next(stream);
        let mut sealed = format!("{} {sequence} and so on", stream.name()).into_bytes();
        sealed.resize(sealed.len() + bytes, b'.');
        let meta = Meta {
            encoding: Encoding::Gzip,
            epoch: spool.epoch(),
            hash: ContentHash::of(&sealed),
            sealed_at: Timestamp::now(),
            devices: 1,
        };
        spool
            .append(stream, &meta, sequence, &sealed, Timestamp::now())
            .unwrap();
        drop(spool);
        if let Some(uploader) = &self.uploader {
            uploader.wake(stream);
        }
        sequence
    }

    pub(super) fn upload(&mut self, manager: &ManagerConfig) {
        let transport = HttpTransport::new(manager, Clock::new()).unwrap();
        let need_full = Arc::clone(&self.need_full);
        let uploader = Uploader::start(
            &self.spool,
            Arc::new(transport),
            UploadOptions {
                in_flight: manager.in_flight,
                rate_bytes_max: manager.rate_bytes_max,
            },
            &(Arc::new(move |handles| need_full.lock().unwrap().extend(handles)) as Arc<NeedFull>),
            &self.status,
            &self.stop,
        );
        self.uploader = Some(uploader.unwrap());
    }

    /// Waits until nothing waits any more.
    pub(super) fn wait_for_empty(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spool = self.spool.lock().unwrap();
            let waiting: u64 = Stream::ALL.map(|stream| spool.depth(stream).0).iter().sum();
            drop(spool);
            if waiting == 0 {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{waiting} reports still wait: {:?}",
                self.status.read()
            );
            std::thread::yield_now();
        }
    }

    /// Ends the uploader; another one may follow.
    pub(super) fn halt(&mut self) {
        self.stop.stop();
        if let Some(uploader) = self.uploader.take() {
            uploader.join();
        }
        self.stop = StopHandle::new();
    }

    pub(super) fn end(mut self) -> StatusHandle {
        self.halt();
        self.status.clone()
    }
}

fn config(folder: &Path, url: String) -> AgentConfig {
    let token = Secret::new("secret-token".to_owned());
    let mut config = AgentConfig::new(url, agent(), token, folder.join("spool"));
    config.manager.timeout = Duration::from_secs(2);
    config.manager.in_flight = 1;
    config
}

pub(super) fn manager_at(address: SocketAddr) -> ManagerConfig {
    config(Path::new("unused"), format!("http://{address}")).manager
}

#[test]
fn each_stream_is_delivered_in_order_with_the_headers_of_the_contract() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.put(Stream::Meters);
        fixture.put(Stream::State);
    }
    let manager = Manager::start(&[], fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    // One that comes later wakes the uploader.
    fixture.put(Stream::Meters);
    let seen = manager.wait_for(7);
    fixture.wait_for_empty();
    for stream in Stream::ALL {
        let sequences: Vec<u64> = (seen.iter())
            .filter(|seen| seen.stream == stream)
            .map(|seen| seen.sequence)
            .collect();
        assert!(sequences.is_sorted(), "{stream:?}: {sequences:?}");
    }
    assert!(seen.iter().all(|seen| {
        seen.authorization == "Bearer secret-token" && seen.encoding == "gzip" && seen.has_clocks
    }));
    assert_eq!(fixture.need_full.lock().unwrap().len(), 7);
    let status = fixture.end().read();
    assert_eq!(status.streams[0].receipts, 4);
    assert_eq!(status.streams[1].receipts, 3);
    assert!(status.receipt_last.is_some());
}

#[test]
fn whatever_is_no_receipt_means_again_with_the_same_report() {
    for act in [
        Act::WrongReceipt,
        Act::LoginPage,
        Act::LongPage,
        Act::Status("500 Internal Server Error"),
        Act::Status("302 Found\r\nLocation: http://127.0.0.1:9/"),
        Act::Garbage,
        Act::Hangup,
        Act::Stall,
    ] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        fixture.put(Stream::Meters);
        let manager = Manager::start(&[act], fixture.epoch());
        fixture.upload(&manager_at(manager.address));
        fixture.wait_for_empty();
        let sequences: Vec<u64> = manager.wait_for(3).iter().map(|s| s.sequence).collect();
        assert_eq!(sequences, [1, 1, 2], "{act:?}");
        let status = fixture.end().read();
        assert_eq!(status.streams[0].receipts, 2, "{act:?}");
        assert_eq!(status.streams[0].attempts_failed, 1, "{act:?}");
        assert_eq!(status.streams[0].refused, 0, "{act:?}");
    }
}

#[test]
fn a_slow_answer_is_an_answer() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::State);
    let manager = Manager::start(&[Act::SlowReceipt], fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    assert_eq!(manager.wait_for(1).len(), 1);
    assert_eq!(fixture.end().read().streams[1].attempts_failed, 0);
}

#[test]
fn a_refused_report_goes_to_the_dead_letters_and_the_next_one_is_delivered() {
    for status in ["400 Bad Request", "409 Conflict", "413 Content Too Large"] {
        let mut fixture = Fixture::new();
        fixture.put(Stream::Meters);
        fixture.put(Stream::Meters);
        let manager = Manager::start(&[Act::Refusal(status)], fixture.epoch());
        fixture.upload(&manager_at(manager.address));
        fixture.wait_for_empty();
        let sequences: Vec<u64> = manager.wait_for(2).iter().map(|s| s.sequence).collect();
        assert_eq!(sequences, [1, 2], "{status}");
        let letters = fixture.folder.path().join("spool/dead-letters");
        assert_eq!(
            std::fs::read_dir(letters).unwrap().count(),
            2,
            "bytes and reason"
        );
        let status = fixture.end().read();
        assert_eq!(
            (status.streams[0].refused, status.streams[0].receipts),
            (1, 1)
        );
    }
}

#[test]
fn a_refused_report_whose_letter_cannot_be_written_is_tried_again_and_nothing_stays_behind() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    fixture.put(Stream::Meters);
    // A file stands where the folder of the dead letters should be.
    let letters = fixture.folder.path().join("spool/dead-letters");
    std::fs::write(&letters, "in the way").unwrap();
    let refusal = Act::Refusal("400 Bad Request");
    let manager = Manager::start(&[refusal, refusal], fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    let deadline = Instant::now() + PATIENCE;
    while fixture.status.read().streams[0].attempts_failed == 0 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    std::fs::remove_file(&letters).unwrap();
    fixture.wait_for_empty();
    let sequences: Vec<u64> = manager.wait_for(3).iter().map(|s| s.sequence).collect();
    assert_eq!(sequences, [1, 1, 2]);
    assert_eq!(std::fs::read_dir(letters).unwrap().count(), 2);
    let status = fixture.end().read();
    let meters = &status.streams[0];
    assert_eq!((meters.refused, meters.receipts), (1, 1));
}

#[test]
fn retry_after_is_waited_for() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let busy = Act::Status("503 Service Unavailable\r\nRetry-After: 2");
    let manager = Manager::start(&[busy], fixture.epoch());
    let began = Instant::now();
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    assert!(began.elapsed() >= Duration::from_secs(2));
    fixture.end();
}

#[test]
fn a_token_that_is_refused_is_tried_slowly_and_nothing_is_lost() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let manager = Manager::start(&[Act::Status("401 Unauthorized")], fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    manager.wait_for(1);
    let deadline = Instant::now() + PATIENCE;
    while fixture.status.read().delivery_error.is_none() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let spool = Arc::clone(&fixture.spool);
    let status = fixture.end().read();
    assert!(status.delivery_error.unwrap().contains("id and token"));
    assert_eq!(
        manager.wait_for(1).len(),
        1,
        "the next attempt is half a minute away"
    );
    assert_eq!(spool.lock().unwrap().depth(Stream::Meters).0, 1);
}

#[test]
fn a_manager_that_was_away_gets_everything_in_order() {
    let mut fixture = Fixture::new();
    let away = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = away.local_addr().unwrap();
    drop(away);
    fixture.upload(&manager_at(address));
    for _ in 0..5 {
        fixture.put(Stream::Meters);
    }
    let deadline = Instant::now() + PATIENCE;
    while fixture.status.read().streams[0].attempts_failed == 0 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    // Nothing was lost; a manager that can be reached gets it all.
    fixture.halt();
    let manager = Manager::start(&[], fixture.epoch());
    fixture.upload(&manager_at(manager.address));
    fixture.wait_for_empty();
    let sequences: Vec<u64> = manager.wait_for(5).iter().map(|s| s.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    fixture.end();
}

#[test]
fn a_backlog_goes_out_with_several_reports_in_flight_each_once() {
    let mut fixture = Fixture::new();
    for _ in 0..200 {
        fixture.put(Stream::Meters);
    }
    let manager = Manager::start(&[], fixture.epoch());
    let config = ManagerConfig {
        in_flight: 8,
        ..manager_at(manager.address)
    };
    fixture.upload(&config);
    fixture.wait_for_empty();
    let seen = manager.wait_for(200);
    let distinct: HashSet<u64> = seen.iter().map(|seen| seen.sequence).collect();
    assert_eq!((seen.len(), distinct.len()), (200, 200));
    assert_eq!(fixture.end().read().streams[0].receipts, 200);
}

#[test]
fn the_rate_cap_spreads_the_uploads() {
    let mut fixture = Fixture::new();
    // Twenty bytes each, a thousand bytes a second, the first at once.
    for _ in 0..51 {
        fixture.put(Stream::Meters);
    }
    let manager = Manager::start(&[], fixture.epoch());
    let config = ManagerConfig {
        rate_bytes_max: Some(1000),
        in_flight: 4,
        ..manager_at(manager.address)
    };
    let began = Instant::now();
    fixture.upload(&config);
    fixture.wait_for_empty();
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    fixture.end();
}

#[test]
fn an_agent_that_is_stopped_while_the_manager_stalls_stops_soon() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let manager = Manager::start(&[Act::Stall], fixture.epoch());
    let config = ManagerConfig {
        timeout: Duration::from_secs(3600),
        ..manager_at(manager.address)
    };
    fixture.upload(&config);
    manager.wait_for(1);
    let began = Instant::now();
    fixture.end();
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn a_dead_proxy_is_not_gone_around() {
    let mut fixture = Fixture::new();
    fixture.put(Stream::Meters);
    let manager = Manager::start(&[], fixture.epoch());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let config = ManagerConfig {
        proxy: Some(ProxyConfig {
            host: "127.0.0.1".to_owned(),
            port,
            login: None,
        }),
        ..manager_at(manager.address)
    };
    fixture.upload(&config);
    let deadline = Instant::now() + PATIENCE;
    while fixture.status.read().streams[0].attempts_failed == 0 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    fixture.end();
    assert!(manager.seen.lock().unwrap().is_empty());
}
