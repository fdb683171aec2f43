//! Checking a PIN that a caller keyed in.
//!
//! ```text
//! levels read ──too many──▶ TooMany, the PIN is not looked at
//!      │
//!      ▼
//! hash compared ──right──▶ noted, once a day ──▶ Right
//!      └────────wrong──▶ all levels raised, and the account told of the 20th, in one transaction ──▶ Wrong
//! ```
//!
//! PINs of one account are checked one after the other within a process, so many calls at once guess no more than one. The
//! levels are in the database: they outlast a restart, and other processes see them.

use super::{
    line,
    pins::{Door, PinHash},
};
use crate::{
    Store, StoreError,
    database::{Write, execute, read, within},
    events::append,
    guessing::{ALARMED, CALLER, EMPTY_MS, Level, Place, Tries, UNKNOWN_MS, alarm, room_drain},
};
use plenary_model::{
    AccountEvent, AccountId, Actor, ConferenceName, EventKind, EventRecord, Timestamp, is_room_number,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv6Addr};

/// The caller who keyed a PIN in, distinguished by what a caller cannot choose freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinCaller<'a> {
    /// Where the call comes from.
    pub source: PinSource<'a>,
    /// The number or the name that the call shows; `None`: it shows none.
    pub name: Option<&'a str>,
    /// The number of the call, unique in this process, which keeps the PIN and asks again where it was not looked at: it gets its
    /// place in the order in which calls began to wait. `None`: it does not ask again.
    pub call: Option<u64>,
}

/// Where a call comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinSource<'a> {
    /// An address. Of IPv6 the first 64 bits count.
    Address(IpAddr),
    /// A trunk of the account, by its name.
    Trunk(&'a str),
    /// A user of the account who has shown a password.
    User(&'a str),
    /// No call: a person or a key of the account, as a web service names them.
    Web(&'a str),
}

impl PinCaller<'_> {
    fn place(&self) -> Place {
        let is_user = matches!(self.source, PinSource::User(_) | PinSource::Web(_));
        let is_trunk = matches!(self.source, PinSource::Trunk(_));
        Place { is_trunk, is_shared: self.name.is_none() && !is_user }
    }

    /// What distinguishes the source, and what the caller. Hashed: names may be long, and of numbers no more is kept than
    /// it takes.
    fn who(&self) -> ([u8; 32], [u8; 32]) {
        let source = match self.source {
            PinSource::Address(address) => format!("address {}", network(address)),
            PinSource::Trunk(name) => format!("trunk {name}"),
            PinSource::User(name) => format!("user {}", name.to_ascii_lowercase()),
            PinSource::Web(name) => format!("web {name}"),
        };
        let name = match self.source {
            // A user who has shown a password is one caller, whatever number the call shows.
            PinSource::User(_) | PinSource::Web(_) => "",
            PinSource::Address(_) | PinSource::Trunk(_) => self.name.unwrap_or_default(),
        };
        let mut caller = Sha256::new();
        caller.update((source.len() as u64).to_be_bytes());
        caller.update(&source);
        caller.update(name);
        (Sha256::digest(&source).into(), caller.finalize().into())
    }
}

/// What one customer has: an address of IPv4, 64 bits of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// What became of a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinCheck {
    /// Whether it is one.
    pub outcome: PinOutcome,
    /// The leaders in the room's conference are to be warned that its PINs are being guessed: so many were wrong of late. It is
    /// said once for the 20th, the 40th, the 80th and so on; the event that tells programs is written by then.
    pub guessing: Option<u32>,
}

/// Whether a PIN is one of the room's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinOutcome {
    /// It is, or the room has none.
    Right {
        /// It is that of leaders.
        leader: bool,
    },
    /// It is not.
    Wrong,
    /// It was not looked at, for too many were wrong before.
    TooMany {
        /// From then on the next one is.
        retry_at: Timestamp,
    },
    /// There is no such room.
    NoRoom,
}

/// kind, level, at, right_at
type Row = (String, i64, i64, Option<i64>);

const DOING: &str = "counting wrong PINs";
/// Rows too old that one check deletes at the most.
const DELETED_AT_ONCE: i64 = 100;

/// Where a check is counted.
struct Counted<'a> {
    account: AccountId,
    room: &'a str,
    place: Place,
    source: [u8; 32],
    caller: [u8; 32],
    now: Timestamp,
}

/// The levels that a check looks at.
macro_rules! select {
    ($counted:expr) => {
        sqlx::query_as(SELECT_TRIES)
            .bind($counted.account.0)
            .bind($counted.room)
            .bind(&$counted.caller[..])
            .bind(&$counted.source[..])
    };
}

