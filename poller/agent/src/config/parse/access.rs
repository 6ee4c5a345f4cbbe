//! `[[credentials]]`, `[[range]]` and `[traps]`: what is asked, and how; who may tell.

use std::net::SocketAddr;
use std::ops::Range;

use poller::credentials::{Credential, Version};
use poller::engine::Transport;
use poller::usm::{AuthProtocol, PrivProtocol, User};
use toml::Spanned;

use super::{Reader, Result};
use crate::config::ranges::{RangeError, RangeFile};
use crate::config::secret::Secret;
use crate::config::{RangeConfig, RangeEntry, TrapsConfig, ranges, raw};
use crate::upload::Chain;

/// Two threads listen on each address.
const LISTEN_MAX: usize = 8;
/// The longest community, user or context name that a message is made with: that of an SnmpAdminString (RFC 3411).
const NAME_BYTES_MAX: usize = 255;
/// The shortest password that SNMPv3 takes (RFC 3414, 11.2).
const PASSWORD_BYTES_MIN: usize = 8;

impl Reader<'_> {
    /// All credentials, in the order in which they stand in the file (without any: the usual ones), and the users among them.
    pub(super) fn credentials(
        &self,
        all: &[Spanned<raw::Credentials>],
    ) -> Result<(Vec<Credential>, Vec<User>)> {
        let mut in_order: Vec<Credential> = Vec::with_capacity(all.len());
        let mut users = Vec::new();
        for one in all {
            let name = &one.get_ref().name;
            let credential = self.credential(one)?;
            if credential.version() == Version::V3 {
                users.push(self.user(&one.span(), one.get_ref())?);
            }
            if in_order.iter().any(|one| one.label == credential.label) {
                return Err(self.text.error(
                    &name.span(),
                    "another entry of `credentials` has this name",
                    "a name that is used once",
                ));
            }
            in_order.push(credential);
        }
        if in_order.is_empty() {
            in_order = vec![
                Credential::v2c("public", b"public"),
                Credential::v1("public-v1", b"public"),
            ];
        }
        Ok((in_order, users))
    }

    pub(super) fn credential(&self, credentials: &Spanned<raw::Credentials>) -> Result<Credential> {
        let (span, raw) = (credentials.span(), credentials.get_ref());
        // Lists name it, and in a list blanks around a name are none of it.
        let name = raw.name.get_ref().trim();
        if name.is_empty() || name.contains(|c: char| c.is_control()) {
            return Err(self
                .text
                .error(&raw.name.span(), "no name", "one line of printable text"));
        }
        match raw.version.get_ref().as_str() {
            version @ ("1" | "2c") => {
                if let Some(extra) = [&raw.user, &raw.authentication, &raw.privacy, &raw.context]
                    .into_iter()
                    .flatten()
                    .next()
                {
                    return Err(self.text.error(
                        &extra.span(),
                        format!("SNMP version {version} has no users"),
                        "`community` alone, or `version = \"3\"`",
                    ));
                }
                let community = raw.community.as_ref().ok_or_else(|| {
                    self.text.error(
                        &span,
                        format!("SNMP version {version} needs a community"),
                        "`community = \"…\"`",
                    )
                })?;
                let place = community.span();
                let community = community.get_ref().reveal().as_bytes();
                self.no_longer_than(community, place)?;
                Ok(if version == "1" {
                    Credential::v1(name, community)
                } else {
                    Credential::v2c(name, community)
                })
            }
            "3" => Ok(Credential::v3(name, self.user(&span, raw)?)),
            _ => Err(self.text.error(
                &raw.version.span(),
                "not a version of SNMP",
                "\"1\", \"2c\" or \"3\"",
            )),
        }
    }

    pub(super) fn user(&self, span: &Range<usize>, raw: &raw::Credentials) -> Result<User> {
        let user = raw.user.as_ref().ok_or_else(|| {
            self.text
                .error(span, "SNMP version 3 needs a user", "`user = \"…\"`")
        })?;
        for name in [Some(user), raw.context.as_ref()].into_iter().flatten() {
            self.no_longer_than(name.get_ref().as_bytes(), name.span())?;
        }
        if let Some(community) = &raw.community {
            return Err(self.text.error(
                &community.span(),
                "SNMP version 3 has no community",
                "`user`, `authentication` and `privacy`",
            ));
        }
        let auth = self.pair(
            "authentication",
            &raw.authentication,
            &raw.authentication_password,
            &[
                ("md5", AuthProtocol::Md5),
                ("sha1", AuthProtocol::Sha1),
                ("sha224", AuthProtocol::Sha224),
                ("sha256", AuthProtocol::Sha256),
                ("sha384", AuthProtocol::Sha384),
                ("sha512", AuthProtocol::Sha512),
            ],
        )?;
        let privacy = self.pair(
            "privacy",
            &raw.privacy,
            &raw.privacy_password,
            &[
                ("des", PrivProtocol::Des),
                ("aes128", PrivProtocol::Aes128),
                ("aes192", PrivProtocol::Aes192),
                ("aes256", PrivProtocol::Aes256),
                ("aes192-reeder", PrivProtocol::Aes192Reeder),
                ("aes256-reeder", PrivProtocol::Aes256Reeder),
            ],
        )?;
        if let (None, Some(_), Some(text)) = (&auth, &privacy, &raw.privacy) {
            return Err(self.text.error(
                &text.span(),
                "privacy needs authentication",
                "`authentication` and `authentication_password` as well",
            ));
        }
        Ok(User {
            name: user.get_ref().clone(),
            auth,
            privacy,
            contexts: raw
                .context
                .iter()
                .map(|context| context.get_ref().clone())
                .collect(),
        })
    }

    fn no_longer_than(&self, name: &[u8], span: Range<usize>) -> Result<()> {
        if name.len() <= NAME_BYTES_MAX {
            return Ok(());
        }
        let accepted = format!("at most {NAME_BYTES_MAX} bytes");
        Err(self
            .text
            .error(&span, "too long for a message of SNMP", accepted))
    }

    /// A protocol with its password: both or neither, and at least the eight characters that RFC 3414 asks for.
    pub(super) fn pair<T: Copy>(
        &self,
        what: &str,
        protocol: &Option<Spanned<String>>,
        password: &Option<Spanned<Secret>>,
        words: &[(&str, T)],
    ) -> Result<Option<(T, String)>> {
        match (protocol, password) {
            (None, None) => Ok(None),
            (Some(text), Some(password)) => {
                let protocol = self.chosen(text, words)?;
                if password.get_ref().reveal().len() < PASSWORD_BYTES_MIN {
                    return Err(self.text.error(
                        &password.span(),
                        "the password is too short for SNMPv3",
                        "at least 8 characters",
                    ));
                }
                Ok(Some((protocol, password.get_ref().reveal().to_owned())))
            }
            (one, other) => {
                let span = one
                    .as_ref()
                    .map(Spanned::span)
                    .or(other.as_ref().map(Spanned::span))
                    .unwrap_or_default();
                Err(self.text.error(
                    &span,
                    format!("{what} is both a protocol and a password"),
                    format!("`{what}` and `{what}_password` together"),
                ))
            }
        }
    }

    /// The range, and one more for each access of their own that lines of its file have.
    pub(super) fn range(
        &self,
        range: &Spanned<raw::Range>,
        credentials: &[Credential],
    ) -> Result<Vec<RangeConfig>> {
        let raw = range.get_ref();
        let chosen = match &raw.credentials {
            None => credentials.to_vec(),
            Some(names) => names
                .get_ref()
                .iter()
                .map(|name| {
                    let named = credentials
                        .iter()
                        .find(|one| *one.label == *name.get_ref().trim());
                    named.cloned().ok_or_else(|| {
                        let known: Vec<_> = credentials.iter().map(|one| &*one.label).collect();
                        self.text.error(
                            &name.span(),
                            "there are no credentials of this name",
                            format!("the name of a [[credentials]] entry: {}", known.join(", ")),
                        )
                    })
                })
                .collect::<Result<_>>()?,
        };
        let own = RangeConfig {
            name: raw.name.get_ref().clone(),
            include: self.entries(&raw.include, RangeEntry::parse)?,
            exclude: self.entries(&raw.exclude, RangeEntry::parse_excluded)?,
            transport: self.word(
                &raw.transport,
                Transport::Udp,
                &[("udp", Transport::Udp), ("tcp", Transport::Tcp)],
            )?,
            credentials: chosen,
            file: None,
        };
        let Some(file) = &raw.include_file else {
            if own.include.is_empty() {
                return Err(self.text.error(
                    &range.span(),
                    "the range is empty",
                    "at least one entry in `include` or `include_file`",
                ));
            }
            return Ok(vec![own]);
        };
        let list = RangeFile::new(self.path(file), own, credentials.to_vec());
        list.read().map_err(|error| {
            self.text.error(
                &file.span(),
                Chain(&error).to_string(),
                "a CSV file with a range in the first column of each line, or in one that is called \"address\"",
            )
        })
    }

    pub(super) fn traps(&self, raw: &raw::Traps, users: Vec<User>) -> Result<TrapsConfig> {
        let listen = raw.listen.as_ref().map_or(&[][..], |all| all.get_ref());
        let listen = listen
            .iter()
            .map(|text| {
                text.get_ref().parse().map_err(|_| {
                    self.text.error(
                        &text.span(),
                        "not an address to listen on",
                        "ADDRESS:PORT such as \"0.0.0.0:162\" or \"[::]:162\"",
                    )
                })
            })
            .collect::<Result<Vec<SocketAddr>>>()?;
        if listen.len() > LISTEN_MAX {
            return Err(self.text.error(
                &raw.listen.as_ref().map(Spanned::span).unwrap_or_default(),
                "too many addresses",
                format!("at most {LISTEN_MAX}"),
            ));
        }
        let communities = raw.communities.as_ref();
        let communities = communities.map_or(&[][..], |all| all.get_ref());
        Ok(TrapsConfig {
            listen,
            communities: communities
                .iter()
                .map(|one| one.get_ref().clone())
                .collect(),
            users,
        })
    }

    pub(super) fn entries(
        &self,
        texts: &Option<Spanned<Vec<Spanned<String>>>>,
        parse: fn(&str) -> std::result::Result<RangeEntry, RangeError>,
    ) -> Result<Vec<RangeEntry>> {
        let texts = texts.as_ref().map_or(&[][..], |texts| texts.get_ref());
        let entries = texts.iter().map(|text| {
            parse(text.get_ref()).map_err(|error| {
                self.text
                    .error(&text.span(), error.to_string(), ranges::RANGE_FORM)
            })
        });
        entries.collect()
    }
}
