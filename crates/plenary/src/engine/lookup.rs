//! Asking the store what the calls want to know.

use super::{EngineHandle, failed};
use crate::clock::wall_now;
use plenary_api::ConferenceControl;
use plenary_calls::{
    ControlError,
    lookup::{
        CallerLookup, CallerQuery, Claims, Extended, Found, Lookup, NamedKey, PinAnswer, PinCaller,
        PinSource, StoreFailed,
    },
};
use plenary_conference::{AccountId, ConferenceKey};
use plenary_model::Pin;
use plenary_store::{self as store, PinOutcome, ServiceScope, Store, StoreError};

pub(super) async fn look_up(store: &Store, engine: &EngineHandle, lookup: Lookup) -> Found {
    match lookup {
        Lookup::RoomNumbers { account } => {
            Found::RoomNumbers(store.room_numbers(account).await.map_err(failed))
        }
        Lookup::Room { account, number } => {
            let found = store.room(account, &number).await;
            Found::Room(found.map(|room| room.map(Box::new)).map_err(failed))
        }
        Lookup::Pin { account, room, pin, caller } => {
            Found::Pin(check_pin(store, account, &room, &pin, &caller).await.map_err(failed))
        }
        Lookup::Extend { conference, minutes, by } => {
            Found::Extended(extend(&engine.acting(by.into()), conference, minutes).await)
        }
        Lookup::Caller(query) => {
            Found::Caller(look_up_caller(store, *query).await.map(Box::new).map_err(failed))
        }
        Lookup::Service { account, service } => {
            let scope = ServiceScope { account: Some(account), cloud_id: None };
            let found = store.match_service_in(scope, service.as_str()).await;
            Found::Service(found.map(|found| found.map(Box::new)).map_err(failed))
        }
    }
}

async fn check_pin(
    store: &Store,
    account: AccountId,
    room: &str,
    pin: &Pin,
    caller: &PinCaller,
) -> Result<PinAnswer, StoreError> {
    let source = match &caller.source {
        PinSource::Address(address) => store::PinSource::Address(*address),
        PinSource::Trunk(name) => store::PinSource::Trunk(name),
        PinSource::User(name) => store::PinSource::User(name),
    };
    let now = wall_now();
    let caller = store::PinCaller { source, name: caller.name.as_deref(), call: Some(caller.call.0) };
    let check = store.check_pin(account, room, pin.digits(), caller, now).await?;
    Ok(match check.outcome {
        PinOutcome::Right { leader } => PinAnswer::Right { is_leader: leader },
        // A room that has just been removed has no PIN that is right.
        PinOutcome::Wrong | PinOutcome::NoRoom => PinAnswer::Wrong { guessing: check.guessing.is_some() },
        PinOutcome::TooMany { retry_at } => {
            let wait_ms = retry_at.0.saturating_sub(now.0).max(0).unsigned_abs();
            PinAnswer::TooMany { wait_ms }
        }
    })
}

/// As the web service extends a reservation: on the disk first, where seats are left.
async fn extend(
    engine: &EngineHandle,
    conference: ConferenceKey,
    minutes: u32,
) -> Result<Extended, StoreFailed> {
    match engine.extend_running(conference.account, conference.name, minutes).await {
        Ok(()) => Ok(Extended::By { seconds: minutes * 60 }),
        Err(ControlError::Refused(refused)) => Ok(Extended::Not(refused.to_string())),
        Err(error) => Err(StoreFailed(error.to_string())),
    }
}

async fn look_up_caller(store: &Store, query: CallerQuery) -> Result<CallerLookup, StoreError> {
    let dialled_cloud_id = query.dialled_cloud_id();
    let CallerQuery { target, claim, answer, tokens, caller } = query;
    let mut claims = Claims::default();
    if let Some(answer) = answer {
        let secret = store.sip_secret(&answer.username).await?;
        claims.password = Some((answer, secret));
    }
    for token in tokens {
        let token = store.check_token(&token, wall_now()).await?;
        claims.add_token(token, target.as_ref().map(|target| target.user.as_str()));
    }
    let key = match claim {
        None => NamedKey::None,
        Some(claim) => match store.find_webrtc_key(&claim.cloud_id, &claim.key).await? {
            Some(key) => NamedKey::Known(key, claim.cloud_id),
            None => NamedKey::Unknown(claim),
        },
    };
    let mut service = None;
    if let Some(target) = target {
        // First in the accounts that the credentials name: their services may have names that others have too.
        let accounts = CallerLookup::accounts_of(&claims, &key);
        for account in accounts.into_iter().map(Some).chain([None]) {
            let scope = ServiceScope { account, cloud_id: dialled_cloud_id.as_deref() };
            service = store.match_service_in(scope, &target.user).await?;
            if service.is_some() {
                break;
            }
        }
    }
    let has_users = store.has_sip_users().await?;
    Ok(CallerLookup { service, claims, caller, key, dialled_cloud_id, has_users })
}
