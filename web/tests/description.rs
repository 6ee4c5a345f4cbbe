//! The OpenAPI document against what is served: every route, every method, every field.

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::{Answer, PASSWORD, ask, client, house_with, post, strings};

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
                let answers = &method["responses"];
                assert!(
                    answers["503"]["headers"]["Retry-After"].is_object(),
                    "{path}"
                );
                let has_body = method.get("requestBody").is_some();
                for status in ["408", "413"] {
                    assert_eq!(answers.get(status).is_some(), has_body, "{status} {path}");
                }
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
