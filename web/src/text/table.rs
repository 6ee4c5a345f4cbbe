//! The one list of sentences: key, English, German. A text that lacks a language does not compile.

macro_rules! texts {
    ($($key:ident: $english:literal, $german:literal;)+) => {
        /// The texts of one language.
        pub(crate) struct Texts {
            $(pub(crate) $key: &'static str,)+
        }

        pub(crate) static ENGLISH: Texts = Texts { $($key: $english,)+ };
        pub(crate) static GERMAN: Texts = Texts { $($key: $german,)+ };

        /// Every row of the table, for the test that compares the languages.
        #[cfg(test)]
        pub(crate) const ROWS: &[(&str, &str, &str)] = &[$((stringify!($key), $english, $german),)+];
    };
}

texts! {
    // The frame of every page.
    skip: "Skip to the content", "Zum Inhalt springen";
    nav_label: "Main", "Hauptmenü";
    nav_fleet: "Fleet", "Geräte";
    nav_alerts: "Alerts", "Meldungen";
    nav_silent: "Silent devices", "Stumme Geräte";
    nav_customers: "Customers", "Kunden";
    nav_tenants: "Customers & sites", "Kunden & Standorte";
    nav_agents: "Agents", "Agenten";
    nav_system: "System", "System";
    nav_accounts: "Accounts", "Konten";
    nav_settings: "Settings", "Einstellungen";
    nav_audit: "Audit", "Protokoll";
    nav_health: "Health", "Zustand";
    logout: "Log out", "Abmelden";
    language: "Language", "Sprache";
    save: "Save", "Speichern";
    create: "Create", "Anlegen";
    none_yet: "None yet.", "Noch keine.";
    never: "never", "nie";
    yes: "yes", "ja";
    no: "no", "nein";
    name: "Name", "Name";
    actions: "Actions", "Aktionen";

    // Login.
    login_title: "Log in", "Anmelden";
    login_name: "Login", "Anmeldename";
    login_password: "Password", "Passwort";
    login_wrong: "Login or password is wrong.", "Anmeldename oder Passwort stimmt nicht.";
    login_throttled: "Too many failed attempts. Try again in {wait}.", "Zu viele Fehlversuche. Bitte in {wait} erneut versuchen.";
    login_out: "You are logged out.", "Sie sind abgemeldet.";
    login_intro: "Meters, supplies and alerts of your printers.", "Zähler, Verbrauchsmaterial und Meldungen Ihrer Drucker.";

    // Errors.
    error_not_found: "This page does not exist.", "Diese Seite gibt es nicht.";
    error_not_found_hint: "The address may be mistyped, or what it named is not yours to see.", "Vielleicht ist die Adresse vertippt, oder das Genannte ist für Sie nicht sichtbar.";
    error_forbidden: "Your account may not do this.", "Ihr Konto darf das nicht.";
    error_csrf: "The form had expired or came from elsewhere. Go back, reload the page and send it again.", "Das Formular war abgelaufen oder kam von fremder Stelle. Bitte zurückgehen, die Seite neu laden und erneut absenden.";
    error_invalid: "This request cannot be understood.", "Diese Anfrage ist nicht verständlich.";
    error_conflict: "That exists already.", "Das gibt es schon.";
    error_conflict_hint: "Nothing was changed. Go back and choose another name.", "Es wurde nichts geändert. Bitte zurückgehen und einen anderen Namen wählen.";
    error_taken: "That exists already. Nothing was changed: choose another name or number.", "Das gibt es schon. Es wurde nichts geändert: bitte einen anderen Namen oder eine andere Nummer wählen.";
    error_method: "This address does not take that kind of request.", "Diese Adresse nimmt diese Art von Anfrage nicht an.";
    error_busy: "The manager is busy. Please try again in a few seconds.", "Der Manager ist ausgelastet. Bitte in einigen Sekunden erneut versuchen.";
    error_internal: "Something failed inside the manager. The log has the details under this number: {n}", "Im Manager ist etwas fehlgeschlagen. Näheres steht im Log unter dieser Nummer: {n}";
    error_too_large: "That is too large.", "Das ist zu groß.";
    error_home: "To the fleet", "Zu den Geräten";

    // The fleet.
    fleet_title: "Fleet", "Geräte";
    fleet_devices_one: "{n} device", "{n} Gerät";
    fleet_devices: "{n} devices", "{n} Geräte";
    fleet_search: "Name, serial, address, customer ( / )", "Name, Serie, Adresse, Kunde ( / )";
    fleet_search_label: "Search", "Suche";
    fleet_search_do: "Search", "Suchen";
    fleet_search_clear: "Clear the search", "Suche löschen";
    fleet_read: "Read lately", "Frisch gelesen";
    fleet_read_share: "{p} % within the last hour", "{p} % in der letzten Stunde";
    fleet_silent: "Silent", "Stumm";
    fleet_silent_hint: "not read for {age}", "seit {age} nicht gelesen";
    fleet_low: "Supplies low", "Material knapp";
    fleet_low_hint: "{p} % or less", "{p} % oder weniger";
    fleet_attention: "Need attention", "Brauchen Hilfe";
    fleet_attention_hint: "silent, faulty or low", "stumm, gestört, knapp";
    fleet_stopped: "Stopped", "Stehen still";
    fleet_confirm_hint: "{n} alerts stand", "{n} Meldungen stehen an";
    fleet_confirm_hint_one: "{n} alert stands", "{n} Meldung steht an";
    fleet_colour: "Colour", "Farbe";
    fleet_all: "All", "Alle";
    fleet_col_device: "Device", "Gerät";
    fleet_col_model: "Model", "Modell";
    fleet_col_status: "Status", "Status";
    fleet_col_supplies: "Supplies", "Material";
    fleet_col_total: "Billed total", "Abrechnungszähler";
    fleet_col_read: "Read", "Gelesen";
    fleet_empty: "No device matches.", "Kein Gerät passt dazu.";
    fleet_none: "No device has reported yet. Add an agent and give it the printers' addresses.", "Noch hat sich kein Gerät gemeldet. Legen Sie einen Agenten an und geben Sie ihm die Adressen der Drucker.";
    fleet_no_supplies: "no levels", "keine Füllstände";
    page_range: "{from}–{to} of {n}", "{from}–{to} von {n}";
    page_previous: "Previous", "Zurück";
    page_next: "Next", "Weiter";
    page_first: "First", "Anfang";
    export_csv: "CSV", "CSV";
    export_csv_hint: "This list as CSV", "Diese Liste als CSV";

    // States of a device, as one word beside a dot.
    state_ok: "ready", "bereit";
    state_idle: "idle", "bereit";
    state_printing: "printing", "druckt";
    state_warmup: "warming up", "wärmt auf";
    state_asleep: "asleep", "schläft";
    state_warning: "warning", "Warnung";
    state_testing: "self-test", "Selbsttest";
    state_down: "stopped", "steht";
    state_silent: "silent for {age}", "stumm seit {age}";
    state_unknown: "status not reported", "Status nicht gemeldet";

    // A device.
    device_read: "read {age} ago", "vor {age} gelesen";
    device_identity: "Identity", "Identität";
    device_model: "Model", "Modell";
    device_maker: "Maker", "Hersteller";
    device_serial: "Serial", "Seriennummer";
    device_customer: "Customer", "Kunde";
    device_site: "Site", "Standort";
    device_address: "Address", "Adresse";
    device_hostname: "Host name", "Hostname";
    device_dns: "DNS name", "DNS-Name";
    device_mac: "MAC", "MAC";
    device_agent: "Agent", "Agent";
    device_firmware: "Firmware", "Firmware";
    device_location: "Location", "Aufstellort";
    device_contact: "Contact", "Ansprechpartner";
    device_description: "Description", "Beschreibung";
    device_asset: "Asset number", "Inventarnummer";
    device_first_seen: "First seen", "Zuerst gesehen";
    device_id: "Device id", "Gerätekennung";
    device_display: "Panel says", "Anzeige";
    device_uptime: "Running since", "Läuft seit";
    device_not_read: "not read yet", "noch nicht gelesen";
    device_supplies: "Supplies", "Verbrauchsmaterial";
    device_supplies_hint: "as the device reports", "wie das Gerät meldet";
    device_supplies_none: "The device reports no supplies.", "Das Gerät meldet kein Verbrauchsmaterial.";
    device_trays: "Trays", "Papierfächer";
    device_trays_none: "The device reports no trays.", "Das Gerät meldet keine Fächer.";
    device_tray: "Tray {n}", "Fach {n}";
    device_alerts: "Alerts", "Meldungen";
    device_alerts_none: "No alert stands.", "Es steht keine Meldung an.";
    device_meters: "Meters", "Zähler";
    device_meters_none: "The device reports no meters.", "Das Gerät meldet keine Zähler.";
    device_meters_unverified: "the sums could not be checked", "Summen nicht prüfbar";
    device_meters_verified: "the sums agree", "Summen stimmen überein";
    device_meters_conflicting: "the sums do not agree: look before billing", "Summen widersprechen sich: vor der Abrechnung prüfen";
    device_meter: "Meter", "Zähler";
    device_value: "Value", "Stand";
    device_source: "Source", "Quelle";
    device_read_at: "Read", "Gelesen";
    device_since: "unchanged since {time}", "unverändert seit {time}";
    device_meters_since: "meters unchanged since {time}", "Zähler unverändert seit {time}";
    device_parts: "sum of {n} values", "Summe aus {n} Werten";
    device_history: "Counted over time", "Gezählt im Verlauf";
    device_history_since: "since {time}", "seit {time}";
    device_history_none: "The history begins with the second reading.", "Der Verlauf beginnt mit der zweiten Ablesung.";
    device_history_table: "The meters as a table", "Die Zählerstände als Tabelle";
    device_history_zone: "times of {zone}", "Zeiten in {zone}";
    device_timeline: "Timeline", "Verlauf";
    device_timeline_none: "Nothing has happened yet.", "Noch ist nichts geschehen.";
    device_level: "Level", "Stand";
    device_time: "Time", "Zeit";
    device_readings_csv: "Readings as CSV", "Ablesungen als CSV";
    device_json: "JSON", "JSON";

    // Who is who.
    kin_title: "Same or another device?", "Dasselbe oder ein anderes Gerät?";
    kin_now: "This record turned out to be another device. Its readings until then stay here; what is read now is at", "Dieser Eintrag hat sich als anderes Gerät erwiesen. Seine Ablesungen bis dahin bleiben hier; was jetzt gelesen wird, steht bei";
    kin_former: "Former records of this device", "Frühere Einträge dieses Geräts";
    kin_merged: "{one} is the same as {other}", "{one} ist dasselbe Gerät wie {other}";
    kin_split_done: "{one} is a device of its own", "{one} ist ein eigenes Gerät";
    kin_undone: "taken back", "zurückgenommen";
    kin_undo: "Undo", "Zurücknehmen";
    kin_same: "Same device as", "Dasselbe Gerät wie";
    kin_same_hint: "serial number or device id", "Seriennummer oder Gerätekennung";
    kin_same_do: "Join", "Zusammenführen";
    kin_same_about: "That record goes on; this one leaves the lists and keeps its history.", "Jener Eintrag läuft weiter; dieser verlässt die Listen und behält seine Geschichte.";
    kin_split: "Not the same device", "Nicht dasselbe Gerät";
    kin_split_about_former: "This record becomes a device of its own again.", "Dieser Eintrag wird wieder ein eigenes Gerät.";
    kin_split_about: "Two printers stand behind this record: from now on they are told apart by their MAC, or begin anew.", "Hinter diesem Eintrag stehen zwei Drucker: Ab jetzt unterscheidet sie ihre MAC-Adresse, oder sie beginnen neu.";
    kin_told_done: "Noted. It can be taken back.", "Vermerkt. Es lässt sich zurücknehmen.";
    kin_told_late: "Noted. It takes effect in a moment.", "Vermerkt. Es wird gleich wirksam.";
    kin_told_same: "Both are the same record.", "Beides ist derselbe Eintrag.";
    kin_told_customer: "The devices belong to different customers.", "Die Geräte gehören verschiedenen Kunden.";
    kin_told_superseded: "One of them turned out to be another device already. Undo that first.", "Eines davon hat sich schon als anderes Gerät erwiesen. Bitte erst das zurücknehmen.";
    kin_told_nothing: "No report leads to this device any more: there is nothing to split.", "Zu diesem Gerät führt kein Bericht mehr: Es gibt nichts zu trennen.";
    kin_told_undone: "That was taken back already.", "Das wurde schon zurückgenommen.";
    kin_told_unknown: "There is no such device, or more than one: give its device id.", "Dieses Gerät gibt es nicht oder mehrfach: Bitte die Gerätekennung angeben.";
    days_7: "7 days", "7 Tage";
    days_30: "30 days", "30 Tage";
    days_365: "1 year", "1 Jahr";
    hours_24: "24 hours", "24 Stunden";
    hour_1: "1 hour", "1 Stunde";
    basis_billing: "billing", "Abrechnung";
    basis_engine: "engine, not billed", "Druckwerk, nicht abgerechnet";
    level_some: "some space left", "noch Platz";
    level_some_left: "some left", "noch etwas da";
    level_unknown: "device reports no level", "Gerät meldet keinen Füllstand";
    level_unlimited: "without limit", "ohne Begrenzung";
    level_of: "{amount} of {capacity}", "{amount} von {capacity}";
    level_free: "{p} % room left", "noch {p} % frei";
    level_low: "low", "knapp";
    tray_empty: "empty", "leer";
    event_first_seen: "First report of this device", "Erster Bericht dieses Geräts";
    event_alert: "Alert", "Meldung";

    // Alerts over the fleet.
    alerts_title: "Alerts", "Meldungen";
    alerts_sub: "{n} open", "{n} offen";
    alerts_none: "No alert stands anywhere.", "Nirgends steht eine Meldung an.";
    alert_since: "Since", "Seit";
    silence_title: "Not heard from", "Nichts gehört";
    silence_none: "All agents and devices are heard as usual.", "Alle Agenten und Geräte melden sich wie gewohnt.";
    silence_who: "Who", "Wer";
    silence_cause: "Likely cause", "Vermutliche Ursache";
    silence_since: "Last heard", "Zuletzt gehört";
    silence_lasted: "Lasted", "Dauer";
    silence_over: "Heard from again", "Wieder gehört";
    silence_manager: "Manager", "Manager";
    silence_agent: "Agent", "Agent";
    silence_device: "Device", "Gerät";
    silence_devices: "{n} devices are silent because of it", "{n} Geräte sind deshalb nicht zu hören";
    silence_devices_one: "1 device is silent because of it", "1 Gerät ist deshalb nicht zu hören";
    silence_cause_manager: "this manager was down, or nobody gets through to it", "dieser Manager lief nicht oder ist für niemanden erreichbar";
    silence_cause_agent: "the agent does not run, or its line is down", "der Agent läuft nicht, oder seine Leitung ist unterbrochen";
    silence_cause_line: "the line is down: the agent ran meanwhile, or its neighbours are silent too", "Leitung gestört: Der Agent lief weiter, oder seine Nachbarn schweigen auch";
    silence_cause_network: "the network at the site: many devices of this agent fell silent together", "Netz am Standort: Viele Geräte dieses Agenten verstummten zugleich";
    silence_cause_moved: "moved or replaced: another device answers at its address", "umgezogen oder ersetzt: An seiner Adresse antwortet ein anderes Gerät";
    silence_cause_no_answer: "off, unplugged, or closed to SNMP; its agent is fine", "aus, ausgesteckt oder für SNMP gesperrt; sein Agent arbeitet";
    silence_cause_no_meters: "it answers, but never told a meter", "antwortet, hat aber nie einen Zählerstand gemeldet";
    silence_more: "and {n} more devices", "und {n} weitere Geräte";
    alert_what: "Alert", "Meldung";
    alert_where: "Device", "Gerät";
    alert_critical: "stopped", "steht";
    alert_warning: "warning", "Warnung";
    alert_other: "note", "Hinweis";

    // Tenants.
    tenants_title: "Customers & sites", "Kunden & Standorte";
    tenants_customers: "{n} customers", "{n} Kunden";
    tenants_customers_one: "{n} customer", "{n} Kunde";
    tenants_sites: "{n} sites", "{n} Standorte";
    tenants_sites_one: "{n} site", "{n} Standort";
    tenants_dealer: "Dealer", "Händler";
    tenants_customer: "Customer", "Kunde";
    tenants_site: "Site", "Standort";
    tenants_zone: "Time zone", "Zeitzone";
    tenants_zone_hint: "IANA name, such as Europe/Berlin: the site's month ends there.", "IANA-Name wie Europe/Berlin: nach ihr endet der Monat des Standorts.";
    tenants_number: "Customer number", "Kundennummer";
    tenants_number_hint: "As the ERP knows it; may stay empty.", "Wie im ERP; darf leer bleiben.";
    tenants_parent: "Belongs to", "Gehört zu";
    tenants_new_dealer: "New dealer", "Neuer Händler";
    tenants_new_customer: "New customer", "Neuer Kunde";
    tenants_new_site: "New site", "Neuer Standort";
    tenants_devices: "Devices", "Geräte";
    tenants_created: "Created: {name}", "Angelegt: {name}";

    // A customer is forgotten.
    forget_link: "Forget…", "Vergessen…";
    forget_list: "Forgotten customers", "Vergessene Kunden";
    forget_number: "Customer {n}", "Kunde Nr. {n}";
    forget_title: "Forget customer {n}", "Kunde {n} vergessen";
    forget_intro: "Everything that is kept of this customer is deleted: sites, devices, readings, alerts, agents and accounts. The key of the archived reports is destroyed.", "Alles, was von diesem Kunden aufbewahrt wird, wird gelöscht: Standorte, Geräte, Zählerstände, Meldungen, Agenten und Konten. Der Schlüssel der archivierten Berichte wird vernichtet.";
    forget_sites: "Sites", "Standorte";
    forget_agents: "Agents, which are refused from then on", "Agenten, die danach abgewiesen werden";
    forget_devices: "Devices", "Geräte";
    forget_readings: "Readings", "Zählerstände";
    forget_alerts: "Alerts, past ones included", "Meldungen, auch frühere";
    forget_reports: "Reports received", "Empfangene Berichte";
    forget_accounts: "Accounts bound to it", "Daran gebundene Konten";
    forget_elsewhere: "{n} devices that its agents read stand at sites of other customers. What was counted there stays, but its reports are no longer readable: a rebuild of the store is without it.", "{n} Geräte, die seine Agenten lesen, stehen an Standorten anderer Kunden. Was dort gezählt wurde, bleibt, doch seine Berichte sind nicht mehr lesbar: in einem neu aufgebauten Datenspeicher fehlt es.";
    forget_backups: "Backups that you made yourself are yours to remove. One that is restored is brought into line at the next start.", "Selbst angelegte Sicherungen müssen Sie selbst entfernen. Eine zurückgespielte wird beim nächsten Start angeglichen.";
    forget_confirm: "Confirm", "Bestätigen";
    forget_type_name: "The customer's name, as it stands above", "Der Name des Kunden, wie er oben steht";
    forget_name_differs: "That is not the name that stands above. Nothing was deleted.", "Das ist nicht der Name, der oben steht. Nichts wurde gelöscht.";
    forget_do: "Forget for good", "Endgültig vergessen";
    forget_no_way_back: "This cannot be undone.", "Das lässt sich nicht rückgängig machen.";
    forget_decided: "Forgotten by {who}, {at}.", "Vergessen von {who}, {at}.";
    forget_erased: "Erased from every file since {at}.", "Aus allen Dateien entfernt seit {at}.";
    forget_trouble: "A step failed and is tried again:", "Ein Schritt ist fehlgeschlagen und wird wiederholt:";
    forget_step: "What", "Was";
    forget_state: "How far", "Wie weit";
    forget_left: "remaining", "steht noch aus";
    forget_done: "done", "erledigt";
    forget_live_left: "{n} parts of the journal not yet rewritten", "{n} Teile des Journals noch nicht neu geschrieben";
    forget_step_rows: "Deleted from store and registry", "Aus Datenspeicher und Registratur gelöscht";
    forget_step_quarantine: "Refused reports removed", "Abgelehnte Berichte entfernt";
    forget_step_key: "Key of the archived reports destroyed", "Schlüssel der archivierten Berichte vernichtet";
    forget_step_registry: "Registry's file written anew", "Datei der Registratur neu geschrieben";
    forget_step_store: "Store's file written anew", "Datei des Datenspeichers neu geschrieben";
    forget_step_live: "Live journal archived without it", "Laufendes Journal ohne ihn archiviert";
    forget_kept: "What stays: the number, who decided and when, the ids of its sites and agents, and hashes of the agents' keys, so that no agent of it is let in again.", "Was bleibt: die Nummer, wer es wann entschieden hat, die Kennungen seiner Standorte und Agenten und Prüfsummen der Agentenschlüssel, damit keiner seiner Agenten wieder eingelassen wird.";
    forget_reload: "Look again", "Noch einmal nachsehen";

    // Agents.
    agents_title: "Agents", "Agenten";
    agents_sub: "{n} agents", "{n} Agenten";
    agents_sub_one: "{n} agent", "{n} Agent";
    agents_site: "Site", "Standort";
    agents_heard: "Last heard", "Zuletzt gehört";
    agents_devices: "Devices", "Geräte";
    agents_new: "Add an agent", "Agent hinzufügen";
    agents_none: "No agent yet. An agent is the program at the customer's site that reads the printers.", "Noch kein Agent. Ein Agent ist das Programm beim Kunden, das die Drucker abfragt.";
    agents_token: "Enrol {agent}", "{agent} anmelden";
    agents_token_once: "Run this where the agent stands. It is shown this once and works once, until {until}: the agent draws a key of its own and exchanges the token for it.", "Führen Sie dies dort aus, wo der Agent steht. Es wird nur dieses eine Mal gezeigt und gilt einmal, bis {until}: Der Agent erzeugt einen eigenen Schlüssel und tauscht das Token dagegen.";
    agents_enrol: "Enrol again", "Neu anmelden";
    agents_enrol_hint: "Makes a one-time token for a new key: for a machine that was set up anew. The present key works until the token is used.", "Erzeugt ein Einmal-Token für einen neuen Schlüssel: für einen neu aufgesetzten Rechner. Der bisherige Schlüssel gilt, bis das Token benutzt wird.";
    agents_revoke: "Revoke key", "Schlüssel sperren";
    agents_revoke_hint: "The agent is let in no more, from its next delivery on. What it reads waits in its spool.", "Der Agent wird ab der nächsten Lieferung nicht mehr eingelassen. Was er abliest, wartet in seinem Spool.";
    agents_expires: "Token works for", "Token gilt";
    agents_expires_day: "1 day", "1 Tag";
    agents_expires_week: "7 days", "7 Tage";
    agents_expires_month: "30 days", "30 Tage";
    agents_key: "Key", "Schlüssel";
    agents_key_none: "without a key", "ohne Schlüssel";
    agents_key_open: "may enrol until {until}", "Anmeldung möglich bis {until}";
    agents_key_since: "since {date}", "seit {date}";
    agents_disabled: "disabled", "abgeschaltet";

    // Accounts.
    accounts_title: "Accounts", "Konten";
    accounts_new: "New account", "Neues Konto";
    accounts_login: "Login", "Anmeldename";
    accounts_role: "Role", "Rolle";
    accounts_branch: "May see", "Darf sehen";
    accounts_everything: "Everything", "Alles";
    accounts_last_login: "Last login", "Letzte Anmeldung";
    accounts_disabled: "disabled", "gesperrt";
    accounts_created: "Account created: {name}", "Konto angelegt: {name}";
    accounts_first_password: "First password", "Erstes Passwort";
    accounts_disable: "Disable", "Sperren";
    accounts_enable: "Enable", "Freigeben";
    accounts_changed: "Changed: {name}", "Geändert: {name}";
    role_admin: "administrator", "Administrator";
    role_staff: "staff", "Mitarbeiter";
    role_viewer: "reader", "Leser";
    role_erp: "ERP program", "ERP-Programm";

    // The own account.
    account_title: "My account", "Mein Konto";
    account_password: "Change the password", "Passwort ändern";
    account_password_old: "Current password", "Bisheriges Passwort";
    account_password_new: "New password", "Neues Passwort";
    account_password_again: "New password once more", "Neues Passwort wiederholen";
    account_password_hint: "At least {n} characters.", "Mindestens {n} Zeichen.";
    account_password_differs: "The two new passwords differ.", "Die beiden neuen Passwörter stimmen nicht überein.";
    account_password_wrong: "The current password is wrong.", "Das bisherige Passwort stimmt nicht.";
    account_password_changed: "The password is changed; other sessions are ended.", "Das Passwort ist geändert; andere Sitzungen sind beendet.";
    account_tokens: "API tokens", "API-Token";
    account_tokens_hint: "For programs: Authorization: Bearer TOKEN. A token may do what you may.", "Für Programme: Authorization: Bearer TOKEN. Ein Token darf, was Sie dürfen.";
    account_token_new: "Create a token", "Token anlegen";
    account_token_name: "What for", "Wofür";
    account_token_made: "The new token", "Das neue Token";
    account_token_once: "It is shown this once; only its hash is kept.", "Es wird nur dieses eine Mal gezeigt; hier bleibt nur sein Hash.";
    account_token_used: "Last used", "Zuletzt benutzt";
    account_token_created: "Created", "Angelegt";
    account_token_revoke: "Revoke", "Widerrufen";
    account_token_revoked: "The token is revoked.", "Das Token ist widerrufen.";
    account_api: "JSON API: {url} (its OpenAPI document)", "JSON-API: {url} (ihr OpenAPI-Dokument)";

    // Health.
    health_title: "Health", "Zustand";
    health_ok: "working", "arbeitet";
    health_bad: "not working", "arbeitet nicht";
    health_part: "Part", "Teil";
    health_state: "State", "Zustand";
    health_store: "Store", "Datenspeicher";
    health_registry: "Registry", "Registratur";
    health_journal: "Journal", "Journal";
    health_archive: "Archive", "Archiv";
    health_figures: "Figures", "Zahlen";
    health_silent_agents: "Silent agents", "Stumme Agenten";
    health_silent_devices: "Devices that are silent while their agent is fine", "Stumme Geräte, deren Agent arbeitet";
    health_quarantine: "Refused reports kept for inspection", "Abgelehnte Berichte zur Ansicht";
    health_passed_over: "Reports that could not be stored and were passed over", "Berichte, die sich nicht speichern ließen und übergangen wurden";
    health_caught_up: "All that came in is in the store", "Alles Eingegangene ist im Datenspeicher";
    health_uptime: "Running for", "Läuft seit";
    health_memory: "Memory in use", "Arbeitsspeicher";
    health_version: "Version", "Version";
    hindered_disk_full: "There is no room on the disk where the data are; agents keep what they have until there is.", "Auf dem Datenträger mit den Daten ist kein Platz mehr; die Agenten behalten, was sie haben, bis wieder Platz ist.";
    hindered_store_locked: "Another program has the store open.", "Ein anderes Programm hat den Datenspeicher geöffnet.";
    hindered_taking: "The journal cannot be written; agents keep what they have until it can.", "Das Journal lässt sich nicht schreiben; die Agenten behalten, was sie haben, bis es wieder geht.";
    hindered_applying: "What came in is safe in the journal, and cannot be stored yet; this is tried again and again.", "Eingegangenes liegt sicher im Journal und lässt sich noch nicht speichern; es wird immer wieder versucht.";
    hindered_ended: "What came in is safe in the journal, but is not stored any more: restart the manager.", "Eingegangenes liegt sicher im Journal, wird aber nicht mehr gespeichert: Starten Sie den Manager neu.";
    hindered_archiving: "Parts of the journal cannot be archived; they stay as they are and take room on the disk.", "Teile des Journals lassen sich nicht archivieren; sie bleiben, wie sie sind, und belegen Platz auf dem Datenträger.";
    hindered_reading: "Archived reports of customers who are not forgotten cannot be read: put their keys back from a backup.", "Archivierte Berichte von Kunden, die nicht vergessen sind, lassen sich nicht lesen: Spielen Sie deren Schlüssel aus einer Sicherung zurück.";
    hindered_stopping: "The manager is stopping.", "Der Manager wird beendet.";
    waiting_title: "The manager cannot begin yet", "Der Manager kann noch nicht beginnen";
    waiting_hint: "It goes on by itself as soon as it can, and so does this page.", "Er macht von selbst weiter, sobald er kann; diese Seite auch.";
    health_metrics: "All figures for a monitoring system: {url}", "Alle Zahlen für ein Überwachungssystem: {url}";

    // Audit and settings.
    audit_title: "Audit", "Protokoll";
    audit_sub: "who did what", "wer hat was getan";
    audit_at: "Time", "Zeit";
    audit_who: "Who", "Wer";
    audit_action: "What", "Was";
    audit_subject: "To what", "Woran";
    audit_detail: "Detail", "Näheres";
    audit_session_begin: "logged in", "angemeldet";
    audit_account_password: "changed the password", "Passwort geändert";
    audit_account_create: "created an account", "Konto angelegt";
    audit_account_change: "changed an account", "Konto geändert";
    audit_tenant_create: "created a customer or site", "Kunde oder Standort angelegt";
    audit_agent_add: "added an agent", "Agent hinzugefügt";
    audit_agent_token: "renewed an agent's token", "Token eines Agenten erneuert";
    audit_agent_invite: "made an enrolment token", "Anmelde-Token erzeugt";
    audit_agent_enrol: "enrolled", "Agent angemeldet";
    audit_agent_enrol_refused: "was refused enrolment", "Anmeldung abgelehnt";
    audit_agent_key: "registered its next key", "Nächsten Schlüssel hinterlegt";
    audit_agent_revoke: "revoked an agent's key", "Schlüssel eines Agenten gesperrt";
    audit_token_create: "created an API token", "API-Token angelegt";
    audit_device_merge: "joined two records", "Einträge zusammengeführt";
    audit_device_split: "told a device apart", "Gerät getrennt";
    audit_customer_forget: "forgot a customer", "Kunde vergessen";
    audit_device_undo: "took a decision back", "Entscheidung zurückgenommen";
    audit_token_revoke: "revoked an API token", "API-Token widerrufen";
    settings_title: "Settings", "Einstellungen";
    settings_sub: "as this manager runs now", "wie dieser Manager gerade läuft";
    settings_key: "Setting", "Einstellung";
    settings_value: "Value", "Wert";
    settings_file: "From the configuration file", "Aus der Konfigurationsdatei";
    settings_built_in: "Built in", "Fest eingebaut";
    settings_none: "none", "keine";
    settings_low_value: "{p} % or less", "ab {p} % und darunter";
    settings_public_url: "Public address", "Öffentliche Adresse";
    settings_cookies: "Cookies over TLS only", "Cookies nur über TLS";
    settings_proxies: "Trusted proxies", "Vertrauenswürdige Proxys";
    settings_metrics: "Who may read /metrics", "Wer /metrics lesen darf";
    settings_metrics_loopback: "this machine", "dieser Rechner";
    settings_metrics_everybody: "everybody", "alle";
    settings_metrics_token: "whoever has the token", "wer das Token hat";
    settings_silence_agent: "An agent raises an alert after so many of its own intervals", "Ein Agent wird gemeldet nach so vielen eigenen Abständen";
    settings_silence_device: "A device raises an alert after so many of its own intervals", "Ein Gerät wird gemeldet nach so vielen eigenen Abständen";
    settings_silence_value: "{n}, at least {floor}; {first} until they are known", "{n}, mindestens {floor}; {first}, bis sie bekannt sind";
    settings_silent: "A device is silent after", "Ein Gerät ist stumm nach";
    settings_low: "A supply is low at", "Material ist knapp";
    settings_report_max: "Largest report", "Größter Bericht";
    settings_sessions: "Open sessions end after", "Sitzungen enden nach";
}
