//! Lists: so many at a time, and where to go on.
//!
//! A cursor is the place after the last item shown (keyset), so what is made or deleted meanwhile neither repeats nor hides
//! others.

use crate::{answer::Answer, error::ApiError, json::json, params::decode, state::App};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 500;
const NOT_A_CURSOR: &str = "must be `next` of the page before";

/// Parameters of a query string. Unknown, repeated and wrong ones are errors.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let pairs = pairs(parts.uri.query().unwrap_or_default())?;
        plenary_model::read_parameters(pairs).map(Self).map_err(ApiError::parameters)
    }
}

/// The parameters of a query string in their order.
fn pairs(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    let pair = |pair: &str| {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let shown = decode(name.as_bytes()).unwrap_or_else(|| name.to_owned());
        match decode(text.as_bytes()) {
            Some(text) => Ok((shown, text)),
            None => Err(ApiError::parameter(shown, "must be text in UTF-8")),
        }
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// How much of a list is asked for, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    pub(crate) limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    pub(crate) cursor: Option<Cursor>,
}

impl Page {
    /// Items to ask for: one more than are shown tells whether there are more.
    pub(crate) fn to_fetch(&self) -> usize {
        self.limit.0 as usize + 1
    }

    /// The key after which the page begins.
    pub(crate) fn after(&self) -> Option<&str> {
        self.cursor.as_ref().map(|Cursor(key)| key.as_str())
    }

    /// The same, read as what the list's cursors are.
    pub(crate) fn after_as<K>(&self, read: impl FnOnce(&str) -> Option<K>) -> Result<Option<K>, ApiError> {
        let Some(key) = self.after() else { return Ok(None) };
        read(key).map(Some).ok_or_else(|| ApiError::parameter("cursor", NOT_A_CURSOR))
    }

    /// The answer with the page of these items.
    pub(crate) fn answer<T, S: Serialize>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> String,
        show: impl Fn(T) -> S,
    ) -> Answer {
        Ok(json(StatusCode::OK, &self.of(items, key, show)))
    }

    /// The page of these items, of which `key` is where the next one goes on.
    pub(crate) fn of<T, S>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
        show: impl Fn(T) -> S,
    ) -> List<S> {
        let has_more = items.len() > self.limit.0 as usize;
        items.truncate(self.limit.0 as usize);
        let next = items.last().filter(|_| has_more).map(|last| Cursor(key(last)).to_string());
        List { items: items.into_iter().map(show).collect(), next }
    }
}

/// The parameter `limit`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit(u32);

impl Limit {
    pub(crate) fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.map(Self).ok_or_else(|| serde::de::Error::custom(format!("must be 1 to {LIMIT_MAX}")))
    }
}

/// The parameter `cursor`: a place in a list, as an answer gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) String);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let key = bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| !key.is_empty() && !key.contains('\0'));
        key.map(Self).ok_or_else(|| serde::de::Error::custom(NOT_A_CURSOR))
    }
}

/// Some items of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// In the order of the list.
    pub(crate) items: Vec<T>,
    /// The `cursor` of the next page; null: these are the last.
    pub(crate) next: Option<String>,
}
