//! The OpenAPI document: made from the handlers' own descriptions, readable without a login, complete (a test compares it with the routes).

use axum::Json;
use axum::extract::State as Held;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi as Document, ServerBuilder};
use utoipa::{Modify, OpenApi};

use super::words::shapes;
use super::{Problem, agents, decisions, devices, readings, tenants};
use crate::state::State;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Platen",
        description = "Devices, meters and readings of a printer fleet. Every answer holds only what the account may see."
    ),
    paths(
        devices::list, devices::one, decisions::list, decisions::create, decisions::undo, readings::of_device, readings::list, tenants::list, tenants::create,
        agents::list, agents::create, show
    ),
    components(schemas(
        Problem, shapes::IdentityWords, shapes::StatusWords, shapes::LevelWords, shapes::SupplyWords, shapes::TrayWords,
        shapes::PartWords, shapes::LevelsWords, shapes::LowestWords, shapes::BilledWords, shapes::AlertCountWords
    )),
    modifiers(&Access)
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
