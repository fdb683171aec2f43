//! Conferences as the management API shows them.

use super::{
    Conferences, Seat,
    conference::Conference,
    listing::{ConferenceOverview, ParticipantSummary},
    live::LiveConference,
};
use crate::{
    id::{AccountId, ConferenceKey, ConferenceName, ParticipantId},
    recording::RecordingOverview,
    state::State,
};
use std::collections::BTreeMap;

/// What goes on over all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Conferences by state; several reservations of one name are one conference.
    pub conferences: BTreeMap<State, usize>,
    /// Seats of those who are in and of those on the way in.
    pub seats_taken: usize,
}

impl Conferences {
    /// All conferences of an account from a name on, ordered by name.
    pub fn overviews(
        &self,
        account: AccountId,
        after: Option<&ConferenceName>,
    ) -> impl Iterator<Item = ConferenceOverview> {
        let name = after.cloned().unwrap_or_else(|| ConferenceName::new(""));
        let first = ConferenceKey { account, name };
        let is_after = after.is_some();
        self.conferences
            .range(first.clone()..)
            .skip_while(move |(key, _)| is_after && **key == first)
            .take_while(move |(key, _)| key.account == account)
            .map(|(key, conference)| overview(key, conference))
    }

    /// Who is heard talking in conferences of the account.
    #[must_use]
    pub fn talkers(&self, account: AccountId) -> Vec<(ConferenceName, ParticipantId)> {
        let first = ConferenceKey { account, name: ConferenceName::new("") };
        self.conferences
            .range(first..)
            .take_while(|(key, _)| key.account == account)
            .flat_map(|(key, conference)| {
                let talkers = conference.live().into_iter().flat_map(LiveConference::talkers);
                talkers.map(|id| (key.name.clone(), id.clone()))
            })
            .collect()
    }

    /// How many conferences are in each state, and how many seats are taken, over all accounts: by participants who are in and by
    /// those on the way in.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for conference in self.conferences.values() {
            *totals.conferences.entry(conference.state().unwrap_or(State::Holding)).or_default() += 1;
        }
        let taken = self.seats.values().filter(|seat| !matches!(seat, Seat::Waiting { .. }));
        totals.seats_taken = taken.count();
        totals
    }

    /// One conference; `None`: it is neither reserved nor open.
    #[must_use]
    pub fn overview(&self, key: &ConferenceKey) -> Option<ConferenceOverview> {
        self.conferences.get(key).map(|conference| overview(key, conference))
    }

    /// The recording of a conference; `None`: it is not recorded.
    #[must_use]
    pub fn recording(&self, key: &ConferenceKey) -> Option<RecordingOverview> {
        self.conferences.get(key).and_then(Conference::live).and_then(LiveConference::recording_overview)
    }

    /// Those who are not in yet, as they would enter now: first those on the way in, then those in the lobby, who come first there
    /// who have waited longest.
    #[must_use]
    pub fn expected(&self, key: &ConferenceKey) -> Vec<ParticipantSummary> {
        let Some(live) = self.conferences.get(key).and_then(Conference::live) else { return Vec::new() };
        let expected = live.admitted().chain(live.lobby.ids()).filter_map(|id| match self.seats.get(id)? {
            Seat::Admitted { guest, .. } => Some(live.expected(id, guest, false)),
            Seat::Waiting { guest, .. } => Some(live.expected(id, guest, true)),
            Seat::Entered { .. } => None,
        });
        expected.collect()
    }
}

fn overview(key: &ConferenceKey, conference: &Conference) -> ConferenceOverview {
    let live = conference.live();
    let inside = live.map_or(0, LiveConference::member_count);
    let in_lobby = live.map_or(0, |live| live.lobby.len());
    let started_at = live.and_then(LiveConference::started_at);
    let (participants, waiting) =
        if started_at.is_some() { (inside, in_lobby) } else { (0, inside + in_lobby) };
    ConferenceOverview {
        name: key.name.clone(),
        state: conference.state().unwrap_or(State::Holding),
        reservation: conference.reservation().cloned(),
        max_participants: conference.max_participants(),
        participants,
        waiting,
        started_at,
        controls: live.map(|live| live.controls),
        recording: live.and_then(LiveConference::recording_overview),
    }
}
