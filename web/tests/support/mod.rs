//! A whole manager over loopback sockets, with registry and store in memory: for the tests, the bench and the preview.

#![allow(dead_code)]

pub mod fleet;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::envelope::{Encoding, compress};
use codec::id::{AgentId, TenantId};
use codec::key::{SpoolEpoch, Stream};
use codec::model::{DeviceReport, Header, Report};
use codec::time::Timestamp;
use ingest::{Ingest, IngestConfig};
use olap::{DuckOptions, DuckStore, Store};
use registry::{Branch, Language, Level, NewAccount, NewTenant, Registry, Role};
use web::{Config, Tls};

/// The password of every account made here.
pub const PASSWORD: &str = "korrekt Pferd Batterie";

/// A customer with one site and one agent.
pub struct Customer {
    pub id: TenantId,
    pub site: TenantId,
    pub agent: AgentId,
    pub token: String,
}

/// A manager that runs until it is dropped.
pub struct House {
    pub registry: Registry,
    pub store: Arc<dyn Store>,
    pub ingest: Arc<Ingest>,
    pub address: SocketAddr,
    scheme: &'static str,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl House {
    /// Starts it on a free port of loopback.
    pub fn start() -> Self {
        Self::start_on(([127, 0, 0, 1], 0).into(), |config| config)
    }

    /// Starts it on an address, with a configuration that `change` may change.
    pub fn start_on(address: SocketAddr, change: impl FnOnce(Config) -> Config) -> Self {
        Self::start_with(address, None, change)
    }

    /// The same, over TLS if there is any; changed certificate files are taken over at once.
    pub fn start_with(
        address: SocketAddr,
        tls: Option<Tls>,
        change: impl FnOnce(Config) -> Config,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = IngestConfig::new(folder.path().to_owned());
        Self::start_in(folder, config, address, tls, change)
    }

