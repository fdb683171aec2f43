//! People who sign in. An administrator of an account manages those who work in it alone; operators manage all.

use super::{
    access::{Caller, Config},
    body::{Body, Patch},
    conditions::{Conditions, Tag, created, tagged},
    list::{List, Page, Query},
    session::check_passwords,
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    error::{ApiError, ROLE_FORBIDS, UNKNOWN_PERSON},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{AccountId, FieldError, LanguageCode, PersonSettings, Role, Scope, Timestamp};
use plenary_store::{Access, InvitationCode, Person, PersonId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(one, change, remove))
        .routes(routes!(invite))
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
struct Shown {
    /// Their number.
    #[schema(example = 3)]
    id: i64,
    #[serde(flatten)]
    set: Set,
    /// `invited`: no password is set yet, and they have not signed in at the provider; `active`; `disabled`.
    state: Standing,
    /// They have signed in at the OpenID Connect provider, and are known by it.
    linked: bool,
    /// Until when an invitation can be accepted; null: none is open.
    #[schema(format = DateTime)]
    invited_until: Option<String>,
    /// When they were made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When they last signed in; null: never.
    #[schema(format = DateTime)]
    signed_in_at: Option<String>,
}

/// Whether a person can sign in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PersonState)]
enum Standing {
    Invited,
    Active,
    Disabled,
}

/// What can be set of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PersonSettings)]
struct Set {
    /// What they are called.
    #[schema(min_length = 1, max_length = 100, example = "Eve")]
    name: String,
    /// Their mail address, by which they sign in; unique over the installation.
    #[schema(max_length = 254, example = "eve@example.com")]
    mail: String,
    /// In which language pages are shown to them.
    #[schema(example = "en")]
    language: String,
    /// They operate the installation, over all accounts.
    operator: bool,
    /// They cannot sign in.
    disabled: bool,
    /// What they may do in which account. To those who do not operate, only their own account is shown.
    roles: Vec<RoleIn>,
}

/// What a person may do in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PersonRole)]
struct RoleIn {
    /// The account's number.
    #[schema(example = 1)]
    account: i64,
    /// `organiser`: books and leads conferences; `auditor`: reads recordings, history, usage and the audit log, and changes nothing; `admin`:
    /// all of the account.
    role: Role,
}

impl Set {
    /// As the caller may see it.
    fn of(person: &Person, by: &Access) -> Self {
        let is_seen = |account: AccountId| operates(by) || account == by.account.id;
        let roles = person.roles.iter().filter(|role| is_seen(role.account.id));
        Self {
            name: person.name.clone(),
            mail: person.mail.clone(),
            language: person.language.to_string(),
            operator: person.is_operator,
            disabled: person.is_disabled,
            roles: roles.map(|role| RoleIn { account: role.account.id.0, role: role.role }).collect(),
        }
    }
}

impl Shown {
    fn of(person: &Person, by: &Access) -> Self {
        let state = match person {
            Person { is_disabled: true, .. } => Standing::Disabled,
            Person { has_password: false, is_linked: false, .. } => Standing::Invited,
            Person { .. } => Standing::Active,
        };
        Self {
            id: person.id.0,
            set: Set::of(person, by),
            state,
            linked: person.is_linked,
            invited_until: person.invited_until.map(time::rfc3339),
            created_at: time::rfc3339(person.created_at),
            signed_in_at: person.signed_in_at.map(time::rfc3339),
        }
    }
}

fn tag(person: &Person, by: &Access) -> Tag {
    Tag::of(&Set::of(person, by))
}

/// A link by which a person sets a password.
#[derive(Debug, Serialize, ToSchema)]
struct Invitation {
    /// Where it leads to on this host. It counts once and is shown this once.
    #[schema(example = "/console/welcome#k3v9qa…")]
    path: String,
    /// Until when.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl Invitation {
    fn new((code, expires_at): (InvitationCode, Timestamp)) -> Self {
        Self { path: format!("/console/welcome#{}", code.as_str()), expires_at: time::rfc3339(expires_at) }
    }
}

/// A person who was just made.
#[derive(Debug, Serialize, ToSchema)]
struct NewPerson {
    #[serde(flatten)]
    person: Shown,
    /// The link by which they set a password; null: passwords are switched off, and they sign in at the provider, by this
    /// mail address.
    invitation: Option<Invitation>,
}

/// A new person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PersonBody {
    /// What they are called.
    #[schema(min_length = 1, max_length = 100, example = "Eve")]
    name: String,
    /// Their mail address, by which they sign in; unique over the installation.
    #[schema(max_length = 254, example = "eve@example.com")]
    mail: String,
    /// In which language pages are shown to them.
    #[serde(default)]
    #[schema(value_type = String, default = "en", example = "en")]
    language: LanguageCode,
    /// They operate the installation. Only operators give that.
    #[serde(default)]
    operator: bool,
    /// They cannot sign in.
    #[serde(default)]
    disabled: bool,
    /// What they may do in which account: at most what the caller may, and in the caller's account, unless the caller operates.
    #[serde(default)]
    roles: Vec<RoleIn>,
}

