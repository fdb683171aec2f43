//! `plenary person …`: works on the database directly, while the server runs or not. A running service reads it for each request,
//! so what is done here counts at once.

use super::account::{find, text};
use crate::{cli::Person as Command, clock::wall_now, config::Config, operator::audit};
use anyhow::{anyhow, bail};
use plenary_model::{LanguageCode, PersonSettings, Role};
use plenary_store::{ChangeError, Person, Store};
use serde_json::{Value, json};
use std::{collections::BTreeMap, convert::Infallible, io::Write};

pub(super) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let store = Store::open_at(&config.database()).await?;
    let mut out = std::io::stdout().lock();
    match command {
        Command::Invite { operator, account, role, language, name, mail } => {
            let account = match account {
                Some(login) => Some((find(&store, &login).await?.id, role.unwrap_or(Role::Organiser))),
                None => None,
            };
            let before = store.find_person(&mail).await?;
            let address = before.as_ref().map_or(mail.trim(), |person| &person.mail);
            let path = format!("person invite {address}");
            let command = audit::AuditedCommand::begin(&store, path, before.as_ref().map(shown));
            let person = match &before {
                Some(person) => {
                    let on_top = move |person: &Person| {
                        let mut settings = person.settings();
                        settings.is_operator |= operator;
                        settings.roles.extend(account);
                        settings.language = language.unwrap_or(settings.language);
                        settings
                    };
                    change(&command.store, person, on_top).await?
                }
                None => {
                    let settings = PersonSettings {
                        name,
                        mail: mail.trim().to_owned(),
                        language: language.unwrap_or_else(LanguageCode::english),
                        is_operator: operator,
                        is_disabled: false,
                        roles: account.into_iter().collect::<BTreeMap<_, _>>(),
                    };
                    command.store.person_new(&settings, wall_now()).await?
                }
            };
            let invitation = command.store.invite_on_machine(person.id, wall_now()).await?;
            let (code, expires_at) = invitation.ok_or_else(|| anyhow!("{mail} was removed meanwhile"))?;
            command.done(Some(shown(&person))).await?;
            writeln!(
                out,
                "{} <{}> {}. The link to set a password by, valid once and until {} (UTC), shown this once:\n{}",
                person.name,
                person.mail,
                rights(&person),
                text(expires_at)?,
                config.welcome_link(code.as_str())
            )?;
        }
        Command::List => {
            writeln!(
                out,
                "{:<6} {:<9} {:<20} {:<32} {:<24} RIGHTS",
                "ID", "STATE", "SIGNED IN (UTC)", "MAIL", "NAME"
            )?;
            for person in store.people_after(None, None, usize::MAX).await? {
                let signed_in =
                    person.signed_in_at.map(text).transpose()?.unwrap_or_else(|| "never".to_owned());
                let (id, rights) = (person.id.to_string(), rights(&person));
                writeln!(
                    out,
                    "{id:<6} {:<9} {signed_in:<20} {:<32} {:<24} {rights}",
                    state(&person),
                    person.mail,
                    person.name
                )?;
            }
        }
        Command::Disable { mail } => {
            set_disabled(&store, &mail, true).await?;
            writeln!(out, "{mail} cannot sign in any more, and is signed out everywhere.")?;
        }
        Command::Enable { mail } => {
            set_disabled(&store, &mail, false).await?;
            writeln!(out, "{mail} can sign in again.")?;
        }
        Command::Unlink { mail } => {
            let person = known(&store, &mail).await?;
            let path = format!("person unlink {}", person.mail);
            let command = audit::AuditedCommand::begin(&store, path, Some(shown(&person)));
            if !command.store.unlink_person(person.id).await? {
                bail!("{mail} has not signed in at a provider");
            }
            command.done(Some(shown(&person))).await?;
            writeln!(
                out,
                "{mail} is signed out everywhere. Who signs in at the provider with this mail address is linked anew."
            )?;
        }
        Command::Remove { mail } => {
            let person = known(&store, &mail).await?;
            let path = format!("person remove {}", person.mail);
            let command = audit::AuditedCommand::begin(&store, path, Some(shown(&person)));
            let removed = command.store.remove_person(person.id, |_| Ok::<_, Infallible>(())).await;
            let removed = removed.map_err(|error| match error {
                ChangeError::Refused(never) => match never {},
                ChangeError::Store(error) => error,
            })?;
            if removed.is_some() {
                command.done(None).await?;
            }
            writeln!(out, "{mail} is removed.")?;
        }
    }
    store.close().await;
    Ok(())
}

async fn known(store: &Store, mail: &str) -> anyhow::Result<Person> {
    let known = store.find_person(mail).await?;
    known.ok_or_else(|| {
        anyhow!("there is nobody with the mail address {mail}. `plenary person list` shows them all.")
    })
}

async fn change(
    store: &Store,
    person: &Person,
    settings: impl FnOnce(&Person) -> PersonSettings + Send,
) -> anyhow::Result<Person> {
    let decide = |person: &Person| Ok::<_, Infallible>(settings(person));
    let changed = store.change_person(person.id, decide).await.map_err(|error| match error {
        ChangeError::Refused(never) => match never {},
        ChangeError::Store(error) => error,
    })?;
    changed.ok_or_else(|| anyhow!("{} was removed meanwhile", person.mail))
}

async fn set_disabled(store: &Store, mail: &str, is_disabled: bool) -> anyhow::Result<()> {
    let before = known(store, mail).await?;
    if before.is_disabled == is_disabled {
        bail!("{mail} is {} already", if is_disabled { "disabled" } else { "enabled" });
    }
    let what = if is_disabled { "disable" } else { "enable" };
    let command =
        audit::AuditedCommand::begin(store, format!("person {what} {}", before.mail), Some(shown(&before)));
    let settings = |person: &Person| PersonSettings { is_disabled, ..person.settings() };
    let after = change(&command.store, &before, settings).await?;
    command.done(Some(shown(&after))).await
}

/// A person as the audit log shows them.
fn shown(person: &Person) -> Value {
    let roles: Vec<Value> = person
        .roles
        .iter()
        .map(|role| json!({ "account": role.account.id.0, "role": role.role.name() }))
        .collect();
    json!({
        "id": person.id.0,
        "name": person.name,
        "mail": person.mail,
        "language": person.language,
        "operator": person.is_operator,
        "disabled": person.is_disabled,
        "roles": roles,
    })
}

fn state(person: &Person) -> &'static str {
    match person {
        Person { is_disabled: true, .. } => "disabled",
        Person { has_password: false, is_linked: false, .. } => "invited",
        Person { .. } => "active",
    }
}

/// `operator, admin of 1-2-0/bob@example.com`
fn rights(person: &Person) -> String {
    let roles = person
        .roles
        .iter()
        .map(|role| format!("{} of {}/{}", role.role, role.account.cloud_id, role.account.username));
    let operator = person.is_operator.then(|| "operator".to_owned());
    operator.into_iter().chain(roles).collect::<Vec<_>>().join(", ")
}
