//! The methods that a path takes.

use crate::error::ApiError;
use axum::routing::{MethodRouter, head};

/// These methods, and 405 in our form for all others.
pub(crate) fn only<S: Clone + Send + Sync + 'static>(
    allow: &'static str,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    methods.fallback(move || async move { ApiError::method_not_allowed(allow) })
}

/// As [`only`], for what changes something by GET: HEAD is safe (RFC 9110, section 9.2.1), which these are not, and a
/// router would answer HEAD as GET.
pub(crate) fn only_but_head<S: Clone + Send + Sync + 'static>(
    allow: &'static str,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    only(allow, methods.merge(head(move || async move { ApiError::method_not_allowed(allow) })))
}
