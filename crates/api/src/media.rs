//! Sounds of accounts as all of the web services see them. What is done with them is in `v1/media.rs`.

use crate::{params::percent_decode, state::App, time};
use axum::http::Method;
use plenary_model::{AccountId, StoredMedia};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A sound, without its audio.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Media {
    /// Its name, unique within the account.
    #[schema(example = "welcome")]
    name: String,
    /// What the file is: `wav`, `flac`, `mp3`, `opus` or `vorbis`.
    #[schema(example = "opus")]
    format: String,
    /// Octets of the file.
    bytes: u64,
    /// How long it plays.
    duration_ms: u64,
    /// When it was first uploaded.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last uploaded.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<StoredMedia> for Media {
    fn from(media: StoredMedia) -> Self {
        let StoredMedia { name, format, bytes, duration_ms, version: _, created_at, updated_at } = media;
        let (created_at, updated_at) = (time::rfc3339(created_at), time::rfc3339(updated_at));
        Self { name, format, bytes, duration_ms, created_at, updated_at }
    }
}

/// What the list shows of a sound.
pub(crate) async fn shown(state: &App, account: AccountId, name: &str) -> Option<Value> {
    let name = percent_decode(name.as_bytes())?;
    let media = state.store.media(account, &name).await.ok()??;
    serde_json::to_value(Media::from(media)).ok()
}

/// The request brings a sound: it may take longer than others, as long as something comes.
pub(crate) fn is_upload(method: &Method, path: &str) -> bool {
    *method == Method::PUT && path.starts_with("/v1/media/")
}
