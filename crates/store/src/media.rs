//! Sounds of accounts, with their audio.
//!
//! They are in the database rather than in files, so that every process on it finds them, one backup holds all, and `plenary
//! database copy` takes them along. A file is stored in pieces, each in a transaction of its own, so that no other change waits long:
//!
//! ```text
//! upload_media: pieces under a random number ──▶ change_media: the row names them, in one transaction
//! ```
//!
//! A reader gets the old audio whole or the new one. Pieces that no row names after an hour belong to an upload that was given
//! up; the next upload deletes them.

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::changed_at,
    database::{Write, execute, now, postgres::Lock, random_bytes, read, within},
    error::listed,
    named::{Before, Kind, Statements, statements},
};
use plenary_model::{AccountId, FieldError, StoredMedia, Timestamp, check_media_name};
use thiserror::Error;

/// Sounds of an account at the most.
const MEDIA_MAX: i64 = 10_000;
/// Octets of a piece.
const PIECE_BYTES: usize = 1024 * 1024;
/// Pieces without a row are given up after so long.
const GIVEN_UP_MS: i64 = 3_600_000;
/// Of these so many go with one upload, at the most.
const DELETED_AT_ONCE: i64 = 64;
/// How often audio is looked for that is replaced while it is read.
const LOOKS_MAX: usize = 5;

/// Why a sound was not stored.
#[derive(Debug, Error)]
pub enum MediaError {
    /// The name is not allowed.
    #[error("{}", listed(.0))]
    Invalid(Vec<FieldError>),
    /// The account has too many.
    #[error("an account has at most {MEDIA_MAX} sounds")]
    TooMany,
    /// The account's sounds are too large.
    #[error(
        "all sounds of an account may have {most} bytes together; the others have {others} and this one has {bytes}"
    )]
    Full {
        /// What they may have.
        most: u64,
        /// What the others have.
        others: u64,
        /// What this one has.
        bytes: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that is stored and belongs to no name yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadedMedia {
    upload: i64,
    bytes: i64,
}

/// What is put in the place of a sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMedia {
    /// Its file.
    pub upload: UploadedMedia,
    /// What that is: `wav`, `flac`, `mp3`, `opus` or `vorbis`.
    pub format: String,
    /// How long it plays.
    pub duration_ms: u64,
    /// What all sounds of the account may have together, this one included.
    pub account_bytes_max: u64,
}

/// name, format, bytes, duration_ms, upload, created_at, updated_at
type Row = (String, String, i64, i64, i64, i64, i64);

fn stored((name, format, bytes, duration_ms, upload, created_at, updated_at): Row) -> StoredMedia {
    StoredMedia {
        name,
        format,
        bytes: bytes.unsigned_abs(),
        duration_ms: duration_ms.unsigned_abs(),
        version: upload.unsigned_abs(),
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
    }
}

impl Store {
    /// So many of an account's sounds at the most, ordered by name, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn media_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredMedia>, StoreError> {
        self.named_after::<Media>(account, after, limit).await
    }

    /// An account's sound, without its audio.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn media(&self, account: AccountId, name: &str) -> Result<Option<StoredMedia>, StoreError> {
        self.named::<Media>(account, name).await
    }

    /// An account's sound with its audio; without the audio where its version is the one that is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn media_audio(
        &self,
        account: AccountId,
        name: &str,
        known: Option<u64>,
    ) -> Result<Option<(StoredMedia, Option<Vec<u8>>)>, StoreError> {
        for _ in 0..LOOKS_MAX {
            let Some(media) = self.media(account, name).await? else { return Ok(None) };
            if known == Some(media.version) {
                return Ok(Some((media, None)));
            }
            let upload = i64::try_from(media.version).unwrap_or(i64::MAX);
            let pieces: Vec<Vec<u8>> = read!(self.base, "reading the audio of a sound", |on| {
                sqlx::query_scalar("SELECT data FROM media_pieces WHERE upload = $1 ORDER BY number")
                    .bind(upload)
                    .fetch_all(on)
            })?;
            let audio = pieces.concat();
            if audio.len() as u64 == media.bytes {
                return Ok(Some((media, Some(audio))));
            }
            // Replaced between the two questions.
        }
        Err(StoreError::Damaged { what: format!("sound {name}: its audio is not whole") })
    }

    /// Stores a file that [`Self::change_media`] then gives a name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_media(&self, audio: &[u8]) -> Result<UploadedMedia, StoreError> {
        let doing = "storing a piece of a sound";
        // Never negative, for it is shown without a sign.
        let upload = i64::from_be_bytes(random_bytes()) & i64::MAX;
        let at = now();
        for (number, piece) in audio.chunks(PIECE_BYTES).enumerate() {
            let mut transaction = self.base.write(doing, Lock::Nothing).await?;
            if number == 0 {
                execute!(
                    transaction,
                    doing,
                    sqlx::query(
                        "DELETE FROM media_pieces WHERE (upload, number) IN
                             (SELECT upload, number FROM media_pieces WHERE created_at < $1
                                  AND NOT EXISTS (SELECT 1 FROM media WHERE media.upload = media_pieces.upload)
                              ORDER BY created_at LIMIT $2)"
                    )
                    .bind(at.0.saturating_sub(GIVEN_UP_MS))
                    .bind(DELETED_AT_ONCE)
                )?;
            }
            execute!(
                transaction,
                doing,
                sqlx::query(
                    "INSERT INTO media_pieces (upload, number, created_at, data) VALUES ($1, $2, $3, $4)"
                )
                .bind(upload)
                .bind(i64::try_from(number).unwrap_or(i64::MAX))
                .bind(at.0)
                .bind(piece)
            )?;
            transaction.commit(doing).await?;
        }
        Ok(UploadedMedia { upload, bytes: i64::try_from(audio.len()).unwrap_or(i64::MAX) })
    }

    /// Deletes a file that no sound names, if the database is there; otherwise a later upload deletes it.
    pub async fn discard_media(&self, uploaded: UploadedMedia) {
        let doing = "removing a sound that was not stored";
        let discard = async {
            let mut transaction = self.base.write(doing, Lock::Nothing).await?;
            execute!(
                transaction,
                doing,
                sqlx::query(
                    "DELETE FROM media_pieces WHERE upload = $1
                         AND NOT EXISTS (SELECT 1 FROM media WHERE media.upload = $1)"
                )
                .bind(uploaded.upload)
            )?;
            transaction.commit(doing).await
        };
        if let Err(error) = discard.await {
            tracing::debug!(%error, "pieces of a sound are left behind for now");
        }
    }

    /// Changes the account's sound `name` by a decision about what it is.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`MediaError`] else.
    pub async fn change_media<E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&StoredMedia>) -> Result<Change<NewMedia>, E> + Send,
    ) -> Result<Changed<StoredMedia>, ChangeError<E, MediaError>> {
        self.change_named::<Media, E>(account, name, decide).await
    }

    /// Makes the account's sound `name`, or replaces it.
    ///
    /// # Errors
    /// [`MediaError`].
    pub async fn put_media(
        &self,
        account: AccountId,
        name: &str,
        media: NewMedia,
    ) -> Result<Changed<StoredMedia>, MediaError> {
        self.put_named::<Media>(account, name, media).await
    }
}

