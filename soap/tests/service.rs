//! The service as a client sees it: who may ask, what he sees, and what is said when something is wrong.

mod common;

use std::collections::BTreeSet;

use common::{DAY_MS, House, NOW, PASSWORD, body_of, envelope_11, texts};
use registry::{Branch, Language, NewAccount, Role};
use soap::SoapRequest;

const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

fn token(login: &str, password: &str) -> String {
    format!(
        "<o:Security xmlns:o=\"{WSSE}\" s:mustUnderstand=\"1\"><u:Timestamp xmlns:u=\"urn:u\"><u:Created>x</u:Created></u:Timestamp>\
         <o:UsernameToken><o:Username>{login}</o:Username><o:Password>{password}</o:Password></o:UsernameToken></o:Security>"
    )
}

/// Status and fault code of what is answered.
fn fault_of(
    house: &House,
    login: Option<&str>,
    header: &str,
    operation: &str,
) -> (u16, String, String) {
    let response = house.ask(login, &envelope_11(header, operation));
    let text = String::from_utf8(response.body).unwrap();
    let one = |name| {
        texts(&text, name)
            .first()
            .unwrap_or_else(|| panic!("no {name} in {text}"))
            .to_string()
    };
    (response.status, one("code"), one("message"))
}

#[test]
fn nobody_asks_without_a_login_and_a_wrong_one_is_none() {
    let house = House::new();
    let ask = |header: &str| fault_of(&house, None, header, "<GetServiceInfo/>");
    for header in [
        String::new(),
        token("erp", "falsch falsch"),
        token("nobody", "vier gute worte"),
        format!("<o:Security xmlns:o=\"{WSSE}\"/>"),
        format!(
            "<o:Security xmlns:o=\"{WSSE}\"><o:UsernameToken><o:Username>erp</o:Username></o:UsernameToken></o:Security>"
        ),
    ] {
        let (status, code, _) = ask(&header);
        assert_eq!(
            (status, code.as_str()),
            (401, "notAuthenticated"),
            "{header}"
        );
    }
    let digest =
        token("erp", "x").replace("<o:Password>", "<o:Password Type=\"urn:x#PasswordDigest\">");
    let (_, _, message) = ask(&digest);
    assert!(message.contains("PasswordText"), "{message}");
}

#[test]
fn a_username_token_is_a_login_and_is_throttled_like_one() {
    let house = House::new();
    let escaped = PASSWORD.replace('&', "&amp;").replace('<', "&lt;");
    let right = token("erp", &escaped);
    let response = house.ask(None, &envelope_11(&right, "<GetServiceInfo/>"));
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    let mut refused = 0;
    let (status, code, message) = loop {
        let answer = fault_of(
            &house,
            None,
            &token("meyer", "falsch falsch"),
            "<GetServiceInfo/>",
        );
        if answer.1 != "notAuthenticated" {
            break answer;
        }
        refused += 1;
        assert!(refused < 100, "never throttled");
    };
    assert_eq!((status, code.as_str()), (503, "throttled"));
    assert!(message.contains("try again"), "{message}");
}

