//! Transfers: a telephone is asked to call another target (REFER, RFC 3515).

use serde::Serialize;
use utoipa::ToSchema;

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferProgress {
    /// The telephone was asked.
    Asked,
    /// It calls.
    Trying,
    /// The target has answered.
    Done,
    /// The target was not reached.
    Failed,
}
