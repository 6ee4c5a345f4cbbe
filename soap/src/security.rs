//! Who is asking: whom HTTP showed already, or else the message's own `wsse:UsernameToken` with a PasswordText.

use registry::{Account, LoginError};

use crate::envelope::WSSE;
use crate::fault::{Code, Fault};
use crate::xml::Element;
use crate::{Service, SoapRequest};

/// How the type of a password in clear ends; without a type, it is that.
const PASSWORD_TEXT: &str = "#PasswordText";

impl Service {
    /// The account that asks.
    pub(crate) fn authenticate(
        &self,
        request: &SoapRequest<'_>,
        security: Option<&Element>,
    ) -> Result<Account, Fault> {
        if let Some(account) = &request.account {
            return Ok(account.clone());
        }
        let refused = |text: &str| Fault::new(Code::NotAuthenticated, text);
        let token = security
            .and_then(|security| security.child(WSSE, "UsernameToken"))
            .ok_or_else(|| {
                refused(
                    "who is asking? Send HTTP Basic, or a wsse:UsernameToken with a PasswordText",
                )
            })?;
        let login = token
            .child(WSSE, "Username")
            .ok_or_else(|| refused("the UsernameToken has no Username"))?;
        let password = token
            .child(WSSE, "Password")
            .ok_or_else(|| refused("the UsernameToken has no Password"))?;
        let is_text = password
            .attribute("", "Type")
            .is_none_or(|kind| kind.trim().ends_with(PASSWORD_TEXT));
        if !is_text {
            return Err(refused(
                "the UsernameToken's Password must be of the type PasswordText: no digest can be checked",
            ));
        }
        self.inner
            .registry
            .verify_password(
                login.text.trim(),
                &password.text,
                request.address,
                request.now,
            )
            .map_err(|error| match error {
                LoginError::Refused => refused("login or password is wrong"),
                LoginError::Throttled { retry_after_s } => {
                    Fault::new(Code::Throttled, error.to_string()).with_retry_after(retry_after_s)
                }
                LoginError::Failed(error) => Fault::internal(&error),
            })
    }
}
