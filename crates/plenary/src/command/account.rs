//! `plenary account …`: works on the database directly, while the server runs or not.

use crate::{
    cli::{Account, Key, WebRtcKey},
    clock::wall_now,
    config::Config,
    operator::{self, audit},
};
use anyhow::{anyhow, bail};
use plenary_model::{Civil, ConferenceName, KeySettings, Scopes, Timestamp};
use plenary_store::{KeyInfo, Store};
use serde_json::{Value, json};
use std::io::Write;

pub(super) async fn run(config: &Config, command: Account) -> anyhow::Result<()> {
    let store = Store::open_at(&config.database()).await?;
    let mut out = std::io::stdout().lock();
    match command {
        Account::Create { login } => {
            let command = audit::AuditedCommand::begin(&store, format!("account create {login}"), None);
            let (account, key) = command.store.create_account_login(&login).await?;
            writeln!(out, "Account {login} created. Its API Access Key, shown this once:\n{key}")?;
            let after = json!({ "id": account.id.0, "login": login });
            command.done(Some(after)).await?;
        }
        Account::List => {
            for account in store.list_accounts().await? {
                writeln!(out, "{}/{}", account.cloud_id, account.username)?;
            }
        }
        Account::Key(Key::New { login, label, scopes, conference, expires_in_days }) => {
            let account = find(&store, &login).await?;
            let settings = KeySettings {
                label,
                scopes: match (&scopes[..], &conference) {
                    ([], None) => Scopes::account(),
                    ([], Some(_)) => Scopes::conference(),
                    _ => scopes.into_iter().collect(),
                },
                conference: conference.map(ConferenceName::new),
                expires_at: expires_in_days.map(|days| wall_now().plus_minutes(days * 24 * 60)),
            };
            let command = audit::AuditedCommand::begin(&store, format!("account key new {login}"), None);
            let (made, key) = command.store.key_new(account.id, &settings).await?;
            writeln!(
                out,
                "Key {} of {login} made, with the scopes {}; its older keys keep working. The key, shown this once:\n{key}",
                made.id, made.scopes
            )?;
            command.done(Some(shown(&made))).await?;
        }
        Account::Key(Key::List { login }) => {
            let account = find(&store, &login).await?;
            let now = wall_now();
            writeln!(
                out,
                "{:<6} {:<8} {:<20} {:<28} {:<36} {:<16} LABEL",
                "ID", "BEGINS", "MADE (UTC)", "STATE", "SCOPES", "CONFERENCE"
            )?;
            for key in store.keys(account.id).await? {
                let state = state(&key, now)?;
                let (id, made, scopes) = (key.id.to_string(), text(key.created_at)?, key.scopes.to_string());
                let conference = key.conference.as_ref().map_or("all", ConferenceName::as_str);
                let label = key.label.as_deref().unwrap_or("-");
                writeln!(
                    out,
                    "{id:<6} {:<8} {made:<20} {state:<28} {scopes:<36} {conference:<16} {label}",
                    key.prefix
                )?;
            }
        }
        Account::Key(Key::Revoke { login, key }) => {
            let account = find(&store, &login).await?;
            let before = store.keys(account.id).await?.into_iter().find(|one| one.id.0 == key);
            let what = format!("account key revoke {login} {key}");
            let command = audit::AuditedCommand::begin(&store, what, before.as_ref().map(shown));
            if !command.store.key_revoke(account.id, plenary_store::KeyId(key)).await? {
                bail!("{login} has no valid key {key}. `plenary account key list {login}` shows its keys.");
            }
            operator::keys_changed(&config.data).await;
            command.done(None).await?;
            writeln!(out, "Key {key} of {login} is revoked.")?;
        }
        Account::WebRtcKey(command) => webrtc_key(&store, &mut out, command).await?,
    }
    store.close().await;
    Ok(())
}

/// A key as the audit log shows it.
fn shown(key: &KeyInfo) -> Value {
    json!({
        "id": key.id.0,
        "prefix": key.prefix,
        "label": key.label,
        "scopes": key.scopes.to_string(),
        "conference": key.conference,
        "expires_at_ms": key.expires_at.map(|at| at.0),
    })
}

/// Whether a key is valid, and until when, or since when it is not.
fn state(key: &KeyInfo, now: Timestamp) -> anyhow::Result<String> {
    Ok(match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", text(at)?),
        (None, Some(end)) if end <= now => format!("expired {}", text(end)?),
        (None, Some(end)) => format!("until {}", text(end)?),
        (None, None) => "valid".to_owned(),
    })
}

async fn webrtc_key(store: &Store, out: &mut impl Write, command: WebRtcKey) -> anyhow::Result<()> {
    match command {
        WebRtcKey::New { login, services, key } => {
            let account = find(store, &login).await?;
            let services = (!services.is_empty()).then_some(services);
            let shown = services.clone();
            let command =
                audit::AuditedCommand::begin(store, format!("account webrtc-key new {login}"), None);
            let key = match key {
                Some(key) => {
                    command.store.put_webrtc_key(account.id, &key, services.as_deref()).await?;
                    key
                }
                None => command.store.make_webrtc_key(account.id, services).await?.key,
            };
            let after = json!({ "key": key, "services": shown });
            command.done(Some(after)).await?;
            writeln!(out, "Access key of {login} for browsers. It is no secret:\n{key}")?;
        }
        WebRtcKey::List { login } => {
            let account = find(store, &login).await?;
            writeln!(out, "{:<18} {:<20} {:<28} SERVICES", "KEY", "MADE (UTC)", "STATE")?;
            for key in store.webrtc_keys(account.id).await? {
                let state = match key.revoked_at {
                    Some(at) => format!("revoked {}", text(at)?),
                    None => "valid".to_owned(),
                };
                let services = key.services.map_or_else(|| "all".to_owned(), |names| names.join(" "));
                writeln!(out, "{:<18} {:<20} {state:<28} {services}", key.key, text(key.created_at)?)?;
            }
        }
        WebRtcKey::Revoke { login, key } => {
            let account = find(store, &login).await?;
            let what = format!("account webrtc-key revoke {login} {key}");
            let command = audit::AuditedCommand::begin(store, what, Some(json!({ "key": key })));
            if !command.store.revoke_webrtc_key(account.id, &key).await? {
                bail!(
                    "{login} has no valid access key {key}. `plenary account webrtc-key list {login}` shows its keys."
                );
            }
            command.done(None).await?;
            writeln!(out, "Access key {key} of {login} is revoked.")?;
        }
    }
    Ok(())
}

pub(super) async fn find(store: &Store, login: &str) -> anyhow::Result<plenary_store::Account> {
    store
        .find_account(login)
        .await?
        .ok_or_else(|| anyhow!("there is no account {login}. `plenary account list` shows them all."))
}

pub(super) fn text(at: Timestamp) -> anyhow::Result<String> {
    let Civil { year, month, day, hour, minute, second } =
        at.civil().ok_or_else(|| anyhow!("the database has a time outside of all calendars: {at:?}"))?;
    Ok(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}
