//! Why a request was not answered as asked. Pages show it as a page, the API as a problem document; the cause goes to the log.

use std::fmt::Display;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use olap::StoreError;

use crate::metrics::Reason;

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing there, or not for this asker: the same answer for both.
    NotFound,
    /// The account's role does not allow it.
    Forbidden,
    /// A login is needed first.
    Login,
    /// The form's token was wrong or missing.
    Csrf,
    /// What was sent makes no sense; the sentence says what and where.
    Invalid(String),
    /// It collides with what is there; the sentence says with what.
    Conflict(String),
    /// Too many attempts, or too much at once.
    Wait {
        /// 429 when it is the asker's doing, 503 when it is ours.
        status: StatusCode,
        /// Seconds until it makes sense to come again.
        retry_after_s: u64,
    },
    /// The address does not take that method.
    Method,
    /// The body is larger than allowed.
    TooLarge,
    /// A fault of ours; the log has the cause under this number.
    Internal(String),
}

impl Failure {
    /// A fault of ours: logs it, and keeps the number it was logged under.
    pub(crate) fn internal(cause: impl Display) -> Self {
        let mut bytes = [0; 4];
        // Without random bytes the number is 0: the log line is there all the same.
        let _ = getrandom::fill(&mut bytes);
        let number = data_encoding::HEXLOWER.encode(&bytes);
        tracing::error!(number, cause = %cause, "a request failed inside");
        Self::Internal(number)
    }

    /// The busy answer.
    pub(crate) const fn busy() -> Self {
        Self::Wait {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after_s: 2,
        }
    }

    /// The status it is answered with.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::Csrf => StatusCode::FORBIDDEN,
            Self::Login => StatusCode::UNAUTHORIZED,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Wait { status, .. } => *status,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A stable word for metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Forbidden => "forbidden",
            Self::Login => "login",
            Self::Csrf => "csrf",
            Self::Invalid(_) => "invalid",
            Self::Conflict(_) => "conflict",
            Self::Wait { status, .. } => match status.as_u16() {
                408 => "slow-body",
                429 => "throttled",
                _ => "busy",
            },
            Self::Method => "method",
            Self::TooLarge => "too-large",
            Self::Internal(_) => "internal",
        }
    }

    /// Adds what a client must know beside the status, and what the metrics do.
    pub(crate) fn headers(&self, response: &mut Response) {
        response.extensions_mut().insert(Reason(self.word().into()));
        if let Self::Wait { retry_after_s, .. } = self {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
        }
    }
}

/// A page's failure leaves as a bare status with the failure beside it; the pages' outermost layer, which knows the asker's language,
/// writes the page.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        self.headers(&mut response);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<registry::Error> for Failure {
    fn from(error: registry::Error) -> Self {
        match error {
            registry::Error::NotFound { .. } => Self::NotFound,
            registry::Error::Taken { .. } => Self::Conflict(error.to_string()),
            error if error.is_callers_fault() => Self::Invalid(error.to_string()),
            error => Self::internal(chain(&error)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor(error) => Self::Invalid(error.to_string()),
            error if error.is_transient() => Self::busy(),
            error => Self::internal(chain(&error)),
        }
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::internal(error)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