impl Store {
    /// Whether a PIN is one of the room's, unless there were too many wrong ones. Wrong ones count, of whatever length. It
    /// takes about 20 ms, and longer where many are checked at once.
    ///
    /// # Errors
    /// When the database fails. Then nothing is known, and the PIN counts neither as right nor as wrong.
    pub async fn check_pin(
        &self,
        account: AccountId,
        room: &str,
        pin: &str,
        caller: PinCaller<'_>,
        now: Timestamp,
    ) -> Result<PinCheck, StoreError> {
        let known = |outcome| PinCheck { outcome, guessing: None };
        let Some((participants, leaders)) = self.pin_hashes(account, room).await? else {
            return Ok(known(PinOutcome::NoRoom));
        };
        if participants.is_none() && leaders.is_none() {
            return Ok(known(PinOutcome::Right { leader: false }));
        }
        let (source, who) = caller.who();
        let counted = Counted { account, room, place: caller.place(), source, caller: who, now };
        let _turn = self.pins.turn(account).await;
        let rows: Vec<Row> = read!(self.base, DOING, |on| select!(counted).fetch_all(on))?;
        let (tries, _) = tries(rows);
        if let Some(retry_at) = self.wait(&counted, &tries, caller.call) {
            return Ok(known(PinOutcome::TooMany { retry_at }));
        }
        let door = Door { account, number: room.to_owned() };
        let hashes = (participants.as_ref(), leaders.as_ref());
        let found = self.pins.compare(self.pin_secret().await?, &door, pin, hashes).await?;
        match found {
            Some(leader) => {
                if tries.is_news(counted.place, now) {
                    self.note_right(&counted).await?;
                }
                Ok(known(PinOutcome::Right { leader }))
            }
            None => {
                let guessing = self.note_wrong(&counted).await?;
                if let Some(wrong) = guessing {
                    tracing::warn!(account = account.0, room, wrong, "PINs of a room are being guessed");
                }
                Ok(PinCheck { outcome: PinOutcome::Wrong, guessing })
            }
        }
    }

    /// From when on the PIN is looked at; `None`: now.
    fn wait(&self, counted: &Counted<'_>, tries: &Tries, call: Option<u64>) -> Option<Timestamp> {
        let now = counted.now;
        let free_at = tries.wait(counted.place, now);
        let Some(call) = call else { return free_at };
        let place = line::Place {
            call,
            room: counted.room.to_owned(),
            caller: counted.caller,
            source: counted.source,
            is_known: tries.is_known(counted.place, now),
        };
        self.pins.in_line(counted.account, |line| {
            let retry_at = line.behind(&place, now).max(free_at);
            match retry_at {
                Some(until) => line.keep(&place, until),
                None => line.leave(call),
            }
            retry_at
        })
    }

    /// The hashes of a room's PINs: that of participants, that of leaders.
    async fn pin_hashes(
        &self,
        account: AccountId,
        room: &str,
    ) -> Result<Option<(Option<PinHash>, Option<PinHash>)>, StoreError> {
        if !is_room_number(room) {
            return Ok(None);
        }
        let row: Option<(Option<String>, Option<String>)> =
            read!(self.base, "reading the PINs of a room", |on| sqlx::query_as(
                "SELECT pin_hash, leader_pin_hash FROM rooms WHERE account_id = $1 AND number = $2"
            )
            .bind(account.0)
            .bind(room)
            .fetch_optional(on))?;
        Ok(row.map(|(pin, leader_pin)| (pin.map(PinHash::stored), leader_pin.map(PinHash::stored))))
    }

    async fn note_right(&self, counted: &Counted<'_>) -> Result<(), StoreError> {
        let mut transaction = self.write(DOING).await?;
        execute!(
            transaction,
            DOING,
            sqlx::query(
                "INSERT INTO pin_tries (account_id, room, kind, who, level, at, right_at)
                 VALUES ($1, $2, 'caller', $3, 0, $4, $4)
                 ON CONFLICT (account_id, room, kind, who) DO UPDATE SET right_at = excluded.right_at",
            )
            .bind(counted.account.0)
            .bind(counted.room)
            .bind(&counted.caller[..])
            .bind(counted.now.0)
        )?;
        transaction.commit(DOING).await
    }