    /// Starts it on a free port of loopback, where nobody waits until a decision is applied.
    pub fn start_without_waiting() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = IngestConfig::new(folder.path().to_owned());
        config.decision_wait_ms = 0;
        let address = ([127, 0, 0, 1], 0).into();
        Self::start_in(folder, config, address, None, |config| config)
    }

    fn start_in(
        folder: tempfile::TempDir,
        ingest: IngestConfig,
        address: SocketAddr,
        tls: Option<Tls>,
        change: impl FnOnce(Config) -> Config,
    ) -> Self {
        let registry = Registry::in_memory().expect("a registry in memory");
        let store: Arc<dyn Store> =
            Arc::new(DuckStore::in_memory(&DuckOptions::default()).expect("a store in memory"));
        let ingest = Arc::new(
            Ingest::start(ingest, registry.clone(), store.clone()).expect("ingest starts"),
        );
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let config = change(Config::loopback(address));
        let soap = soap::Service::new(registry.clone(), store.clone(), &config.public_url);
        let state = web::State::new(
            registry.clone(),
            store.clone(),
            ingest.clone(),
            soap,
            config,
        );
        let connections = state.connections().clone();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            let stopped = async {
                let _ = stopped.await;
            };
            if let Some(tls) = tls.clone() {
                runtime.spawn(tls.follow(connections.clone(), Duration::from_millis(20)));
            }
            runtime
                .block_on(web::serve(
                    listener,
                    tls,
                    web::router(state),
                    connections,
                    stopped,
                ))
                .expect("serves until it is told to stop");
        });
        Self {
            registry,
            store,
            ingest,
            address,
            scheme,
            stop: Some(stop),
            thread: Some(thread),
            _folder: folder,
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Makes a customer with a site and an agent.
    pub fn customer(&self, name: &str, zone: &str) -> Customer {
        let now = Timestamp::now();
        let dealer = self
            .registry
            .tenants(&codec::id::Scope::Everything)
            .expect("tenants")
            .into_iter()
            .find(|tenant| tenant.level == Level::Dealer)
            .expect("a fresh registry has a dealer");
        let make = |level, parent, name, number, time_zone| {
            let new = NewTenant {
                level,
                parent: Some(parent),
                name,
                number,
                time_zone,
            };
            self.registry.create_tenant(&new, now).expect("a tenant").id
        };
        let id = make(Level::Customer, dealer.id, name, Some("K-1001"), None);
        let site = make(Level::Site, id, "Hauptstelle", None, Some(zone));
        let added = self.registry.add_agent(name, site, now).expect("an agent");
        Customer {
            id,
            site,
            agent: added.agent.id,
            token: added.token,
        }
    }

    /// Makes an account; its password is [`PASSWORD`].
    pub fn account(&self, login: &str, role: Role, branch: Branch) -> registry::Account {
        let new = NewAccount {
            login,
            name: login,
            password: PASSWORD,
            role,
            branch,
            language: Language::En,
        };
        self.registry
            .create_account(&new, Timestamp::now())
            .expect("an account")
    }

    /// Delivers device reports as an agent does, and waits until they are in the store.
    pub fn deliver(&self, customer: &Customer, sequence: u64, devices: Vec<DeviceReport>) {
        let sealed = sealed(&customer.agent, sequence, devices);
        let answer = client()
            .post(self.url("/v1/reports"))
            .header("Authorization", format!("Bearer {}", customer.token))
            .header("Content-Type", "application/xml")
            .header("Content-Encoding", "gzip")
            .header("Platen-Sent-At", Timestamp::now().to_string())
            .send(&sealed[..])
            .expect("the manager answers");
        assert_eq!(
            answer.status(),
            200,
            "{:?}",
            answer.into_body().read_to_string()
        );
        self.wait_until_applied();
    }

    /// Waits until everything durable is in the store.
    pub fn wait_until_applied(&self) {
        let patience = Duration::from_secs(30);
        let began = Instant::now();
        while !self.ingest.status().is_caught_up {
            assert!(
                began.elapsed() < patience,
                "not applied within {patience:?}"
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits for as long as it serves.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.ingest.stop();
    }
}

/// The sealed bytes of a report.
pub fn sealed(agent: &AgentId, sequence: u64, devices: Vec<DeviceReport>) -> Vec<u8> {
    let report = Report {
        header: Header {
            agent: agent.clone(),
            epoch: SpoolEpoch(0x5eed),
            stream: Stream::Meters,
            sequence,
            sealed_at: Timestamp::now(),
            sealed_uptime_ms: 3_600_000,
            program: "0.1.0".to_owned(),
        },
        devices,
    };
    let mut xml = Vec::new();
    codec::xml::write_report(&report, &mut xml);
    compress(Encoding::Gzip, &xml)
}

/// A client that follows nothing by itself and takes every status as an answer.
pub fn client() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

/// The answers of one test: status, headers, body.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn of(response: ureq::http::Response<ureq::Body>) -> Self {
        let (head, mut body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.read_to_string().expect("a text"),
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A browser without script: keeps cookies, reads the CSRF token off the last page.
pub struct Browser<'a> {
    house: &'a House,
    agent: ureq::Agent,
    cookies: Vec<(String, String)>,
    pub csrf: String,
    pub language: &'static str,
}

impl<'a> Browser<'a> {
    pub fn new(house: &'a House) -> Self {
        Self {
            house,
            agent: client(),
            cookies: Vec::new(),
            csrf: String::new(),
            language: "en",
        }
    }

    /// A browser whose user is logged in.
    pub fn logged_in(house: &'a House, login: &str) -> Self {
        let mut browser = Self::new(house);
        let answer = browser.login(login, PASSWORD);
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/"),
            "{}",
            answer.body
        );
        browser
    }

    pub fn get(&mut self, path: &str) -> Answer {
        let request = self
            .agent
            .get(self.house.url(path))
            .header("Cookie", self.cookie_header())
            .header("Accept-Language", self.language);
        self.took(request.call().expect("an answer"))
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self
            .agent
            .post(self.house.url(path))
            .header("Cookie", self.cookie_header())
            .header("Accept-Language", self.language);
        let answer = request
            .send_form(fields.iter().copied())
            .expect("an answer");
        self.took(answer)
    }

    /// Fills in the CSRF token of the last page.
    pub fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all)
    }

    pub fn login(&mut self, login: &str, password: &str) -> Answer {
        self.get("/login");
        self.submit("/login", &[("login", login), ("password", password)])
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    fn cookie_header(&self) -> String {
        self.cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn took(&mut self, response: ureq::http::Response<ureq::Body>) -> Answer {
        let answer = Answer::of(response);
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie
                .to_str()
                .expect("ASCII")
                .split(';')
                .next()
                .unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.set_cookie(name, value);
            }
        }
        if let Some(rest) = answer.body.split(r#"name="csrf" value=""#).nth(1) {
            self.csrf = rest.split('"').next().unwrap_or_default().to_owned();
        }
        answer
    }
}

/// `curl -u login:password`.
pub fn ask(house: &House, login: &str, path: &str) -> Answer {
    let credentials = data_encoding::BASE64.encode(format!("{login}:{PASSWORD}").as_bytes());
    Answer::of(
        client()
            .get(house.url(path))
            .header("Authorization", format!("Basic {credentials}"))
            .call()
            .expect("an answer"),
    )
}

/// `curl -u login:password -d body`.
pub fn post(house: &House, login: &str, path: &str, body: &str) -> Answer {
    let credentials = data_encoding::BASE64.encode(format!("{login}:{PASSWORD}").as_bytes());
    Answer::of(
        client()
            .post(house.url(path))
            .header("Authorization", format!("Basic {credentials}"))
            .header("Content-Type", "application/json")
            .send(body)
            .expect("an answer"),
    )
}

/// A house with an administrator and one customer of `count` devices.
pub fn house_with(count: u64) -> (House, Customer) {
    let house = House::start();
    house.account("chef", Role::Admin, Branch::House);
    let customer = house.customer("Meyer Logistik", "Europe/Berlin");
    house.deliver(
        &customer,
        1,
        fleet::devices("MEY", count, 0, Timestamp::now()),
    );
    (house, customer)
}

/// A field of every item of a page.
pub fn strings(page: &serde_json::Value, name: &str) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item[name].as_str().expect("a text").to_owned())
        .collect()
}
