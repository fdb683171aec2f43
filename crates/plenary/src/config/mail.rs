//! `[mail]`: invitations to the guests of reservations.

use anyhow::bail;
use plenary_model::is_mail;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, path::PathBuf};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MailSecurity {
    /// It begins without TLS and goes over to it before anything is said (RFC 3207).
    #[default]
    StartTls,
    /// TLS from the start (RFC 8314).
    Tls,
    /// None: for a server on the same machine.
    None,
}

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MailConfig {
    /// The mail server that takes mails for all addresses. Empty: no mails are sent.
    pub(crate) host: String,
    /// Its port; 0: the usual one: 587 with STARTTLS, 465 with TLS, 25 without.
    pub(crate) port: u16,
    /// How the connection is protected.
    pub(crate) security: MailSecurity,
    /// The user by which the server knows us. Empty: it asks for none.
    pub(crate) user: String,
    /// File with that user's password.
    pub(crate) password_file: Option<PathBuf>,
    /// The address that mails come from.
    pub(crate) from: String,
    /// The telephone number by which rooms are reached, as guests are told. Empty: they are told none.
    pub(crate) number: String,
    /// The page by which guests join in a browser; `{code}` stands for the code of a guest's link, `{conference}` for the name. Empty: they
    /// are told none.
    pub(crate) join: String,
}

impl MailConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !self.is_on() {
            return Ok(());
        }
        if !is_mail(&self.from) {
            bail!(
                "[mail] from is `{}`: name the address that mails come from, as in \"conferences@example.com\"",
                self.from
            );
        }
        if self.user.is_empty() != self.password_file.is_none() {
            bail!("[mail] user and password_file belong together: name both or neither");
        }
        if self.security == MailSecurity::None && !self.user.is_empty() && !self.is_local() {
            bail!(
                "[mail] security = \"none\" would send the password of `user` readable: use \"starttls\" or \"tls\""
            );
        }
        Ok(())
    }

    /// Mails are sent.
    pub(crate) fn is_on(&self) -> bool {
        !self.host.is_empty()
    }

    pub(crate) fn port(&self) -> u16 {
        match (self.port, self.security) {
            (0, MailSecurity::StartTls) => 587,
            (0, MailSecurity::Tls) => 465,
            (0, MailSecurity::None) => 25,
            (port, _) => port,
        }
    }

    fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// What guests are told of how they join.
    pub(crate) fn invitations(&self) -> plenary_api::Invitations {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        plenary_api::Invitations {
            mail_from: self.is_on().then(|| self.from.clone()),
            number: given(&self.number),
            join: given(&self.join),
        }
    }
}