/// Sounds, as they are changed.
struct Media;

impl Media {
    /// Deletes the pieces of the sound that has the name.
    async fn delete_pieces(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
    ) -> Result<(), StoreError> {
        let delete = "DELETE FROM media_pieces WHERE upload IN
             (SELECT upload FROM media WHERE account_id = $1 AND name = $2)";
        execute!(transaction, Self::STATEMENTS.storing, sqlx::query(delete).bind(account.0).bind(name))
            .map(drop)
    }
}

impl Kind for Media {
    type Row = Row;
    type Stored = StoredMedia;
    type Body = NewMedia;
    type Error = MediaError;
    const STATEMENTS: Statements = statements!(
        "a sound", "sounds", "name, format, bytes, duration_ms, upload, created_at, updated_at" of media by name
    );

    fn stored(row: Row) -> Result<StoredMedia, StoreError> {
        Ok(stored(row))
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Before<'_, StoredMedia>,
        media: NewMedia,
    ) -> Result<StoredMedia, MediaError> {
        let errors = check_media_name(name);
        if !errors.is_empty() {
            return Err(MediaError::Invalid(errors));
        }
        let NewMedia { upload: UploadedMedia { upload, bytes }, format, duration_ms, account_bytes_max } =
            media;
        let (count, others): (i64, i64) =
            within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_as(
                "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM media
             WHERE account_id = $1 AND name <> $2"
            )
            .bind(account.0)
            .bind(name)
            .fetch_one(on))?;
        if count >= MEDIA_MAX {
            return Err(MediaError::TooMany);
        }
        let (others, size) = (others.unsigned_abs(), bytes.unsigned_abs());
        if others.saturating_add(size) > account_bytes_max {
            return Err(MediaError::Full { most: account_bytes_max, others, bytes: size });
        }
        Self::delete_pieces(transaction, account, name).await?;
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        let duration = i64::try_from(duration_ms).unwrap_or(i64::MAX);
        execute!(
            transaction,
            Self::STATEMENTS.storing,
            sqlx::query(
                "INSERT INTO media (account_id, name, format, bytes, duration_ms, upload, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
                 ON CONFLICT (account_id, name) DO UPDATE SET format = excluded.format, bytes = excluded.bytes,
                     duration_ms = excluded.duration_ms, upload = excluded.upload, updated_at = excluded.updated_at",
            )
            .bind(account.0)
            .bind(name)
            .bind(format.as_str())
            .bind(bytes)
            .bind(duration)
            .bind(upload)
            .bind(updated_at.0)
        )?;
        Ok(StoredMedia {
            name: name.to_owned(),
            format,
            bytes: size,
            duration_ms,
            version: upload.unsigned_abs(),
            created_at: before.stored().map_or(updated_at, |before| before.created_at),
            updated_at,
        })
    }

    async fn delete(transaction: &mut Write, account: AccountId, name: &str) -> Result<bool, StoreError> {
        Self::delete_pieces(transaction, account, name).await?;
        let Statements { delete, storing, .. } = Self::STATEMENTS;
        let deleted = execute!(transaction, storing, sqlx::query(delete).bind(account.0).bind(name))?;
        Ok(deleted == 1)
    }
}