    /// Raises the levels, and says whether leaders are to be warned. If so, the event is in the same transaction.
    async fn note_wrong(&self, counted: &Counted<'_>) -> Result<Option<u32>, StoreError> {
        let now = counted.now;
        let mut transaction = self.write(DOING).await?;
        // Read again: another process may have raised them.
        let rows: Vec<Row> = within!(transaction, DOING, |on| select!(counted).fetch_all(on))?;
        let (tries, alarmed) = tries(rows);
        let levels: [(&str, &str, &[u8], Level); 4] = [
            ("caller", counted.room, &counted.caller, tries.caller.raised(now, CALLER)),
            ("source", "", &counted.source, tries.source.raised(now, counted.place.source_drain())),
            ("room", counted.room, &[], tries.room.raised(now, room_drain())),
            ("alarm", counted.room, &[], alarmed.raised(now, ALARMED)),
        ];
        for (kind, room, who, level) in levels {
            execute!(
                transaction,
                DOING,
                sqlx::query(
                    "INSERT INTO pin_tries (account_id, room, kind, who, level, at) VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (account_id, room, kind, who) DO UPDATE SET level = excluded.level, at = excluded.at",
                )
                .bind(counted.account.0)
                .bind(room)
                .bind(kind)
                .bind(who)
                .bind(level.thousandths)
                .bind(level.at.0)
            )?;
        }
        execute!(
            transaction,
            DOING,
            sqlx::query(
                "DELETE FROM pin_tries WHERE (account_id, room, kind, who) IN
                     (SELECT account_id, room, kind, who FROM pin_tries
                      WHERE at < $1 AND (right_at IS NULL OR right_at < $2) ORDER BY at LIMIT $3)"
            )
            .bind(now.0.saturating_sub(EMPTY_MS))
            .bind(now.0.saturating_sub(UNKNOWN_MS))
            .bind(DELETED_AT_ONCE)
        )?;
        let guessing = alarm(alarmed, now);
        let event = match guessing {
            Some(wrong) => guessed(&mut transaction, counted, wrong).await?,
            None => None,
        };
        let written = append(&mut transaction, event.as_slice(), false).await?.unwrap_or_default();
        transaction.commit(DOING).await?;
        self.news.tell(&written);
        Ok(guessing)
    }
}

/// What tells that PINs of the room are being guessed; `None`: the room has gone meanwhile.
async fn guessed(
    transaction: &mut Write,
    counted: &Counted<'_>,
    wrong: u32,
) -> Result<Option<AccountEvent>, StoreError> {
    let body: Option<String> = within!(transaction, DOING, |on| sqlx::query_scalar(
        "SELECT body FROM rooms WHERE account_id = $1 AND number = $2"
    )
    .bind(counted.account.0)
    .bind(counted.room)
    .fetch_optional(on))?;
    let body = body.and_then(|body| serde_json::from_str::<Value>(&body).ok());
    let Some(conference) = body.as_ref().and_then(|body| body["conference"].as_str()) else {
        return Ok(None);
    };
    let event = EventRecord {
        at: counted.now,
        conference: Some(ConferenceName::new(conference)),
        participant_id: None,
        actor: Actor::system(),
        reason: None,
        kind: EventKind::RoomGuessing { room: counted.room.to_owned(), wrong },
    };
    Ok(Some(AccountEvent { account: counted.account, event }))
}

/// The PINs of a room have changed: earlier tries, wrong and right ones, mean nothing any more.
pub(super) async fn forget_tries(
    transaction: &mut Write,
    account: AccountId,
    room: &str,
) -> Result<(), StoreError> {
    let delete = "DELETE FROM pin_tries WHERE account_id = $1 AND room = $2";
    execute!(transaction, DOING, sqlx::query(delete).bind(account.0).bind(room)).map(drop)
}

/// The levels of a caller, and that of the room's alarm.
fn tries(rows: Vec<Row>) -> (Tries, Level) {
    let (mut tries, mut alarmed) = (Tries::default(), Level::default());
    for (kind, thousandths, at, right_at) in rows {
        let level = Level { thousandths, at: Timestamp(at) };
        match kind.as_str() {
            "caller" => (tries.caller, tries.right_at) = (level, right_at.map(Timestamp)),
            "source" => tries.source = level,
            "room" => tries.room = level,
            _ => alarmed = level,
        }
    }
    (tries, alarmed)
}

const SELECT_TRIES: &str = "SELECT kind, level, at, right_at FROM pin_tries WHERE account_id = $1 AND
     (room = $2 AND ((kind = 'caller' AND who = $3) OR kind IN ('room', 'alarm')) OR room = '' AND kind = 'source' AND who = $4)";
