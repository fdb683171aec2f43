//! Asking the store what the calls want to know.

use super::{failed, wall_now};
use plenary_calls::lookup::{CallerLookup, CallerQuery, Claims, Found, Lookup, NamedKey};
use plenary_store::{ServiceScope, Store, StoreError};

pub(super) async fn look_up(store: &Store, lookup: Lookup) -> Found {
    match lookup {
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

async fn look_up_caller(store: &Store, query: CallerQuery) -> Result<CallerLookup, StoreError> {
    let dialled_cloud_id = query.dialled_cloud_id();
    let CallerQuery { target, claim, answer, token, caller } = query;
    let mut claims = Claims::default();
    if let Some(answer) = answer {
        let secret = store.sip_secret(&answer.username).await?;
        claims.password = Some((answer, secret));
    }
    if let Some(token) = token {
        claims.token = Some(store.check_token(&token, wall_now()).await?);
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
