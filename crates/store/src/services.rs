//! Inbound services, by name.

use crate::{InboundError, InboundService, Store, StoreError};
use plenary_conference::{AccountId, ServiceName};
use serde_json::Value;
use thiserror::Error;

/// A service as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredService {
    /// Its name.
    pub name: ServiceName,
    /// Its body, as it was put: an object with `conference` or `announcement`.
    pub body: Value,
}

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was no service of this name.
    Created,
    /// There was one, and it is replaced.
    Replaced,
}

/// Why a service was not stored.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The name belongs to another account.
    #[error("the service name is taken: names are unique over the whole installation")]
    NameTaken,
    /// The account has no service of this name.
    #[error("there is no inbound service of this name")]
    UnknownService,
    /// The name or the body is not allowed.
    #[error(transparent)]
    Invalid(#[from] InboundError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[allow(missing_docs)]
impl Store {
    pub async fn services(&self, account: AccountId) -> Result<Vec<StoredService>, StoreError> { todo!() }
    pub async fn service(&self, account: AccountId, name: &str) -> Result<Option<StoredService>, StoreError> { todo!() }
    pub async fn put_service(&self, account: AccountId, name: &str, body: &Value) -> Result<PutOutcome, ServiceError> { todo!() }
    /// Merges `patch` into the stored body (RFC 7396).
    pub async fn patch_service(&self, account: AccountId, name: &str, patch: &Value) -> Result<StoredService, ServiceError> { todo!() }
    pub async fn delete_service(&self, account: AccountId, name: &str) -> Result<bool, StoreError> { todo!() }
    pub async fn match_service(&self, user: &str) -> Result<Option<(InboundService, String)>, StoreError> { todo!() }
}
