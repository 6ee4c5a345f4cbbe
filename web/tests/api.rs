//! What programs do: the JSON API, its description, scope, the agents' door with good and hostile bodies, monitoring, SOAP by HTTP.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use codec::time::Timestamp;
use registry::{Branch, Role};
use serde_json::Value;
use support::{Answer, Browser, Customer, House, PASSWORD, client, fleet};

/// `curl -u login:password`.
fn ask(house: &House, login: &str, path: &str) -> Answer {
    let credentials = data_encoding::BASE64.encode(format!("{login}:{PASSWORD}").as_bytes());
    Answer::of(
        client()
            .get(house.url(path))
            .header("Authorization", format!("Basic {credentials}"))
            .call()
            .expect("an answer"),
    )
}

fn post(house: &House, login: &str, path: &str, body: &str) -> Answer {
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

fn house_with(count: u64) -> (House, Customer) {
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

fn strings(page: &Value, name: &str) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item[name].as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn lists_are_paged_without_gaps_or_repetitions() {
    let (house, _) = house_with(57);
    for (path, name, total) in [
        ("/api/v1/devices?limit=10", "id", 57),
        ("/api/v1/devices?limit=10&sort=-total", "id", 57),
        ("/api/v1/readings?limit=100", "reading", 0),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        let total_said = loop {
            let page = ask(&house, "chef", &format!("{path}&cursor={cursor}")).json();
            seen.extend(strings(&page, name));
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break page["total"].as_u64().expect("a total"),
            }
        };
        assert_eq!(seen.len() as u64, total_said, "{path}");
        assert!(total == 0 || total_said == total, "{path}");
        assert_eq!(
            seen.iter().collect::<BTreeSet<_>>().len(),
            seen.len(),
            "{path}"
        );
    }
}

#[test]
fn a_device_reads_like_its_report() {
    let (house, _) = house_with(12);
    let page = ask(&house, "chef", "/api/v1/devices?sort=name").json();
    let id = strings(&page, "id").remove(0);
    let device = ask(&house, "chef", &format!("/api/v1/devices/{id}")).json();
    assert_eq!(device["id"], id.as_str());
    assert_eq!(device["site"]["customer"], "Meyer Logistik");
    assert_eq!(device["site"]["time_zone"], "Europe/Berlin");
    assert_eq!(device["agent"], "meyer-logistik");
    for field in ["first_seen", "last_seen", "observed_at"] {
        assert!(
            device[field].as_str().expect("a time").ends_with('Z'),
            "{field}"
        );
    }
    let sent = fleet::device("MEY", 0, 0, Timestamp::now());
    assert_eq!(
        device["identity"],
        serde_json::to_value(&sent.identity).expect("JSON")
    );
    assert_eq!(
        device["supplies"],
        serde_json::to_value(&sent.supplies).expect("JSON")
    );
    assert_eq!(
        device["trays"],
        serde_json::to_value(&sent.trays).expect("JSON")
    );
    assert_eq!(
        device["meters"].as_array().expect("meters").len(),
        sent.meters.read().expect("read").len()
    );
}

#[test]
fn readings_are_asked_for_by_time_meter_and_basis() {
    let (house, customer) = house_with(2);
    let now = Timestamp::now();
    house.deliver(&customer, 2, fleet::devices("MEY", 2, 5, now));
    let id = strings(&ask(&house, "chef", "/api/v1/devices").json(), "id").remove(0);
    let count = |query: &str| {
        let answer = ask(
            &house,
            "chef",
            &format!("/api/v1/devices/{id}/readings?{query}"),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["total"].as_u64().expect("a total")
    };
    let all = count("");
    assert!(all >= 10);
    assert_eq!(count("code=total.total.impressions"), 2);
    assert_eq!(count("basis=billing") + count("basis=engine"), all);
    assert_eq!(count("to=2020-01-01"), 0);
    assert_eq!(count("from=2020-01-01"), all);
    for bad in [
        "from=gestern",
        "basis=x",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=nonsense",
    ] {
        let answer = ask(
            &house,
            "chef",
            &format!("/api/v1/devices/{id}/readings?{bad}"),
        );
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(
            answer.json()["detail"].as_str().expect("a sentence").len() > 10,
            "{bad}"
        );
    }
}

#[test]
fn neither_of_two_customers_sees_the_other_anywhere() {
    let house = House::start();
    house.account("chef", Role::Admin, Branch::House);
    let mut customers = Vec::new();
    for (name, prefix, login) in [
        ("Meyer Logistik", "MEY", "mey"),
        ("Stadtwerke Unna", "SWU", "swu"),
    ] {
        let customer = house.customer(name, "Europe/Berlin");
        house.account(login, Role::Admin, Branch::Tenant(customer.id));
        house.deliver(&customer, 1, fleet::devices(prefix, 9, 0, Timestamp::now()));
        customers.push((customer, name, prefix, login));
    }
    for (own, other) in [(0, 1), (1, 0)] {
        let (_, name, prefix, login) = &customers[own];
        let (foreign, foreign_name, foreign_prefix, foreign_login) = &customers[other];
        let foreign_id =
            strings(&ask(&house, foreign_login, "/api/v1/devices").json(), "id").remove(0);
        let mut browser = Browser::logged_in(&house, login);
        let csv = "/devices.csv";
        for path in [
            "/devices",
            "/devices?q=Hauptstelle",
            "/alerts",
            "/tenants",
            "/agents",
            "/accounts",
            "/account",
            "/health",
            csv,
            "/api/v1/devices",
            "/api/v1/devices?sort=name",
            "/api/v1/readings?limit=1000",
            "/api/v1/tenants",
            "/api/v1/agents",
        ] {
            let answer = browser.get(path);
            assert_eq!(answer.status, 200, "{path}");
            for foreign in [foreign_name, foreign_prefix, foreign_login] {
                assert!(
                    !answer.body.contains(*foreign),
                    "{login} sees {foreign} on {path}: {}",
                    answer.body
                );
            }
            let names = path != "/accounts"
                && path != "/account"
                && path != "/health"
                && !path.contains("readings");
            assert!(
                !names || answer.body.contains(*name) || answer.body.contains(*prefix),
                "{path} shows the own"
            );
        }
        for path in [
            format!("/devices/{foreign_id}"),
            format!("/devices/{foreign_id}/readings.csv"),
            format!("/api/v1/devices/{foreign_id}"),
            format!("/api/v1/devices/{foreign_id}/readings"),
        ] {
            assert_eq!(browser.get(&path).status, 404, "{path}");
        }
        for query in [
            format!("customer={}", foreign.id),
            format!("agent={}", foreign.agent),
            format!("q={foreign_prefix}"),
        ] {
            let page = browser.get(&format!("/devices?{query}"));
            assert!(!page.body.contains("<tr><td><a"), "{query}");
            let tenant = format!("/api/v1/devices?tenant={}", foreign.id);
            assert_eq!(browser.get(&tenant).json()["total"], 0);
        }
        let answer = post(
            &house,
            login,
            "/api/v1/agents",
            &format!(r#"{{"name":"x","site":{}}}"#, foreign.site),
        );
        assert_eq!(answer.status, 404, "{}", answer.body);
        let wish = format!(
            r#"{{"level":"site","parent":{},"name":"x","time_zone":"UTC"}}"#,
            foreign.id
        );
        assert_eq!(post(&house, login, "/api/v1/tenants", &wish).status, 404);
        assert_eq!(
            browser.get("/audit").status,
            403,
            "the log names the whole house"
        );
        browser.get("/agents");
        let renew = format!("/agents/{}/token", foreign.agent);
        assert_eq!(browser.submit(&renew, &[]).status, 404);
    }
}

#[test]
fn tenants_and_agents_are_made_by_the_api() {
    let (house, _) = house_with(0);
    let tenants = ask(&house, "chef", "/api/v1/tenants").json();
    let dealer = tenants["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|tenant| tenant["level"] == "dealer")
        .expect("a dealer");
    let wish = format!(
        r#"{{"level":"customer","parent":{},"name":"Hage","number":"K7"}}"#,
        dealer["id"]
    );
    let made = post(&house, "chef", "/api/v1/tenants", &wish);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(post(&house, "chef", "/api/v1/tenants", &wish).status, 409);
    let site = |zone: &str| {
        let wish = format!(
            r#"{{"level":"site","parent":{},"name":"Werk","time_zone":"{zone}"}}"#,
            made.json()["id"]
        );
        post(&house, "chef", "/api/v1/tenants", &wish)
    };
    assert_eq!(site("Europe/Nowhere").status, 400);
    let site = site("Europe/Vienna").json();
    let agent = post(
        &house,
        "chef",
        "/api/v1/agents",
        &format!(r#"{{"name":"Hage Werk","site":{}}}"#, site["id"]),
    );
    assert_eq!(agent.status, 201);
    assert_eq!(agent.json()["agent"]["id"], "hage-werk");
    assert!(
        agent.json()["token"]
            .as_str()
            .expect("a token")
            .starts_with("plt_agent_")
    );
    for bad in ["", "{", "[]", r#"{"name":"x","sites":1}"#, r#"{"name":5}"#] {
        assert_eq!(
            post(&house, "chef", "/api/v1/agents", bad).status,
            400,
            "{bad}"
        );
    }
}

#[test]
fn a_cookie_alone_cannot_write_through_the_api() {
    let (house, _) = house_with(0);
    let mut browser = Browser::logged_in(&house, "chef");
    browser.get("/account");
    let session = browser
        .cookie("platen_session")
        .expect("a session")
        .to_owned();
    let write = |csrf: &str| {
        client()
            .post(house.url("/api/v1/agents"))
            .header("Cookie", format!("platen_session={session}"))
            .header("X-CSRF-Token", csrf)
            .send(r#"{"name":"x"}"#)
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(write("wrong"), 403);
    assert_eq!(write(&browser.csrf), 201);
}

#[test]
fn who_is_not_known_gets_a_problem_and_no_data() {
    let (house, _) = house_with(1);
    for path in [
        "/api/v1/devices",
        "/api/v1/readings",
        "/api/v1/tenants",
        "/api/v1/agents",
    ] {
        for credentials in [
            "",
            "Basic !!!",
            "Basic eDp5",
            "Bearer plt_api_x",
            "Digest x",
            "Basic",
        ] {
            let mut request = client().get(house.url(path));
            if !credentials.is_empty() {
                request = request.header("Authorization", credentials);
            }
            let answer = Answer::of(request.call().expect("an answer"));
            assert_eq!(answer.status, 401, "{path} {credentials}");
            assert!(answer.header("www-authenticate").starts_with("Basic"));
            assert_eq!(answer.json()["status"], 401);
        }
    }
    let answer = ask(&house, "chef", "/api/v1/nowhere");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, "application/problem+json")
    );
    assert_eq!(post(&house, "chef", "/api/v1/devices", "").status, 405);
}

#[test]
fn the_description_names_every_route_and_every_field() {
    let (house, customer) = house_with(12);
    let answer = Answer::of(
        client()
            .get(house.url("/api/v1/openapi.json"))
            .call()
            .expect("an answer"),
    );
    assert_eq!(answer.status, 200);
    let document = answer.json();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .cloned()
        .collect();
    let served: BTreeSet<_> = web::api_paths()
        .into_iter()
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(described, served);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let address = path.replace("{id}", "aaaaaaaaaaaaaaaa");
        for method in ["get", "post", "put", "delete", "patch"] {
            let request = ureq::http::Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(house.url(&address))
                .header(
                    "Authorization",
                    format!(
                        "Basic {}",
                        data_encoding::BASE64.encode(format!("chef:{PASSWORD}").as_bytes())
                    ),
                )
                .body(())
                .expect("a request");
            let status = client().run(request).expect("an answer").status().as_u16();
            assert_eq!(
                methods.get(method).is_some(),
                status != 405,
                "{method} {path}: {status}"
            );
            if let Some(method) = methods.get(method) {
                assert!(
                    method["responses"]
                        .as_object()
                        .is_some_and(|answers| !answers.is_empty()),
                    "{path}"
                );
            }
        }
    }
    let id = strings(&ask(&house, "chef", "/api/v1/devices?limit=1").json(), "id").remove(0);
    let agent = post(
        &house,
        "chef",
        "/api/v1/agents",
        &format!(r#"{{"name":"zwei","site":{}}}"#, customer.site),
    );
    for (schema, value) in [
        (
            "/api/v1/devices",
            ask(&house, "chef", "/api/v1/devices").json(),
        ),
        (
            "/api/v1/devices/{id}",
            ask(&house, "chef", &format!("/api/v1/devices/{id}")).json(),
        ),
        (
            "/api/v1/readings",
            ask(&house, "chef", "/api/v1/readings").json(),
        ),
        (
            "/api/v1/tenants",
            ask(&house, "chef", "/api/v1/tenants").json(),
        ),
        (
            "/api/v1/agents",
            ask(&house, "chef", "/api/v1/agents").json(),
        ),
    ] {
        let schema = &document["paths"][schema]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        fits(&document, schema, &value, "$");
    }
    let schema = &document["paths"]["/api/v1/agents"]["post"]["responses"]["201"]["content"]["application/json"]
        ["schema"];
    fits(&document, schema, &agent.json(), "$");
}

/// Fails when `value` has a field that `schema` does not describe, or lacks one that it promises.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        let target = &document["components"]["schemas"][name];
        assert!(!target.is_null(), "{at}: {name} is not described");
        return fits(document, target, value, at);
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        if value.is_object() && alternatives.len() == 2 {
            // An object or null.
            if let Some(object) = alternatives
                .iter()
                .find(|schema| schema["type"] != "null" && schema.get("$ref").is_some())
            {
                fits(document, object, value, at);
            }
        }
        return;
    }
    match value {
        Value::Object(fields) => {
            let mut properties = serde_json::Map::new();
            let mut required = BTreeSet::new();
            collect(document, schema, &mut properties, &mut required);
            for (name, value) in fields {
                let schema = properties
                    .get(name)
                    .unwrap_or_else(|| panic!("{at}.{name} is not described"));
                fits(document, schema, value, &format!("{at}.{name}"));
            }
            for name in required {
                assert!(
                    fields.contains_key(&name),
                    "{at}.{name} is promised and not there"
                );
            }
        }
        Value::Array(items) => {
            assert!(schema["items"].is_object(), "{at} is described as {schema}");
            for item in items {
                fits(document, &schema["items"], item, &format!("{at}[]"));
            }
        }
        Value::String(_) => assert!(allows(schema, "string"), "{at} is described as {schema}"),
        Value::Number(_) => assert!(allows(schema, "integer"), "{at} is described as {schema}"),
        Value::Bool(_) => assert!(allows(schema, "boolean"), "{at} is described as {schema}"),
        Value::Null => assert!(allows(schema, "null"), "{at} is described as {schema}"),
    }
}

fn allows(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind
        || schema["type"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|known| known == kind))
}

fn collect(
    document: &Value,
    schema: &Value,
    properties: &mut serde_json::Map<String, Value>,
    required: &mut BTreeSet<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        collect(
            document,
            &document["components"]["schemas"][name],
            properties,
            required,
        );
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(document, part, properties, required);
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        properties.insert(name.clone(), schema.clone());
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        required.insert(name.as_str().expect("a name").to_owned());
    }
}

/// Sends raw bytes and gives the answer's status.
fn raw(house: &House, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.address).expect("connects");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream.write_all(head.as_bytes()).expect("writes");
    // The server may answer and close before all of it is taken.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hostile_reports_get_an_error_at_once() {
    let (house, customer) = house_with(1);
    let gzip = |plain: &[u8]| codec::envelope::compress(codec::envelope::Encoding::Gzip, plain);
    let bomb = gzip(&vec![b' '; 300 << 20]);
    let deep = gzip("<a>".repeat(10_000).as_bytes());
    let entities =
        gzip(br#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><report>&b;</report>"#);
    let good = support::sealed(
        &customer.agent,
        2,
        fleet::devices("MEY", 1, 1, Timestamp::now()),
    );
    let head = |encoding: &str, length: usize| {
        format!(
            "POST /v1/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
            customer.token
        )
    };
    for (name, encoding, body, status) in [
        ("a gzip bomb", "gzip", &bomb[..], "HTTP/1.1 4"),
        ("ten thousand levels", "gzip", &deep[..], "HTTP/1.1 400"),
        ("entities", "gzip", &entities[..], "HTTP/1.1 400"),
        ("cut short", "gzip", &good[..good.len() / 2], "HTTP/1.1 400"),
        ("said to be zstd", "zstd", &good[..], "HTTP/1.1 400"),
        ("said to be brotli", "br", &good[..], "HTTP/1.1 400"),
        ("nothing", "gzip", &[][..], "HTTP/1.1 400"),
    ] {
        let began = Instant::now();
        let answer = raw(&house, &head(encoding, body.len()), body);
        assert!(answer.starts_with(status), "{name}: {answer}");
        assert!(answer.contains("\"reason\""), "{name}: {answer}");
        assert!(began.elapsed() < Duration::from_secs(10), "{name}");
    }
    let answer = raw(&house, &head("gzip", 1 << 30), b"");
    assert!(
        answer.starts_with("HTTP/1.1 413"),
        "a declared gigabyte is refused unread: {answer}"
    );
    let chunked = head("gzip", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let endless = [
        format!("{:x}\r\n", 17 << 20).into_bytes(),
        vec![0; 17 << 20],
    ]
    .concat();
    let answer = raw(&house, &chunked, &endless);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    let answer = raw(&house, &head("gzip", good.len()), &good);
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "and a good one is still taken: {answer}"
    );
}

#[test]
fn the_door_knows_its_agents() {
    let (house, customer) = house_with(1);
    let body = support::sealed(
        &customer.agent,
        2,
        fleet::devices("MEY", 1, 1, Timestamp::now()),
    );
    let send = |token: &str, body: &[u8]| {
        let request = client()
            .post(house.url("/v1/reports"))
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Encoding", "gzip");
        Answer::of(request.send(body).expect("an answer"))
    };
    assert_eq!(send("plt_agent_wrong", &body).status, 401);
    let receipt = send(&customer.token, &body);
    assert_eq!(receipt.status, 200);
    assert_eq!(receipt.json()["receipt"]["sequence"], 2);
    assert_eq!(
        send(&customer.token, &body).status,
        200,
        "the same again is acknowledged again"
    );
    let other = support::sealed(
        &customer.agent,
        2,
        fleet::devices("MEY", 1, 9, Timestamp::now()),
    );
    let refusal = send(&customer.token, &other);
    assert_eq!(refusal.status, 409, "{}", refusal.body);
    assert!(refusal.json()["refused"].is_object());
    house
        .registry
        .set_agent_disabled(&codec::id::Scope::Everything, &customer.agent, true)
        .expect("disabled");
    assert_eq!(send(&customer.token, &body).status, 403);
    assert_eq!(
        Answer::of(
            client()
                .get(house.url("/v1/reports"))
                .call()
                .expect("an answer")
        )
        .status,
        405
    );
}

#[test]
fn monitoring_answers_without_a_login_on_this_machine() {
    let (house, _) = house_with(1);
    let get = |path: &str| Answer::of(client().get(house.url(path)).call().expect("an answer"));
    assert_eq!(
        (get("/healthz").status, get("/healthz").body.as_str()),
        (200, "ok\n")
    );
    let metrics = get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    assert!(metrics.body.ends_with("# EOF\n"));
    for name in [
        "platen_http_requests_total",
        "platen_ingest_acknowledged_total",
        "platen_process_resident_memory_bytes",
    ] {
        assert!(metrics.body.contains(name), "{name}");
    }
    let proxied = client()
        .get(house.url("/metrics"))
        .header("X-Forwarded-For", "203.0.113.5")
        .call()
        .expect("an answer");
    assert_eq!(proxied.status(), 403);
    house.ingest.stop();
    assert_eq!(
        get("/healthz").status,
        503,
        "a stopped journal is not healthy"
    );
}

#[test]
fn answers_are_compressed_for_who_can_take_it_and_never_for_soap() {
    let (house, _) = house_with(30);
    let answer = raw(
        &house,
        "GET /login HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
        b"",
    );
    assert!(
        answer.to_lowercase().contains("content-encoding: gzip"),
        "{answer}"
    );
    let answer = raw(&house, "GET /soap/v1?wsdl HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n", b"").to_lowercase();
    assert!(
        answer.contains("content-length:") && !answer.contains("content-encoding"),
        "{answer}"
    );
    assert!(answer.contains("text/xml; charset=utf-8") && answer.contains("definitions"));
}

#[test]
fn soap_calls_are_taken_chunked_and_with_an_expected_continue() {
    let (house, _) = house_with(1);
    let envelope = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x/></s:Body></s:Envelope>"#;
    let credentials = data_encoding::BASE64.encode(format!("chef:{PASSWORD}").as_bytes());
    let head = |extra: &str| {
        format!(
            "POST /soap/v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\nContent-Type: text/xml; charset=utf-8\r\nConnection: close\r\n{extra}\r\n\r\n"
        )
    };
    let chunked = format!("{:x}\r\n{envelope}\r\n0\r\n\r\n", envelope.len());
    let answer = raw(
        &house,
        &head("Transfer-Encoding: chunked"),
        chunked.as_bytes(),
    );
    assert!(
        answer.contains("Fault") && answer.to_lowercase().contains("content-length:"),
        "{answer}"
    );
    let answer = raw(
        &house,
        &head(&format!(
            "Expect: 100-continue\r\nContent-Length: {}",
            envelope.len()
        )),
        envelope.as_bytes(),
    );
    assert!(
        answer.starts_with("HTTP/1.1 100") && answer.contains("Fault"),
        "{answer}"
    );
    let anonymous = Answer::of(
        client()
            .post(house.url("/soap/v1"))
            .header("Content-Type", "text/xml")
            .send(envelope)
            .expect("an answer"),
    );
    assert!(
        anonymous.status == 401 || anonymous.body.contains("Fault"),
        "{}",
        anonymous.status
    );
}
