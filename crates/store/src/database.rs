//! The database file: opened, checked, migrated, closed.

use crate::StoreError;
use sqlx::SqlitePool;
use std::path::Path;

/// A handle on the database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens `plenary.db` in `data_dir`, making folder and file when missing and bringing an older schema up
    /// to date.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        todo!()
    }

    /// Closes every connection once its current work is done. Clones can't be used any more either.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