#[test]
fn an_account_sees_its_branch_and_nothing_else() {
    let house = House::new();
    let all = house.call("erp", "<ListDevices/>");
    let meyers = house.call("meyer", "<ListDevices/>");
    let ids = |xml: &str| {
        texts(xml, "deviceId")
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!((ids(&all).len(), ids(&meyers).len()), (4, 3));
    assert_eq!(texts(&meyers, "total"), ["3"]);
    assert_eq!(
        texts(&house.call("meyer", "<GetServiceInfo/>"), "branchName"),
        ["Meyer &amp; Söhne &lt;GmbH&gt;"]
    );
    assert_eq!(
        texts(&house.call("meyer", "<ListCustomers/>"), "siteName"),
        ["Werk 2"]
    );
    assert_eq!(
        texts(&house.call("meyer", "<ListAgents/>"), "agentId"),
        ["meyer-werk-2"]
    );
    let readings = house.call("meyer", "<GetMeterReadings/>");
    assert_eq!(texts(&readings, "total"), ["24"]);
    let foreign = house.devices[3];
    let by_device = format!("<GetMeterReadings><deviceId>{foreign}</deviceId></GetMeterReadings>");
    assert_eq!(texts(&house.call("meyer", &by_device), "count"), ["0"]);
    let by_number = "<GetMeterReadings><customerNo>K-0815</customerNo></GetMeterReadings>";
    assert_eq!(texts(&house.call("meyer", by_number), "count"), ["0"]);
    assert_eq!(texts(&house.call("erp", by_number), "count"), ["8"]);
}

#[test]
fn pulling_page_by_page_gives_every_reading_once_in_order_and_a_page_asked_again_is_the_same() {
    let house = House::with_days(7);
    let expected: Vec<String> = house
        .readings()
        .iter()
        .map(|reading| reading.id.to_string())
        .collect();
    let mut pulled = Vec::new();
    let mut batches = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let question = format!(
            "<GetMeterReadings><cursor>{cursor}</cursor><basis>billing</basis><max>10</max></GetMeterReadings>"
        );
        let page = house.call("erp", &question);
        assert_eq!(page, house.call("erp", &question));
        pulled.extend(texts(&page, "readingId").into_iter().map(str::to_owned));
        batches.insert(texts(&page, "batchId")[0].to_owned());
        texts(&page, "nextCursor")[0].clone_into(&mut cursor);
        if texts(&page, "more") == ["false"] {
            break;
        }
    }
    assert_eq!(pulled, expected);
    assert_eq!(batches.len(), expected.len().div_ceil(10));
    let rest = house.call(
        "erp",
        &format!(
            "<GetMeterReadings><cursor>{cursor}</cursor><basis>billing</basis></GetMeterReadings>"
        ),
    );
    assert_eq!(
        (texts(&rest, "count"), texts(&rest, "nextCursor")),
        (vec!["0"], vec![cursor.as_str()])
    );
    assert_eq!(texts(&rest, "batchId"), [""; 0]);
}

#[test]
fn filters_select_what_they_say() {
    let house = House::with_days(4);
    let count = |inside: &str| {
        let xml = house.call(
            "erp",
            &format!("<GetMeterReadings>{inside}</GetMeterReadings>"),
        );
        texts(&xml, "count")[0].parse::<usize>().unwrap()
    };
    assert_eq!(count(""), 4 * 4 * 4);
    assert_eq!(count("<basis>all</basis>"), 4 * 4 * 4);
    assert_eq!(count("<basis>billing</basis>"), 4 * 4 * 3);
    assert_eq!(count("<basis>engine</basis>"), 4 * 4);
    assert_eq!(
        count("<meterCode>print.mono.impressions, print.colour.impressions</meterCode>"),
        4 * 4 * 2
    );
    assert_eq!(
        count(&format!("<deviceId>{}</deviceId>", house.devices[0])),
        4 * 4
    );
    // Of its customer's three devices one has a number of its own.
    assert_eq!(count("<customerNo>K-4711</customerNo>"), 2 * 4 * 4);
    assert_eq!(count("<customerNo>K-SPECIAL</customerNo>"), 4 * 4);
    assert_eq!(count("<customerNo>nobody</customerNo>"), 0);
    let first_day = NOW.plus_ms(-3 * DAY_MS);
    assert_eq!(count(&format!("<to>{first_day}</to>")), 4 * 4);
    assert_eq!(
        count(&format!("<from>{}</from>", NOW.plus_ms(-DAY_MS))),
        4 * 4
    );
    assert_eq!(count("<max>7</max>"), 7);
    assert_eq!(count("<max>4000000000</max>"), 64);
    assert_eq!(
        count(
            "<cursor/><from></from><max xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>"
        ),
        64
    );
}