fn operates(by: &Access) -> bool {
    by.scopes.includes(Scope::Operator)
}

impl PersonBody {
    /// The settings, if the caller may give them: nobody gives more than they have.
    fn settings(self, by: &Access) -> Result<PersonSettings, ApiError> {
        let Self { name, mail, language, operator, disabled, roles: given } = self;
        let mut errors = Vec::new();
        if operator && !operates(by) {
            errors.push(FieldError::new("/operator", "can be given by operators only"));
        }
        let mut roles = BTreeMap::new();
        for (place, RoleIn { account, role }) in given.into_iter().enumerate() {
            let mut wrong = |member: &str, detail: String| {
                errors.push(FieldError::new(format!("/roles/{place}/{member}"), detail))
            };
            if !operates(by) && account != by.account.id.0 {
                wrong("account", format!("must be {}, the account that you work in", by.account.id.0));
            } else if !operates(by) && !role.scopes().is_subset(by.scopes) {
                wrong("role", format!("can be only what you may do yourself: {}", by.scopes));
            } else if roles.insert(AccountId(account), role).is_some() {
                wrong("account", "is named twice".to_owned());
            }
        }
        let settings = PersonSettings {
            name,
            mail: mail.trim().to_owned(),
            language,
            is_operator: operator,
            is_disabled: disabled,
            roles,
        };
        if errors.is_empty() {
            errors = settings.check();
        }
        if errors.is_empty() { Ok(settings) } else { Err(ApiError::members(errors)) }
    }
}

/// The person, if the caller may see them.
fn seen(person: Option<Person>, by: &Access) -> Result<Person, ApiError> {
    person.filter(|person| operates(by) || person.role_in(by.account.id).is_some()).ok_or_else(unknown)
}

/// Refuses to change a person whose link would let the caller do what they may not do themselves.
fn check_manages(person: &Person, by: &Access) -> Result<(), ApiError> {
    if operates(by) {
        return Ok(());
    }
    if person.role_in(by.account.id).is_none() {
        return Err(unknown());
    }
    let is_own = person
        .roles
        .iter()
        .all(|role| role.account.id == by.account.id && role.role.scopes().is_subset(by.scopes));
    if person.is_operator || !is_own {
        let text =
            "the person may do more than you may, or works in other accounts too: only operators change them";
        return Err(ApiError::coded(ROLE_FORBIDS, text));
    }
    Ok(())
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_PERSON, "there is no such person")
}

fn id(text: &str) -> Result<PersonId, ApiError> {
    text.parse().map(PersonId).map_err(|_| unknown())
}

/// Lists people
///
/// Those with a role in the account; to operators all of the installation. In the order in which they were made.
#[utoipa::path(get, path = "/v1/people", operation_id = "list_people", tag = "people", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the people.", body = List<Shown>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let after = page.after_as(|key| key.parse().ok().map(PersonId))?;
    let of = (!operates(&caller.access)).then_some(caller.account);
    let found = state.store.people_after(of, after, page.to_fetch()).await?;
    let shown = page.of(found, |person| person.id.to_string(), |person| Shown::of(&person, &caller.access));
    Ok(json(StatusCode::OK, &shown))
}

/// Invites a person
///
/// The answer has the link by which they set a password; it is in this answer alone and counts for a week.
#[utoipa::path(post, path = "/v1/people", operation_id = "make_person", tag = "people",
    request_body(content = PersonBody, example = json!({"name": "Eve", "mail": "eve@example.com", "roles": [{"account": 1, "role": "organiser"}]})),
    security(("bearer" = ["config"])),
    responses((status = 201, description = "The person, with the link.", body = NewPerson,
        headers(("Location" = String, description = "Their path."), ("ETag" = String, description = "Their version."))),
        (status = 409, description = "Another person has the mail address (1129), there are too many (1216), or the first request \
            with this `Idempotency-Key` is under way (1214).")))]
