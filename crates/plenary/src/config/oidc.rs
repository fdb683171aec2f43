//! `[web.oidc]`: people who sign in at an OpenID Connect provider.

use anyhow::{Context, anyhow, bail};
use plenary_api::{OIDC_CALLBACK, OidcGrant, OidcRule, OidcSettings, is_loopback};
use plenary_model::{PERSON_ROLES_MAX, Role};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Characters of the name on the button at the most.
const NAME_CHARS_MAX: usize = 60;

/// `[web.oidc]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OidcConfig {
    /// What the button on the page for signing in says.
    pub(crate) name: String,
    /// The provider, exactly as it names itself. Empty: there is none, and people sign in by passwords.
    pub(crate) issuer: String,
    /// Who we are to it.
    pub(crate) client_id: String,
    /// File with the secret that goes with it. None: there is none.
    pub(crate) client_secret_file: Option<PathBuf>,
    /// What is asked for beside `openid`.
    pub(crate) scopes: Vec<String>,
    /// The claim that names a person's groups.
    pub(crate) groups_claim: String,
    /// What groups give.
    pub(crate) rules: Vec<Rule>,
    /// Mail addresses count as verified where the provider does not say whether they are.
    pub(crate) trust_mail: bool,
    /// People may sign in by passwords too.
    pub(crate) passwords: bool,
}

/// What a group gives: a role in an account, or the whole installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// The group, as the provider writes it.
    pub(crate) group: String,
    /// The account's login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// The role there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    /// They operate the installation.
    #[serde(default)]
    pub(crate) operator: bool,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            name: "Single sign-on".to_owned(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: None,
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            groups_claim: "groups".to_owned(),
            rules: Vec::new(),
            trust_mail: false,
            passwords: true,
        }
    }
}

impl Rule {
    fn rule(&self, number: usize) -> anyhow::Result<OidcRule> {
        let what = format!("[web.oidc] rules, number {number}");
        if self.group.is_empty() {
            bail!("{what}: group is empty: name a group as the provider writes it");
        }
        let gives = match (&self.account, &self.role, self.operator) {
            (None, None, true) => OidcGrant::Operator,
            (Some(account), Some(role), false) => {
                if !account.split_once('/').is_some_and(|(cloud, user)| !cloud.is_empty() && !user.is_empty())
                {
                    bail!(
                        "{what}: account is `{account}`: name its login, as in \"1-2-0/bob@example.com\" \
                         (`plenary account list` shows them)"
                    );
                }
                let role: Role = role.parse().map_err(|error| anyhow!("{what}: role: {error}"))?;
                OidcGrant::Role { account: account.clone(), role }
            }
            _ => bail!(
                "{what}: a rule has either `account` and `role`, as in {{ group = \"staff\", account = \
                 \"1-2-0/bob@example.com\", role = \"organiser\" }}, or `operator = true`"
            ),
        };
        Ok(OidcRule { group: self.group.clone(), gives })
    }
}

impl OidcConfig {
    /// A provider is configured.
    pub(crate) fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    pub(super) fn check(&self, public_url: &str) -> anyhow::Result<()> {
        if !self.is_on() {
            if !self.passwords {
                bail!(
                    "[web.oidc] passwords = false without `issuer` would leave nobody a way to sign in: name a provider"
                );
            }
            if !self.client_id.is_empty() || !self.rules.is_empty() {
                bail!("[web.oidc] client_id and rules are of no use without `issuer`: name the provider");
            }
            return Ok(());
        }
        check_url("issuer", &self.issuer, "https://id.example.com/realms/staff")?;
        if self.issuer.contains(['?', '#']) {
            bail!("[web.oidc] issuer is `{}`: it has neither `?` nor `#`", self.issuer);
        }
        if self.client_id.is_empty() {
            bail!("[web.oidc] client_id is empty: name the client as the provider knows it");
        }
        let chars = self.name.chars().count();
        if !(1..=NAME_CHARS_MAX).contains(&chars) || self.name.contains(char::is_control) {
            bail!(
                "[web.oidc] name is `{}`: 1 to {NAME_CHARS_MAX} characters, none of them a control character",
                self.name
            );
        }
        // What RFC 6749, section 3.3, allows.
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
        };
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            bail!("[web.oidc] scopes: `{scope}` is no scope: one word each, as in [\"profile\", \"email\"]");
        }
        if self.groups_claim.is_empty() {
            bail!("[web.oidc] groups_claim is empty: name the claim with the groups, as in \"groups\"");
        }
        let rules = self.rules()?;
        let accounts: BTreeSet<&String> = rules
            .iter()
            .filter_map(|rule| match &rule.gives {
                OidcGrant::Role { account, .. } => Some(account),
                OidcGrant::Operator => None,
            })
            .collect();
        if accounts.len() > PERSON_ROLES_MAX {
            bail!(
                "[web.oidc] rules name {} accounts: a person has roles in at most {PERSON_ROLES_MAX}",
                accounts.len()
            );
        }
        if public_url.is_empty() {
            bail!(
                "[web.oidc] needs [web] public_url: the provider sends people back to it \
                 (https://HOST{OIDC_CALLBACK})"
            );
        }
        check_url("needs [web] public_url, which", public_url, "https://conference.example.com")
    }

    fn rules(&self) -> anyhow::Result<Vec<OidcRule>> {
        self.rules.iter().enumerate().map(|(place, rule)| rule.rule(place + 1)).collect()
    }

    /// What the web services work with; `None`: no provider is configured. The client's secret is read.
    pub(crate) fn settings(&self, public_url: &str) -> anyhow::Result<Option<OidcSettings>> {
        if !self.is_on() {
            return Ok(None);
        }
        Ok(Some(OidcSettings {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret_file.as_deref().map(read_secret).transpose()?,
            scopes: self.scopes.clone(),
            groups_claim: self.groups_claim.clone(),
            rules: self.rules()?,
            trusts_mail: self.trust_mail,
            allows_passwords: self.passwords,
            redirect_uri: format!("{}{OIDC_CALLBACK}", public_url.trim_end_matches('/')),
        }))
    }
}

/// The secret in a file, without the end of its line.
fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("[web.oidc] client_secret_file {} cannot be read", path.display()))?;
    let secret = text.trim();
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        bail!("[web.oidc] client_secret_file {} has to hold the secret, and nothing else", path.display());
    }
    Ok(secret.to_owned())
}

/// https; http only where nothing leaves this machine.
fn check_url(what: &str, url: &str, example: &str) -> anyhow::Result<()> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_clean =
        !host.is_empty() && !authority.contains('@') && url.bytes().all(|byte| byte.is_ascii_graphic());
    match scheme {
        "https" if is_clean => Ok(()),
        "http" if is_clean && is_loopback(host) => Ok(()),
        "http" if is_clean => bail!(
            "[web.oidc] {what} is `{url}`: https is needed, as in \"{example}\"; http only on this machine \
             (http://localhost:PORT)"
        ),
        _ => bail!("[web.oidc] {what} is `{url}`: it has to be a URL as in \"{example}\""),
    }
}