#[test]
fn devices_are_listed_by_what_changed_and_in_pages() {
    let house = House::new();
    let page = house.call("erp", "<ListDevices><max>3</max></ListDevices>");
    assert_eq!(
        (texts(&page, "more"), texts(&page, "count")),
        (vec!["true"], vec!["3"])
    );
    let next = texts(&page, "nextCursor")[0];
    let rest = house.call(
        "erp",
        &format!("<ListDevices><cursor>{next}</cursor><max>3</max></ListDevices>"),
    );
    assert_eq!(
        (texts(&rest, "more"), texts(&rest, "count")),
        (vec!["false"], vec!["1"])
    );
    let changed = NOW.plus_ms(-2 * DAY_MS + 3);
    let late = house.call(
        "erp",
        &format!("<ListDevices><changedSince>{changed}</changedSince></ListDevices>"),
    );
    assert_eq!(texts(&late, "count"), ["2"]);
    let special = house.call("erp", "<ListDevices/>");
    assert!(texts(&special, "customerNo").contains(&"K-SPECIAL"));
    assert!(texts(&special, "costCentre").contains(&"Büro &lt;1&gt; &amp; Lager"));
}

#[test]
fn a_billing_reading_that_is_too_old_is_stale() {
    let house = House::new();
    let quality = |cutoff: codec::time::Timestamp, hours: u32| {
        let question = format!(
            "<GetBillingReadings><cutoff>{cutoff}</cutoff><maxAgeHours>{hours}</maxAgeHours><deviceId>{}</deviceId>\
             <meterCode>total.total.impressions</meterCode></GetBillingReadings>",
            house.devices[0]
        );
        let xml = house.call("erp", &question);
        (
            texts(&xml, "quality")[0].to_owned(),
            texts(&xml, "value")[0].to_owned(),
        )
    };
    let fresh = NOW.plus_ms(-DAY_MS);
    assert_eq!(quality(fresh, 1), ("ok".to_owned(), "100100".to_owned()));
    assert_eq!(
        quality(fresh.plus_ms(-1), 24),
        ("ok".to_owned(), "100000".to_owned())
    );
}

#[test]
fn what_is_wrong_in_a_request_is_said_with_its_place() {
    let house = House::new();
    for (operation, code, said) in [
        (
            "<NoSuch/>",
            "unknownOperation",
            "there is no operation &quot;NoSuch&quot;; known are: GetServiceInfo, ListCustomers",
        ),
        (
            "<x:ListDevices xmlns:x='urn:other'/>",
            "unknownOperation",
            "must be of the namespace &quot;urn:platen:soap:v1&quot;",
        ),
        (
            "<ListDevices><maximum>1</maximum></ListDevices>",
            "invalidParameter",
            "there is no parameter &quot;maximum&quot;",
        ),
        (
            "<ListDevices><x:max xmlns:x='urn:other'>1</x:max></ListDevices>",
            "invalidParameter",
            "of namespace &quot;urn:other&quot;",
        ),
        (
            "<GetServiceInfo><max>1</max></GetServiceInfo>",
            "invalidParameter",
            "known are: none",
        ),
        (
            "<ListDevices><max>0</max></ListDevices>",
            "invalidParameter",
            "max is &quot;0&quot;, but must be a whole number from 1",
        ),
        (
            "<ListDevices><max>many</max></ListDevices>",
            "invalidParameter",
            "whole number",
        ),
        (
            "<ListDevices><max>1</max><max>1</max></ListDevices>",
            "invalidParameter",
            "max was given twice",
        ),
        (
            "<ListDevices><max><b/></max></ListDevices>",
            "invalidParameter",
            "max holds text, not elements",
        ),
        (
            "<ListDevices><changedSince>2026-11-21</changedSince></ListDevices>",
            "invalidParameter",
            "a full xs:dateTime",
        ),
        (
            "<GetMeterReadings><basis>pages</basis></GetMeterReadings>",
            "invalidParameter",
            "billing, engine or all",
        ),
        (
            "<GetMeterReadings><deviceId>7</deviceId></GetMeterReadings>",
            "invalidParameter",
            "deviceId",
        ),
        (
            "<GetMeterReadings><cursor>d1-0-00</cursor></GetMeterReadings>",
            "invalidCursor",
            "not a cursor of this list",
        ),
        (
            "<GetBillingReadings/>",
            "invalidParameter",
            "cutoff is missing",
        ),
        (
            "<GetBillingReadings><cutoff>2999-01-01T00:00:00Z</cutoff></GetBillingReadings>",
            "invalidParameter",
            "in the future",
        ),
    ] {
        let (status, found, message) = fault_of(&house, Some("erp"), "", operation);
        assert_eq!(
            (status, found.as_str()),
            (500, code),
            "{operation}: {message}"
        );
        assert!(message.contains(said), "{operation}: {message}");
    }
}

