//! `/soap/v1`: HTTP in front of [`soap::Service`]. The WSDL is readable without a login; answers carry `Content-Length`.

use axum::body::Bytes;
use axum::extract::{RawQuery, Request, State as Held};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use soap::{SoapRequest, SoapResponse};

use crate::api::caller::by_header;
use crate::failure::Failure;
use crate::state::State;
use crate::visit::recognise;

/// `GET /soap/v1?wsdl`, in whatever capitals; without the query it leads there.
pub(crate) async fn wsdl(Held(state): Held<State>, RawQuery(query): RawQuery) -> Response {
    let asked = query.is_some_and(|query| query.to_ascii_lowercase().starts_with("wsdl"));
    if !asked {
        return axum::response::Redirect::to("/soap/v1?wsdl").into_response();
    }
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/xml; charset=utf-8"),
        )],
        state.soap.wsdl().to_owned(),
    )
        .into_response()
}

/// `POST /soap/v1`. Who sends HTTP Basic or a token is known by it; else the message's own UsernameToken counts.
pub(crate) async fn call(Held(state): Held<State>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, soap::REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(_) => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n").into_response();
        }
    };
    // No session here: a browser must not be led to call an ERP's interface with somebody's cookie.
    let mut headers = head.headers.clone();
    headers.remove(header::COOKIE);
    let visit = match recognise(&state, &headers, &head.extensions, &head.uri).await {
        Ok((visit, _)) => visit,
        Err(failure) => return plain(&failure),
    };
    let account = match by_header(&state, &headers, &visit).await {
        Ok(account) => account,
        Err(failure) => return plain(&failure),
    };
    let answered = state
        .blocking(move |parts| {
            Ok(parts.soap.handle(&SoapRequest {
                content_type: text(&headers, header::CONTENT_TYPE.as_str()),
                soap_action: text(&headers, "soapaction"),
                body: &body,
                account,
                address: visit.client,
                now: visit.now,
            }))
        })
        .await;
    match answered {
        Ok(answer) => response(answer),
        Err(failure) => plain(&failure),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn response(answer: SoapResponse) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (
        status,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static(answer.content_type),
        )],
        Bytes::from(answer.body),
    )
        .into_response();
    if status == StatusCode::UNAUTHORIZED {
        ask_for_login(&mut response);
    }
    if let Some(seconds) = answer.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn plain(failure: &Failure) -> Response {
    let mut response = (failure.status(), format!("{}\n", failure.status())).into_response();
    failure.headers(&mut response);
    if failure.status() == StatusCode::UNAUTHORIZED {
        ask_for_login(&mut response);
    }
    response
}

fn ask_for_login(response: &mut Response) {
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(r#"Basic realm="Platen", charset="UTF-8""#),
    );
}
