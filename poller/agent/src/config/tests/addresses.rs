//! Addresses of the manager, of a proxy, and of printers that nobody has.

use super::*;

#[test]
fn only_ranges_of_documents_find_nothing() {
    let config = |include: &str| {
        let text = format!("{MINIMAL}[[range]]\nname = \"r\"\ninclude = [{include}]\n");
        parse(&text).unwrap().nothing_to_find().is_some()
    };
    assert!(parse(MINIMAL).unwrap().nothing_to_find().is_some());
    assert!(parse(EXAMPLE).unwrap().nothing_to_find().is_some());
    assert!(config("\"192.0.2.0/24\", \"192.0.2.7:1161\""));
    assert!(!config("\"192.0.2.0/24\", \"10.0.0.1\""));
    assert!(!config("\"192.0.2.200-192.0.3.1\""));
    assert!(!config("\"printer.example\""));
}

#[test]
fn ipv6_literals_stand_in_brackets_and_are_addresses() {
    let manager = |url: &str| {
        parse(&MINIMAL.replace("http://127.0.0.1:8000", url)).map(|config| config.manager.url)
    };
    assert_eq!(manager("http://[::1]:8000").unwrap(), "http://[::1]:8000");
    assert_eq!(manager("https://[fd00::7]").unwrap(), "https://[fd00::7]");
    for refused in [
        "https://::1:8000",
        "https://fd00::7",
        "https://[fd00::7",
        "https://[manager]:8000",
        "https://[127.0.0.1]:8000",
        "http://[fd00::7]:8000",
    ] {
        assert!(manager(refused).is_err(), "{refused}");
    }
    let proxy = |url: &str| {
        let text = format!("{MINIMAL}[manager.proxy]\nurl = \"{url}\"\n");
        parse(&text).map(|config| config.manager.proxy.unwrap())
    };
    let at = proxy("http://[fd00::7]:3128").unwrap();
    assert_eq!(
        (&*at.host, &*at.url_host(), at.port),
        ("fd00::7", "[fd00::7]", 3128)
    );
    let at = proxy("http://proxy.example.com:3128/").unwrap();
    assert_eq!((at.host, at.port), ("proxy.example.com".to_owned(), 3128));
    for refused in [
        "http://fd00::7:3128",
        "http://[fd00::7]",
        "http://[proxy]:3128",
        "https://[fd00::7]:3128",
    ] {
        assert!(proxy(refused).is_err(), "{refused}");
    }
}