#[test]
fn the_answer_comes_in_the_soap_of_the_question_with_what_it_refers_to() {
    let house = House::new();
    let account = house.registry.account_by_login("erp").unwrap();
    let ask = |operation: &str| {
        let body = format!(
            "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Header><MessageID xmlns='http://www.w3.org/2005/08/addressing'>\
             urn:uuid:1</MessageID></e:Header><e:Body><q:{operation} xmlns:q='urn:platen:soap:v1'/></e:Body></e:Envelope>"
        );
        let response = house.service.handle(&SoapRequest {
            content_type: Some(
                "application/soap+xml; charset=utf-8; action=\"urn:platen:soap:v1/Whatever\"",
            ),
            soap_action: None,
            body: body.as_bytes(),
            account: account.clone(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            now: NOW,
        });
        (
            response.status,
            response.content_type,
            String::from_utf8(response.body).unwrap(),
        )
    };
    let (status, content_type, text) = ask("GetServiceInfo");
    assert_eq!(
        (status, content_type),
        (200, "application/soap+xml; charset=utf-8"),
        "{text}"
    );
    assert!(
        text.contains("<wsa:RelatesTo>urn:uuid:1</wsa:RelatesTo>"),
        "{text}"
    );
    assert!(
        text.contains("<wsa:Action>urn:platen:soap:v1/GetServiceInfoResponse</wsa:Action>"),
        "{text}"
    );
    assert!(body_of(&text).starts_with(
        "<GetServiceInfoResponse xmlns=\"urn:platen:soap:v1\"><serviceName>Platen</serviceName>"
    ));
    let (status, _, text) = ask("Nothing");
    assert_eq!(status, 400, "{text}");
    assert!(
        text.contains("<soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code>"),
        "{text}"
    );
    assert!(
        text.contains("<wsa:Action>http://www.w3.org/2005/08/addressing/fault</wsa:Action>"),
        "{text}"
    );
}

#[test]
fn a_client_that_does_not_qualify_its_elements_is_understood() {
    let house = House::new();
    let body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><ListDevices><max>2</max></ListDevices></e:Body></e:Envelope>";
    let response = house.ask(Some("erp"), body);
    let text = String::from_utf8(response.body).unwrap();
    assert_eq!(texts(&text, "count"), ["2"], "{text}");
}

#[test]
fn an_erp_writes_its_references_at_a_device_and_reads_them_back_with_the_readings() {
    let house = House::new();
    let device = house.devices[0];
    let set = |login: &str, inside: &str| {
        house.call(
            login,
            &format!(
                "<SetDeviceReferences><deviceId>{device}</deviceId>{inside}</SetDeviceReferences>"
            ),
        )
    };
    set(
        "meyer",
        "<contractNo> V-1 </contractNo><inventoryNo>I-1</inventoryNo><reference3>&lt;&amp;&gt;</reference3>",
    );
    let answer = set("erp", "<contractNo/><customerNo>K-9</customerNo>");
    assert_eq!(texts(&answer, "contractNo"), [""; 0]);
    assert_eq!(texts(&answer, "inventoryNo"), ["I-1"]);
    assert_eq!(texts(&answer, "reference3"), ["&lt;&amp;&gt;"]);
    let readings = house.call(
        "erp",
        &format!("<GetMeterReadings><deviceId>{device}</deviceId><max>1</max></GetMeterReadings>"),
    );
    assert_eq!(
        (
            texts(&readings, "customerNo"),
            texts(&readings, "inventoryNo")
        ),
        (vec!["K-9"], vec!["I-1"])
    );
    let noted = house.registry.audit_log(None, 10).unwrap();
    assert_eq!(noted.len(), 2);
    assert_eq!(
        (noted[0].who.as_str(), noted[0].subject.as_str()),
        ("erp", device.to_string().as_str())
    );
}

#[test]
fn a_customers_readings_are_those_that_say_his_number() {
    let house = House::new();
    let device = house.devices[0];
    house.call(
        "erp",
        &format!(
            "<SetDeviceReferences><deviceId>{device}</deviceId><customerNo>K-9</customerNo></SetDeviceReferences>"
        ),
    );
    for operation in ["GetMeterReadings", "GetBillingReadings"] {
        let cutoff = match operation {
            "GetBillingReadings" => format!("<cutoff>{NOW}</cutoff>"),
            _ => String::new(),
        };
        let numbers = |login: &str, number: &str| {
            let answer = house.call(
                login,
                &format!("<{operation}>{cutoff}<customerNo>{number}</customerNo></{operation}>"),
            );
            let ids = texts(&answer, "deviceId");
            let ids: BTreeSet<String> = ids.into_iter().map(str::to_owned).collect();
            for said in texts(&answer, "customerNo") {
                assert_eq!(said, number);
            }
            ids
        };
        assert_eq!(
            numbers("erp", "K-9"),
            BTreeSet::from([device.to_string()]),
            "{operation}"
        );
        let others = numbers("erp", "K-4711");
        assert_eq!(others.len(), 1, "{operation}");
        assert!(!others.contains(&device.to_string()));
        assert_eq!(numbers("erp", "K-0815").len(), 1);
        // Whose branch it is sees it, by whatever number; nobody sees another's.
        assert_eq!(numbers("meyer", "K-9").len(), 1);
        assert_eq!(numbers("meyer", "K-0815").len(), 0);
    }
}

#[test]
fn references_are_written_only_by_who_may_and_where_he_may() {
    let house = House::new();
    let viewer = NewAccount {
        login: "viewer",
        name: "Viewer",
        password: PASSWORD,
        role: Role::Viewer,
        branch: Branch::House,
        language: Language::En,
    };
    house.registry.create_account(&viewer, NOW).unwrap();
    let set = |device: &str| {
        format!(
            "<SetDeviceReferences><deviceId>{device}</deviceId><contractNo>x</contractNo></SetDeviceReferences>"
        )
    };
    let foreign = set(&house.devices[3].to_string());
    for (login, operation, code) in [
        ("viewer", foreign.as_str(), "notAllowed"),
        ("meyer", foreign.as_str(), "notFound"),
        (
            "erp",
            "<SetDeviceReferences><contractNo>x</contractNo></SetDeviceReferences>",
            "invalidParameter",
        ),
        ("erp", &set("aaaaaaaaaaaaaaaa"), "notFound"),
        (
            "erp",
            &set(&house.devices[0].to_string()).replace('x', &"x".repeat(300)),
            "invalidParameter",
        ),
    ] {
        let (_, found, message) = fault_of(&house, Some(login), "", operation);
        assert_eq!(found, code, "{operation}: {message}");
    }
}
