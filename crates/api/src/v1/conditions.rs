//! Entity tags and the conditions of requests (RFC 9110, sections 8.8.3 and 13).

use crate::{
    answer::Answer,
    error::{ApiError, CHANGED_MEANWHILE},
    json::json,
    state::App,
};
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts},
};
use data_encoding::BASE32_NOPAD;
use plenary_store::{Before, Changed};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What a stored thing is at the moment: a strong entity tag of all that its owner can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    pub(crate) fn of(stored: &impl Serialize) -> Self {
        let text = serde_json::to_vec(stored).expect("plain data becomes JSON");
        // 80 bits: two versions of one thing do not meet in them.
        let hash = BASE32_NOPAD.encode(&Sha256::digest(text)[..10]).to_ascii_lowercase();
        Self(format!("\"{hash}\""))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("letters, digits and quotes")
    }
}

/// Tags that a header lists.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// `*`: of whatever there is.
    Any,
    Of(Vec<String>),
}

impl Tags {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ApiError> {
        let mut values = headers.get_all(name).iter().peekable();
        if values.peek().is_none() {
            return Ok(None);
        }
        let mut tags = Vec::new();
        for value in values {
            // A tag holds no comma of ours; one with a comma matches nothing and is read as two that do not either.
            for tag in value.to_str().unwrap_or("?").split(',').map(str::trim) {
                match tag {
                    "*" => return Ok(Some(Self::Any)),
                    tag if tag.strip_prefix("W/").unwrap_or(tag).starts_with('"') && tag.ends_with('"') => {
                        tags.push(tag.to_owned());
                    }
                    _ => {
                        let name = if name == header::IF_MATCH { "If-Match" } else { "If-None-Match" };
                        let text = "must be * or entity tags in quotes, as an answer's ETag has them";
                        return Err(ApiError::parameter(name, text));
                    }
                }
            }
        }
        Ok(Some(Self::Of(tags)))
    }

    /// By the strong comparison, of which a weak tag is never part.
    fn matches(&self, tag: Option<&Tag>) -> bool {
        match (self, tag) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Of(tags), Some(tag)) => tags.contains(&tag.0),
        }
    }

    /// By the weak comparison.
    fn matches_weakly(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::Of(tags) => tags.iter().any(|other| other.strip_prefix("W/").unwrap_or(other) == tag.0),
        }
    }
}

/// The conditions under which a request is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

impl FromRequestParts<App> for Conditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(Self {
            if_match: Tags::read(&parts.headers, &header::IF_MATCH)?,
            if_none_match: Tags::read(&parts.headers, &header::IF_NONE_MATCH)?,
        })
    }
}

impl Conditions {
    /// There are some.
    pub(crate) const fn are_given(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some()
    }

    /// Whether what is stored may be replaced or deleted: as [`Self::check`], where it can be read. A row that cannot be read
    /// counts as there for `*`. No entity tag can be compared with it, so a condition that names one is not met.
    pub(crate) fn check_before<T>(
        &self,
        before: Before<'_, T>,
        tag: impl Fn(&T) -> Tag,
    ) -> Result<(), ApiError> {
        match before {
            Before::Nothing => self.check(None),
            Before::Stored(stored) => self.check(Some(&tag(stored))),
            Before::Unreadable
                if self.if_none_match.is_none() && !matches!(self.if_match, Some(Tags::Of(_))) =>
            {
                Ok(())
            }
            Before::Unreadable => Err(ApiError::coded(
                CHANGED_MEANWHILE,
                "what is stored cannot be read, so its version is not known; without the condition it can be replaced or deleted",
            )),
        }
    }

    /// Whether a change of what is there (`None`: nothing) may be made. It has to be asked in the transaction that makes it.
    pub(crate) fn check(&self, tag: Option<&Tag>) -> Result<(), ApiError> {
        let changed = |text: &str| Err(ApiError::coded(CHANGED_MEANWHILE, text));
        if self.if_match.as_ref().is_some_and(|tags| !tags.matches(tag)) {
            return changed(match tag {
                Some(_) => "If-Match names another version: it was changed meanwhile; read it again",
                None => "If-Match names a version of what is not there",
            });
        }
        if let (Some(tags), Some(tag)) = (&self.if_none_match, tag)
            && tags.matches_weakly(tag)
        {
            return changed("If-None-Match names the version that is there");
        }
        Ok(())
    }

