//! The handle on everything that is stored.

use crate::{
    Location, StoreError,
    access::CachedKey,
    audit::Doing,
    database::{
        Base, Write,
        postgres::{self, Lock},
    },
    events::EventNews,
    lookup_cache::LookupCache,
    people::passwords::Passwords,
    reservations::worker::BookingQueue,
    rooms::pins::Pins,
};
use plenary_model::Actor;
use std::{path::Path, sync::Arc, time::Duration};

/// A handle on the database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) base: Base,
    /// Makes, changes and removes reservations.
    pub(crate) bookings: BookingQueue,
    /// API Access Keys that were verified within the last second.
    pub(crate) key_cache: LookupCache<CachedKey>,
    /// How PINs of rooms are hashed and compared.
    pub(crate) pins: Pins,
    /// How passwords of people are hashed and compared.
    pub(crate) passwords: Passwords,
    /// Who waits for events.
    pub(crate) news: EventNews,
    /// On whose behalf this handle changes what it changes.
    pub(crate) doing: Arc<Doing>,
}

impl Store {
    /// Opens `plenary.db` in `data_dir`, making folder and file when missing and bringing an older schema up
    /// to date. Several processes may do so at once.
    ///
    /// # Errors
    /// [`StoreError::Folder`] and [`StoreError::ReadOnly`] when folder or file can't be made or written,
    /// [`StoreError::NotADatabase`] when the file is something else, [`StoreError::NewerSchema`] when a newer
    /// version wrote it.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_at(&Location::in_folder(data_dir)).await
    }

    /// Opens the database of a URL, bringing an older schema up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Connect`] where PostgreSQL cannot be reached or does not let us in.
    pub async fn open_at(location: &Location) -> Result<Self, StoreError> {
        let base = Base::open(location).await?;
        let news = EventNews::default();
        Ok(Self {
            bookings: BookingQueue::open(base.clone(), news.clone()),
            base,
            key_cache: LookupCache::default(),
            pins: Pins::default(),
            passwords: Passwords::default(),
            news,
            doing: Arc::new(Actor::api().into()),
        })
    }

    /// The same database; what is changed by this handle is told by events as their doing, and its entry of the audit log is written
    /// with it.
    #[must_use]
    pub fn acting(&self, doing: impl Into<Doing>) -> Self {
        Self { doing: Arc::new(doing.into()), ..self.clone() }
    }

    /// Closes every connection once its current work is done. Clones can't be used any more either.
    pub async fn close(&self) {
        self.base.close().await;
    }

    /// How long a question or a change may take before it is given up as [`StoreError::is_unavailable`], where the database
    /// is another machine's or process's. `None`: the database is a file.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        match &self.base {
            Base::Sqlite(_) => None,
            Base::Postgres(_) => Some(postgres::PATIENCE),
        }
    }

    /// A transaction beside which nothing else that is checked before it is written changes, so that what it has read is
    /// still true when it writes.
    pub(crate) async fn write(&self, doing: &'static str) -> Result<Write, StoreError> {
        self.write_behind(doing, Lock::Settings).await
    }

    /// The same behind another lock.
    pub(crate) async fn write_behind(&self, doing: &'static str, lock: Lock) -> Result<Write, StoreError> {
        let mut transaction = self.base.write(doing, lock).await?;
        self.doing.note(&mut transaction).await?;
        Ok(transaction)
    }
}