async fn make(caller: Caller<Config>, State(state): State<App>, Body(body): Body<PersonBody>) -> Answer {
    let state = caller.acting(state);
    let settings = body.settings(&caller.access)?;
    to_the_end(async move {
        let now = state.control.now();
        let person = state.store.person_new(&settings, now).await?;
        let invitation = match state.passwords_off() {
            Some(_) => None,
            None => Some(state.store.invite(person.id, now).await?.ok_or_else(unknown)?),
        };
        let person = Person { invited_until: invitation.as_ref().map(|one| one.1), ..person };
        let (tag, location) = (tag(&person, &caller.access), format!("/v1/people/{}", person.id));
        let shown = NewPerson {
            person: Shown::of(&person, &caller.access),
            invitation: invitation.map(Invitation::new),
        };
        Ok(created(&tag, &shown, &location))
    })
    .await
}

/// Shows a person
#[utoipa::path(get, path = "/v1/people/{id}", operation_id = "get_person", tag = "people",
    params(("id" = i64, Path, description = "The person's number.", example = 3)),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The person.", body = Shown,
        headers(("ETag" = String, description = "Their version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let person = seen(state.store.person(id(&number)?).await?, &caller.access)?;
    Ok(conditions.show(&tag(&person, &caller.access), &Shown::of(&person, &caller.access)))
}

/// Changes a person
///
/// It counts at once. A person who is disabled, or whose mail address changes, is signed out everywhere.
#[utoipa::path(patch, path = "/v1/people/{id}", operation_id = "change_person", tag = "people",
    params(("id" = i64, Path, description = "The person's number.", example = 3)),
    request_body(content = PersonBody, content_type = "application/merge-patch+json", example = json!({"disabled": true})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The person as they are now.", body = Shown,
        headers(("ETag" = String, description = "Their version."))),
        (status = 409, description = "Another person has the mail address (1129).")))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let number = id(&number)?;
    to_the_end(async move {
        let by = &caller.access;
        let decide = |person: &Person| {
            check_manages(person, by)?;
            let body: PersonBody = patch.merge_into(&Set::of(person, by))?;
            let settings = body.settings(by)?;
            conditions.check(Some(&tag(person, by)))?;
            Ok(settings)
        };
        let changed = state.store.change_person(number, decide).await?.ok_or_else(unknown)?;
        Ok(tagged(StatusCode::OK, &tag(&changed, by), &Shown::of(&changed, by)))
    })
    .await
}

/// Removes a person
///
/// They are signed out everywhere, at once.
#[utoipa::path(delete, path = "/v1/people/{id}", operation_id = "remove_person", tag = "people",
    params(("id" = i64, Path, description = "The person's number.", example = 3)),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "They are removed.")))]
async fn remove(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    let number = id(&number)?;
    to_the_end(async move {
        let decide = |person: &Person| {
            check_manages(person, &caller.access)?;
            conditions.check(Some(&tag(person, &caller.access)))
        };
        let removed = state.store.remove_person(number, decide).await?;
        removed.ok_or_else(unknown)?;
        Ok(no_content())
    })
    .await
}

/// Makes another link by which a person sets a password
///
/// For a person who has lost the first one, or forgotten the password. Earlier links do not count any more; a password that is
/// set stays until the new link is used.
#[utoipa::path(post, path = "/v1/people/{id}/invitation", operation_id = "invite_person", tag = "people",
    params(("id" = i64, Path, description = "The person's number.", example = 3)),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The link.", body = Invitation),
        (status = 403, description = "Passwords are switched off (1144).")))]
async fn invite(caller: Caller<Config>, State(state): State<App>, Segments([number]): Segments<1>) -> Answer {
    check_passwords(&state)?;
    let state = caller.acting(state);
    let number = id(&number)?;
    to_the_end(async move {
        let person = seen(state.store.person(number).await?, &caller.access)?;
        check_manages(&person, &caller.access)?;
        let invitation = state.store.invite(number, state.control.now()).await?.ok_or_else(unknown)?;
        Ok(json(StatusCode::OK, &Invitation::new(invitation)))
    })
    .await
}
