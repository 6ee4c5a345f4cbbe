//! The OpenAPI document: made from the handlers' own descriptions, readable without a login, complete (a test compares it with the routes).

use axum::Json;
use axum::extract::State as Held;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, OpenApi as Document, Ref, ResponseBuilder,
    ServerBuilder,
};
use utoipa::{Modify, OpenApi};

use super::words::shapes;
use super::{Problem, agents, decisions, devices, forget, readings, silences, tenants};
use crate::state::State;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Platen",
        description = "Devices, meters and readings of a printer fleet. Every answer holds only what the account may see."
    ),
    paths(
        devices::list, devices::one, decisions::list, decisions::create, decisions::undo, silences::list, readings::of_device, readings::list, tenants::list, tenants::create, forget::look, forget::create,
        agents::list, agents::create, agents::revoke, agents::enrol, show
    ),
    components(schemas(
        Problem, shapes::IdentityWords, shapes::StatusWords, shapes::LevelWords, shapes::SupplyWords, shapes::TrayWords,
        shapes::PartWords, shapes::LevelsWords, shapes::LowestWords, shapes::BilledWords, shapes::AlertCountWords
    )),
    modifiers(&Access, &Bounds)
)]
struct Description;

/// The three ways to show who calls.
struct Access;

impl Modify for Access {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let schemes = [
            (
                "token",
                SecurityScheme::Http(
                    HttpBuilder::new()
                        .scheme(HttpAuthScheme::Bearer)
                        .description(Some("An API token of an account"))
                        .build(),
                ),
            ),
            (
                "basic",
                SecurityScheme::Http(
                    HttpBuilder::new()
                        .scheme(HttpAuthScheme::Basic)
                        .description(Some("An account's login and password"))
                        .build(),
                ),
            ),
            (
                "session",
                SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("platen_session"))),
            ),
        ];
        for (name, scheme) in schemes {
            components.add_security_scheme(name, scheme);
        }
        document.security = Some(
            ["token", "basic", "session"]
                .map(|name| SecurityRequirement::new(name, Vec::<String>::new()))
                .to_vec(),
        );
    }
}

/// What every address may answer when it is too much or too slow.
struct Bounds;

impl Modify for Bounds {
    fn modify(&self, document: &mut Document) {
        let content = || {
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build()
        };
        let answer = |description: &str| {
            ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content())
        };
        let retry_after = || {
            HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
                .description(Some("Seconds until it makes sense to come again"))
                .build()
        };
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                let answers = &mut operation.responses.responses;
                let busy = answer("Too much at once: come again after Retry-After")
                    .header("Retry-After", retry_after());
                answers.insert("503".to_owned(), busy.build().into());
                if operation.request_body.is_some() {
                    let slow = answer("The body came too slowly");
                    answers.insert("408".to_owned(), slow.build().into());
                    let large = answer("The body is larger than 64 kB");
                    answers.insert("413".to_owned(), large.build().into());
                }
            }
        }
    }
}

/// The document, with this manager's address in it.
pub(crate) fn document(public_url: &str) -> Document {
    let mut document = Description::openapi();
    document.servers = Some(vec![ServerBuilder::new().url(public_url).build()]);
    document
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "description", security(()), responses(
    (status = 200, description = "An OpenAPI document", body = Object)
))]
pub(crate) async fn show(Held(state): Held<State>) -> Json<Document> {
    Json(document(&state.config.public_url))
}