    /// The answer to GET: 304 where the client has this version.
    pub(crate) fn show(&self, tag: &Tag, shown: &impl Serialize) -> Response<Body> {
        self.unchanged(tag).unwrap_or_else(|| tagged(StatusCode::OK, tag, shown))
    }

    /// The answer to GET about what may not be there.
    pub(crate) fn show_found<T, S: Serialize>(
        &self,
        found: Option<T>,
        unknown: impl FnOnce() -> ApiError,
        tag: impl FnOnce(&T) -> Tag,
        show: impl FnOnce(T) -> S,
    ) -> Answer {
        let found = found.ok_or_else(unknown)?;
        let tag = tag(&found);
        Ok(self.show(&tag, &show(found)))
    }

    /// 304, where the client has this version.
    pub(crate) fn unchanged(&self, tag: &Tag) -> Option<Response<Body>> {
        self.if_none_match.as_ref().filter(|tags| tags.matches_weakly(tag))?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(header::ETAG, tag.header());
        Some(response)
    }
}

/// An answer in JSON with the tag of what it shows.
pub(crate) fn tagged(status: StatusCode, tag: &Tag, shown: &impl Serialize) -> Response<Body> {
    let mut response = json(status, shown);
    response.headers_mut().insert(header::ETAG, tag.header());
    response
}

/// The answer to POST: what was made, and where it is.
pub(crate) fn created(tag: &Tag, shown: &impl Serialize, location: &str) -> Response<Body> {
    let mut response = tagged(StatusCode::CREATED, tag, shown);
    // Made of names and numbers of ours.
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What is there after PUT or PATCH, and with which status it is shown; `None`: nothing is.
pub(crate) fn put_or_patched<T>(changed: Changed<T>) -> Option<(StatusCode, T)> {
    let status = if matches!(changed, Changed::Created(_)) { StatusCode::CREATED } else { StatusCode::OK };
    changed.into_stored().map(|stored| (status, stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(name: HeaderName, value: &'static str) -> Result<Conditions, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        Ok(Conditions {
            if_match: Tags::read(&headers, &header::IF_MATCH)?,
            if_none_match: Tags::read(&headers, &header::IF_NONE_MATCH)?,
        })
    }

    #[test]
    fn a_change_is_made_only_of_the_version_that_is_meant() {
        let tag = Tag("\"abc\"".to_owned());
        for (name, value, with, without) in [
            (header::IF_MATCH, "\"abc\"", true, false),
            (header::IF_MATCH, "\"x\", \"abc\"", true, false),
            (header::IF_MATCH, "\"x\"", false, false),
            (header::IF_MATCH, "W/\"abc\"", false, false),
            (header::IF_MATCH, "*", true, false),
            (header::IF_NONE_MATCH, "*", false, true),
            (header::IF_NONE_MATCH, "W/\"abc\"", false, true),
            (header::IF_NONE_MATCH, "\"x\"", true, true),
        ] {
            let conditions = conditions(name.clone(), value).unwrap();
            assert_eq!(conditions.check(Some(&tag)).is_ok(), with, "{name}: {value}");
            assert_eq!(conditions.check(None).is_ok(), without, "{name}: {value}");
        }
        // Of what cannot be read it is known that it is there, and no more.
        for (name, value, is_met) in [
            (header::IF_MATCH, "*", true),
            (header::IF_MATCH, "\"abc\"", false),
            (header::IF_NONE_MATCH, "*", false),
            (header::IF_NONE_MATCH, "\"x\"", false),
            (header::HOST, "none", true),
        ] {
            let conditions = conditions(name.clone(), value).unwrap();
            let checked =
                conditions.check_before(Before::Unreadable, |_: &()| unreachable!("it is not read"));
            assert_eq!(checked.is_ok(), is_met, "{name}: {value}");
        }
        assert!(conditions(header::IF_MATCH, "abc").is_err());
        assert!(conditions(header::IF_NONE_MATCH, "\"a\", b").is_err());
    }
}
