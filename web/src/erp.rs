//! `/soap/v1`: HTTP in front of [`soap::Service`]. The WSDL is readable without a login; answers carry `Content-Length`.

use axum::body::Bytes;
use axum::extract::{RawQuery, Request, State as Held};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use soap::{SoapRequest, SoapResponse};

use crate::api::caller::by_header;
use crate::failure::Failure;
use crate::limits::{BODY_TIMEOUT, REQUEST_TIMEOUT};
use crate::router::in_turn;
use crate::router::intake::{self, Room};
use crate::state::State;
use crate::visit::recognise;

/// What a caller is told who compressed the request: SOAP 1.1 and the WSDL know no such thing.
const ENCODED: &str = "Content-Encoding is not taken here: send the envelope uncompressed\n";

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

/// `POST /soap/v1`. Who sends HTTP Basic or a token is known by it, before the body is read; else the message's own UsernameToken counts.
pub(crate) async fn call(state: &State, bodies: &Room, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Some(encoding) = head.headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, ENCODED).into_response();
    }
    // No session here: a browser must not be led to call an ERP's interface with somebody's cookie.
    let mut headers = head.headers.clone();
    headers.remove(header::COOKIE);
    let known = async {
        let (visit, _) = recognise(state, &headers, &head.extensions, &head.uri).await?;
        let account = by_header(state, &headers, &visit).await?;
        Ok((visit, account))
    };
    let (visit, account) = match tokio::time::timeout(REQUEST_TIMEOUT, known).await {
        Ok(Ok(known)) => known,
        Ok(Err(failure)) => return plain(&failure),
        Err(_) => return plain(&Failure::busy()),
    };
    let body = match intake::read(bodies, &headers, body, soap::REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(failure) => return plain(&failure),
    };
    let handled = state.blocking(move |parts| {
        Ok(parts.soap.handle(&SoapRequest {
            content_type: text(&headers, header::CONTENT_TYPE.as_str()),
            soap_action: text(&headers, "soapaction"),
            body: &body.bytes,
            account,
            address: visit.client,
            now: visit.now,
        }))
    });
    match in_turn(state, handled).await {
        Ok(Ok(answer)) => response(answer),
        Ok(Err(failure)) | Err(failure) => plain(&failure),
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
    let status = failure.status();
    let sentence = match failure {
        Failure::Login => "login and password are not right".to_owned(),
        Failure::TooLarge => format!("a request may have {} bytes", soap::REQUEST_BYTES_MAX),
        Failure::Wait { .. } if status == StatusCode::REQUEST_TIMEOUT => format!(
            "a request must arrive within {} seconds",
            BODY_TIMEOUT.as_secs()
        ),
        Failure::Wait { retry_after_s, .. } => format!("come again in {retry_after_s} seconds"),
        Failure::Internal(number) => format!("{status}: the manager's log has more under {number}"),
        _ => status.to_string(),
    };
    let mut response = (status, format!("{sentence}\n")).into_response();
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
