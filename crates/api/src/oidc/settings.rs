//! A provider as it is configured.

use plenary_model::Role;
use std::fmt;

/// A provider by which people sign in, as it is configured.
#[derive(Clone)]
pub struct OidcSettings {
    /// What the button says.
    pub name: String,
    /// The provider, exactly as it names itself. https, or http on this machine.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// The secret that goes with it; `None`: there is none, and PKCE alone protects the code.
    pub client_secret: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that names a person's groups; with dots, a path into nested ones.
    pub groups_claim: String,
    /// What groups give, the first that applies to an account first.
    pub rules: Vec<OidcRule>,
    /// Its mail addresses count as verified where it does not say so.
    pub trusts_mail: bool,
    /// People may sign in by passwords too.
    pub allows_passwords: bool,
    /// How the network reaches [`CALLBACK`](super::CALLBACK).
    pub redirect_uri: String,
}

/// What a group gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcRule {
    /// The group, as the provider writes it.
    pub group: String,
    /// What those in it get.
    pub gives: OidcGrant,
}

/// What those in a group get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OidcGrant {
    /// A role in an account.
    Role {
        /// The account's login.
        account: String,
        /// The role.
        role: Role,
    },
    /// They operate the installation.
    Operator,
}

impl fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcSettings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
