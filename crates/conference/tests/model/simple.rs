//! The model: people in a map, and a few flags for each room. Everything is looked up by looking at all of them, second by second.

use plenary_conference::{
    ControlsChange, MutedBy, ParticipantOptions, RoomRules, State, effect::Announcement,
};
use plenary_model::{Announce, NameId};
use std::collections::BTreeMap;

use crate::{
    Change, Deed, Step,
    support::{by, rules},
};

/// Board is reserved from minute 2 to minute 22.
pub(crate) const BOARD: (u64, u64) = (2, 22);
pub(crate) const SEATS: usize = 5;

/// The rooms by which people come: one that says nearly everything, one with a lobby, one that goes with its leader.
pub(crate) fn room_rules(which: u8) -> RoomRules {
    let rules = rules();
    match which {
        0 => RoomRules {
            announce: Announce::Name,
            end_after_leader_s: Some(300),
            time_warnings_min: vec![10, 5, 1],
            alone_min: 2,
            ..rules
        },
        1 => RoomRules {
            lobby: true,
            wait_for_leader: true,
            announce: Announce::Tone,
            muted_on_entry: true,
            time_warnings_min: vec![5, 3],
            ..rules
        },
        _ => RoomRules { wait_for_leader: true, end_after_leader_s: Some(0), alone_min: 1, ..rules },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Waiting,
    Admitted,
    Entered,
}

/// What the model knows of a call.
#[derive(Debug, Clone)]
pub(crate) struct Sitting {
    pub(crate) room: usize,
    pub(crate) options: ParticipantOptions,
    pub(crate) via: Option<(u8, bool)>,
    pub(crate) name: Option<NameId>,
    pub(crate) stage: Stage,
    /// When it got to this stage, among all.
    pub(crate) order: u64,
    /// By itself, by the leader, by the lecture.
    pub(crate) muted: [bool; 3],
    /// What was set before it was in.
    preset: Option<bool>,
    pub(crate) dtmf: bool,
    self_unmute: Option<bool>,
    made_leader: Option<bool>,
    pub(crate) hand: bool,
    pub(crate) held: bool,
    pub(crate) heard_by: Option<Vec<u8>>,
}

impl Sitting {
    pub(crate) fn leads(&self) -> bool {
        let by_itself = self.options.start_on_entry && self.options.destroy_on_exit
            || self.via.is_some_and(|(_, leader)| leader);
        self.made_leader.unwrap_or(by_itself)
    }

    /// Who leads the conference of a room speaks.
    pub(crate) fn may_talk(&self) -> bool {
        self.options.talker || self.leads() && self.via.is_some()
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted.contains(&true)
    }

    pub(crate) fn muted_by(&self) -> Option<MutedBy> {
        match self.muted {
            [_, true, _] => Some(MutedBy::Leader),
            [_, false, true] => Some(MutedBy::Lecture),
            [true, false, false] => Some(MutedBy::Own),
            [false, false, false] => None,
        }
    }

    pub(crate) fn is_in(&self) -> bool {
        self.stage == Stage::Entered
    }

    fn mute(&mut self, muted: [bool; 3], by_others: bool) {
        let was_muted = self.is_muted();
        self.muted = muted;
        if was_muted && !self.is_muted() && by_others {
            self.hand = false;
        }
    }
}

/// What is set for a room.
#[derive(Debug, Default, Clone)]
pub(crate) struct Room {
    pub(crate) started: bool,
    locked: bool,
    lecture: bool,
    muted_on_entry: bool,
    no_self_unmute: bool,
    all_muted: bool,
    quiet: bool,
    pub(crate) rules: Option<u8>,
    /// Since when there is one alone under these minutes.
    alone: Option<(u32, u64)>,
    /// When it ends because its leader has gone.
    ends: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) people: BTreeMap<u8, Sitting>,
    pub(crate) rooms: [Room; 3],
    pub(crate) seconds: u64,
    orders: u64,
    /// What was announced since it was last looked at: in which room, to all but whom.
    pub(crate) announced: Vec<(usize, Option<u8>, Announcement)>,
}

impl Model {
    /// Those of a room in a stage, in their order.
    pub(crate) fn at(&self, room: usize, stage: Stage) -> Vec<u8> {
        let mut found: Vec<(u64, u8)> = self
            .people
            .iter()
            .filter(|(_, sitting)| sitting.room == room && sitting.stage == stage)
            .map(|(who, sitting)| (sitting.order, *who))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, who)| who).collect()
    }

    pub(crate) fn inside(&self, room: usize) -> Vec<u8> {
        self.at(room, Stage::Entered)
    }

    fn seats(&self, room: usize) -> usize {
        self.inside(room).len() + self.at(room, Stage::Admitted).len()
    }

    pub(crate) fn has_leader(&self, room: usize) -> bool {
        self.inside(room).iter().any(|who| self.people[who].leads())
    }

    fn board(&self) -> Option<State> {
        match self.seconds / 60 {
            minutes if minutes < BOARD.0 => Some(State::Reserved),
            minutes if minutes < BOARD.1 => None,
            minutes if minutes < BOARD.1 + 5 => Some(State::Completed),
            _ => None,
        }
    }

    fn is_board_open(&self) -> bool {
        (BOARD.0..BOARD.1).contains(&(self.seconds / 60))
    }

    fn is_reserved(&self, room: usize) -> bool {
        room == 2 && (self.is_board_open() || self.board().is_some())
    }

    pub(crate) fn state(&self, room: usize) -> Option<State> {
        if room == 2 && self.board().is_some() {
            return self.board();
        }
        let exists = !self.inside(room).is_empty() || room == 2 && self.is_board_open();
        exists.then_some(if self.rooms[room].started { State::Active } else { State::Holding })
    }

    /// What may be controlled: the board while it is open, another room while a call is in, on the way in or in the lobby.
    fn is_open(&self, room: usize) -> bool {
        match self.is_reserved(room) {
            true => self.is_board_open(),
            false => self.people.values().any(|sitting| sitting.room == room),
        }
    }

    fn takes(&self, room: usize, needs_seat: bool, passes_lock: bool) -> bool {
        let is_closed = room == 2 && self.board().is_some();
        let is_locked = self.rooms[room].locked && !passes_lock;
        !is_closed && !is_locked && (!needs_seat || self.seats(room) < SEATS)
    }

    pub(crate) fn rules(&self, room: usize) -> Option<RoomRules> {
        self.rooms[room].rules.map(room_rules)
    }

    pub(crate) fn may_unmute(&self, sitting: &Sitting) -> bool {
        sitting.leads() || sitting.self_unmute.unwrap_or(!self.rooms[sitting.room].no_self_unmute)
    }

    fn all_in(&mut self, room: usize) -> impl Iterator<Item = (&u8, &mut Sitting)> {
        self.people.iter_mut().filter(move |(_, sitting)| sitting.room == room && sitting.is_in())
    }

    fn next_order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }

    fn adopt(&mut self, room: usize, rules: u8) {
        let before = self.rules(room).is_some_and(|rules| rules.muted_on_entry);
        let now = room_rules(rules).muted_on_entry;
        if before != now {
            self.rooms[room].muted_on_entry = now;
        }
        self.rooms[room].rules = Some(rules);
    }

    fn control(&mut self, room: usize, change: ControlsChange, pressed: Option<u8>) {
        let set = &mut self.rooms[room];
        set.locked = change.locked.unwrap_or(set.locked);
        set.muted_on_entry = change.muted_on_entry.unwrap_or(set.muted_on_entry);
        set.no_self_unmute = change.self_unmute.map_or(set.no_self_unmute, |may| !may);
        if let Some(lecture) = change.lecture.filter(|lecture| *lecture != set.lecture) {
            set.lecture = lecture;
            for (who, sitting) in self.all_in(room) {
                let [own, leader, _] = sitting.muted;
                let by_lecture = lecture && !sitting.leads();
                sitting.mute([own, leader, by_lecture], Some(*who) != pressed);
            }
        }
    }

    fn mute_all(&mut self, room: usize, muted: bool, except_leaders: bool) {
        self.rooms[room].all_muted = muted;
        for (_, sitting) in self.all_in(room) {
            if !(except_leaders && sitting.leads()) {
                let [own, _, lecture] = sitting.muted;
                sitting.mute([own, muted, lecture], true);
            }
        }
    }

    /// All can be heard but those who muted themselves.
    fn open_floor(&mut self, room: usize, pressed: u8) {
        (self.rooms[room].all_muted, self.rooms[room].lecture) = (false, false);
        for (who, sitting) in self.all_in(room) {
            let [own, ..] = sitting.muted;
            sitting.mute([own, false, false], *who != pressed);
        }
    }

    fn start_if_possible(&mut self, room: usize) {
        let waits = self.rules(room).is_some_and(|rules| rules.wait_for_leader);
        let inside: Vec<&Sitting> =
            self.people.values().filter(|other| other.room == room && other.is_in()).collect();
        if inside.len() >= 2
            && inside.iter().any(|other| other.leads() || other.options.start_on_entry && !waits)
            && inside.iter().any(|other| other.may_talk())
        {
            self.rooms[room].started = true;
        }
    }

    fn announce(&mut self, room: usize, but: Option<u8>, what: Announcement) {
        self.announced.push((room, but, what));
    }

    /// What is played as one comes or goes, where anything is.
    fn name_to_play(&self, sitting: &Sitting) -> Option<Option<NameId>> {
        let room = &self.rooms[sitting.room];
        if !room.started || room.quiet {
            return None;
        }
        match self.rules(sitting.room)?.announce {
            Announce::Name => Some(sitting.name.clone()),
            Announce::Tone => Some(None),
            Announce::None => None,
        }
    }

    fn enter(&mut self, who: u8) {
        let order = self.next_order();
        let sitting = self.people.get_mut(&who).expect("it has a seat");
        let (room, leads) = (sitting.room, sitting.leads());
        let set = &self.rooms[room];
        sitting.muted[1] = sitting.preset.unwrap_or(set.muted_on_entry && !leads);
        sitting.muted[2] = set.lecture && !leads && sitting.preset != Some(false);
        (sitting.stage, sitting.order) = (Stage::Entered, order);
        if let Some(mut by) = sitting.heard_by.take() {
            by.retain(|id| *id != who && self.inside(room).contains(id));
            self.people.get_mut(&who).expect("as above").heard_by = Some(by);
        }
        self.start_if_possible(room);
        if let Some(name) = self.name_to_play(&self.people[&who]) {
            self.announce(room, Some(who), Announcement::Joined { name });
        }
    }

    /// Takes one out. `is_quiet_end`: its leaving ends nothing as its options say; `replaced`: nor as the rules say, and it is not
    /// announced.
    fn remove(&mut self, who: u8, moves: bool, replaced: bool) -> Option<Sitting> {
        let sitting = self.people.remove(&who)?;
        let room = sitting.room;
        if sitting.is_in() {
            let ends = sitting.options.destroy_on_exit
                && sitting.via.is_none()
                && sitting.made_leader != Some(false)
                && !moves
                && !replaced;
            if ends || self.one_left(who, &sitting, replaced) {
                self.close(room);
            }
        }
        let is_vacant = self.seats(room) == 0;
        if is_vacant && sitting.stage != Stage::Waiting && !self.is_reserved(room) {
            let rules = self.rooms[room].rules;
            let muted_on_entry = self.rules(room).is_some_and(|rules| rules.muted_on_entry);
            self.rooms[room] = Room { rules, muted_on_entry, ..Room::default() };
        }
        if is_vacant && sitting.stage != Stage::Waiting {
            self.rooms[room].locked = false;
        }
        Some(sitting)
    }

    /// Whether all have to go.
    fn one_left(&mut self, who: u8, gone: &Sitting, replaced: bool) -> bool {
        let room = gone.room;
        for (_, other) in self.all_in(room) {
            if let Some(by) = &mut other.heard_by {
                by.retain(|id| *id != who);
            }
        }
        // The last one who stays hears it too.
        if let Some(name) = self.name_to_play(gone).filter(|_| !replaced) {
            self.announce(room, Some(who), Announcement::Left { name });
        }
        let left = self.inside(room).len();
        self.rooms[room].started &= left >= 2;
        self.rooms[room].all_muted &= left > 0;
        if !gone.leads() || replaced || self.has_leader(room) || left == 0 {
            return false;
        }
        match self.rules(room).map(|rules| rules.end_after_leader_s) {
            Some(Some(0)) => true,
            Some(ends_in_s) => {
                self.rooms[room].ends = ends_in_s.map(|seconds| self.seconds + u64::from(seconds));
                self.announce(room, None, Announcement::LeaderLeft { ends_in_s });
                false
            }
            None => false,
        }
    }

    fn close(&mut self, room: usize) {
        self.people.retain(|_, sitting| sitting.room != room);
        (self.rooms[room].started, self.rooms[room].all_muted) = (false, false);
        self.rooms[room].locked = false;
    }

    /// What follows from how things stand.
    fn settle(&mut self) {
        for room in 0..3 {
            let inside = self.inside(room).len();
            if self.people.values().all(|sitting| sitting.room != room) && !self.is_reserved(room) {
                self.rooms[room] = Room::default();
            }
            if inside == 0 || self.has_leader(room) {
                self.rooms[room].ends = None;
            }
            let minutes = self.rules(room).map_or(0, |rules| rules.alone_min);
            let comes = !self.at(room, Stage::Admitted).is_empty();
            let alone = (inside == 1 && !comes && minutes > 0).then_some(minutes);
            let since = self.rooms[room].alone;
            self.rooms[room].alone = match (alone, since) {
                (Some(minutes), Some((before, since))) if minutes == before => Some((minutes, since)),
                (Some(minutes), _) => {
                    if minutes == 1 {
                        self.announce(room, None, Announcement::AloneEndsIn { seconds: 60 });
                    }
                    Some((minutes, self.seconds))
                }
                (None, _) => None,
            };
        }
    }

    fn second(&mut self) {
        let was_open = self.is_board_open();
        self.seconds += 1;
        if was_open && !self.is_board_open() {
            self.close(2);
            self.rooms[2] = Room::default();
        }
        for room in 0..3 {
            let Room { ends, alone, .. } = self.rooms[room];
            let alone_s = alone.map(|(minutes, since)| (u64::from(minutes) * 60, self.seconds - since));
            if ends == Some(self.seconds) || alone_s.is_some_and(|(all, is)| is == all) {
                self.close(room);
            } else if alone_s.is_some_and(|(all, is)| is + 60 == all) {
                self.announce(room, None, Announcement::AloneEndsIn { seconds: 60 });
            }
        }
        let left_s = (BOARD.1 * 60).saturating_sub(self.seconds);
        let warns = |rules: RoomRules| {
            rules.time_warnings_min.iter().any(|minutes| u64::from(*minutes) * 60 == left_s)
        };
        if self.is_board_open() && !self.inside(2).is_empty() && self.rules(2).is_some_and(warns) {
            self.announce(2, None, Announcement::EndsIn { seconds: left_s as u32 });
        }
        self.settle();
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.take(step);
        self.settle();
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Admit { who, room, options, via, name } => {
                let room = usize::from(*room);
                let order = self.next_order();
                let sitting = Sitting {
                    room,
                    options: options.clone(),
                    via: *via,
                    name: name.clone().filter(|_| via.is_some()),
                    stage: Stage::Admitted,
                    order,
                    muted: [false; 3],
                    preset: None,
                    dtmf: true,
                    self_unmute: None,
                    made_leader: None,
                    hand: false,
                    held: false,
                    heard_by: None,
                };
                let waits = via.is_some_and(|(rules, _)| room_rules(rules).lobby) && !sitting.leads();
                let has_pin_of_leaders = via.is_some_and(|(_, is_leader)| is_leader);
                if self.people.contains_key(who) || !self.takes(room, !waits, has_pin_of_leaders) {
                    return;
                }
                if let Some((rules, _)) = via {
                    self.adopt(room, *rules);
                }
                let stage = if waits { Stage::Waiting } else { Stage::Admitted };
                self.people.insert(*who, Sitting { stage, ..sitting });
            }
            Step::Connect { who } => {
                if self.people.get(who).is_some_and(|sitting| sitting.stage == Stage::Admitted) {
                    self.enter(*who);
                }
            }
            Step::Gone { who } => drop(self.remove(*who, false, false)),
            Step::TakenOver { who } => drop(self.remove(*who, false, true)),
            Step::Press { who, key } => self.press(*who, *key),
            Step::Options { who, room, muted, dtmf } => {
                let room = usize::from(*room);
                if self.state(room) == Some(State::Active)
                    && let Some(sitting) = self.people.get_mut(who)
                    && sitting.room == room
                    && sitting.is_in()
                {
                    set(sitting, *muted, *dtmf);
                }
            }
            Step::Change { who, room, change } => self.change(*who, usize::from(*room), change),
            Step::Remove { who, room } => {
                if self.people.get(who).is_some_and(|sitting| sitting.room == usize::from(*room)) {
                    self.remove(*who, false, false);
                }
            }
            Step::AdmitWaiting { room, who } => self.admit_waiting(usize::from(*room), *who),
            Step::Move { who, room, to } => self.move_to(*who, usize::from(*room), usize::from(*to)),
            Step::MuteAll { room, muted, except_leaders, self_unmute } => {
                let room = usize::from(*room);
                if self.is_open(room) {
                    let change = ControlsChange { self_unmute: *self_unmute, ..ControlsChange::default() };
                    self.control(room, change, None);
                    self.mute_all(room, *muted, *except_leaders);
                }
            }
            Step::Controls { room, change } => {
                if self.is_open(usize::from(*room)) {
                    self.control(usize::from(*room), *change, None);
                }
            }
            Step::Command { who, deed } => self.command(*who, *deed),
            Step::End { room } => {
                if !self.is_reserved(usize::from(*room)) {
                    self.close(usize::from(*room));
                }
            }
            Step::Eject { who, room } => {
                let room = usize::from(*room);
                let is_there = |sitting: &Sitting| sitting.room == room && sitting.is_in();
                if self.state(room) == Some(State::Active) && self.people.get(who).is_some_and(is_there) {
                    self.remove(*who, false, false);
                }
            }
            Step::Pass { seconds } => {
                for _ in 0..*seconds {
                    self.second();
                }
            }
        }
    }

    fn press(&mut self, who: u8, key: char) {
        let Some(sitting) = self.people.get(&who).filter(|sitting| sitting.is_in()) else { return };
        if !sitting.dtmf || sitting.options.exit_digit.is_none() {
            return;
        }
        match key {
            '9' => drop(self.remove(who, false, false)),
            '1' => self.toggle_mute(who),
            _ => {}
        }
    }

    fn toggle_mute(&mut self, who: u8) {
        let may_unmute = self.may_unmute(&self.people[&who]);
        let Some(sitting) = self.people.get_mut(&who) else { return };
        let [_, leader, lecture] = sitting.muted;
        let muted = match sitting.is_muted() {
            true => [false, leader && !may_unmute, lecture],
            false => [true, leader, lecture],
        };
        sitting.mute(muted, false);
    }

    fn change(&mut self, who: u8, room: usize, change: &Change) {
        let heard_is_in = |by: &Vec<u8>| by.iter().all(|id| self.inside(room).contains(id));
        if let Some(Some(by)) = &change.heard_by
            && !heard_is_in(by)
        {
            return;
        }
        let lecture = self.rooms[room].lecture;
        let is_full = self.seats(room) >= SEATS;
        let Some(sitting) = self.people.get_mut(&who).filter(|sitting| sitting.room == room) else { return };
        let enters = sitting.stage == Stage::Waiting && change.leader == Some(true);
        if enters && is_full {
            return;
        }
        if !sitting.is_in() {
            sitting.preset = change.muted.or(sitting.preset);
            sitting.dtmf = change.dtmf.unwrap_or(sitting.dtmf);
            sitting.self_unmute = change.self_unmute.unwrap_or(sitting.self_unmute);
            sitting.held = change.held.unwrap_or(sitting.held);
            sitting.made_leader = change.leader.or(sitting.made_leader);
            sitting.heard_by = change.heard_by.clone().unwrap_or(sitting.heard_by.clone());
            if enters {
                self.admit_waiting(room, Some(who));
            }
            return;
        }
        let becomes = change.leader.filter(|leader| *leader != sitting.leads());
        if let Some(leader) = becomes {
            sitting.made_leader = Some(leader);
            let [own, by_leader, _] = sitting.muted;
            sitting.mute([own, by_leader, lecture && !leader], true);
        }
        sitting.self_unmute = change.self_unmute.unwrap_or(sitting.self_unmute);
        set(sitting, change.muted, change.dtmf);
        sitting.hand &= !change.lower_hand;
        sitting.held = change.held.unwrap_or(sitting.held);
        if let Some(by) = &change.heard_by {
            sitting.heard_by = by.clone().map(|by| {
                let mut once: Vec<u8> = Vec::new();
                by.into_iter().for_each(|id| {
                    if !once.contains(&id) {
                        once.push(id)
                    }
                });
                once
            });
        }
        if becomes == Some(true) {
            self.start_if_possible(room);
        }
    }

    fn admit_waiting(&mut self, room: usize, who: Option<u8>) {
        for waiting in self.at(room, Stage::Waiting) {
            if who.is_none_or(|who| who == waiting) && self.seats(room) < SEATS {
                let order = self.next_order();
                let sitting = self.people.get_mut(&waiting).expect("it waits");
                (sitting.stage, sitting.order) = (Stage::Admitted, order);
            }
        }
    }

    fn move_to(&mut self, who: u8, room: usize, to: usize) {
        let is_there = |sitting: &Sitting| sitting.room == room && sitting.is_in();
        if !self.people.get(&who).is_some_and(is_there) || room == to || !self.takes(to, true, false) {
            return;
        }
        let mut sitting = self.remove(who, true, false).expect("it is there");
        self.settle();
        if let (Some((rules, _)), None) = (sitting.via, self.rooms[to].rules) {
            self.adopt(to, rules);
        }
        (sitting.room, sitting.stage) = (to, Stage::Admitted);
        (sitting.held, sitting.hand, sitting.heard_by) = (false, false, None);
        sitting.preset = sitting.muted[1].then_some(true);
        self.people.insert(who, sitting);
        self.enter(who);
    }

    fn command(&mut self, who: u8, deed: Deed) {
        let Some(sitting) = self.people.get(&who).filter(|sitting| sitting.is_in()) else { return };
        let (room, leads, has_keys) = (sitting.room, sitting.leads(), sitting.dtmf);
        match deed {
            Deed::Leave => return drop(self.remove(who, false, false)),
            _ if !has_keys => return,
            Deed::Mute if !self.people[&who].may_talk() => return,
            Deed::Mute => return self.toggle_mute(who),
            Deed::Hand => {
                let sitting = self.people.get_mut(&who).expect("it is in");
                sitting.hand = !sitting.hand;
                return;
            }
            _ if !leads => return,
            _ => {}
        }
        let Room { all_muted, lecture, locked, .. } = self.rooms[room];
        match deed {
            Deed::Floor if lecture => self.open_floor(room, who),
            Deed::Floor if all_muted => {
                (self.rooms[room].all_muted, self.rooms[room].lecture) = (false, true);
                for (_, sitting) in self.all_in(room).filter(|(_, sitting)| !sitting.leads()) {
                    let [own, ..] = sitting.muted;
                    sitting.mute([own, false, true], true);
                }
            }
            Deed::MuteAll if lecture || all_muted => self.open_floor(room, who),
            Deed::Floor | Deed::MuteAll => self.mute_all(room, true, true),
            Deed::Lecture => {
                let change = ControlsChange { lecture: Some(!lecture), ..ControlsChange::default() };
                self.control(room, change, Some(who));
            }
            Deed::Lock => self.rooms[room].locked = !locked,
            Deed::Sounds => self.rooms[room].quiet = !self.rooms[room].quiet,
            Deed::EjectLast => {
                let last = self.inside(room).into_iter().rfind(|other| !self.people[other].leads());
                last.map(|last| self.remove(last, false, false));
            }
            Deed::AdmitNext => {
                if let Some(first) = self.at(room, Stage::Waiting).first() {
                    self.admit_waiting(room, Some(*first));
                }
            }
            Deed::AdmitAll => self.admit_waiting(room, None),
            Deed::RefuseNext => {
                if let Some(first) = self.at(room, Stage::Waiting).first() {
                    self.people.remove(first);
                }
            }
            Deed::End => self.close(room),
            Deed::Leave | Deed::Mute | Deed::Hand => {}
        }
    }

    /// Whether a participant is heard, and hears.
    pub(crate) fn voice(&self, who: u8) -> (bool, bool) {
        let sitting = &self.people[&who];
        let listens = self.rooms[sitting.room].started && !sitting.held;
        (listens && sitting.may_talk() && !sitting.is_muted(), listens)
    }

    /// What one hears who waits for the start.
    pub(crate) fn loops(&self, who: u8) -> bool {
        let sitting = &self.people[&who];
        !self.rooms[sitting.room].started && !sitting.held && sitting.options.while_stopped_media.is_some()
    }
}

fn set(sitting: &mut Sitting, muted: Option<bool>, dtmf: Option<bool>) {
    let [own, _, lecture] = sitting.muted;
    match muted {
        Some(true) => sitting.mute([own, true, lecture], true),
        Some(false) => sitting.mute([false; 3], true),
        None => {}
    }
    sitting.dtmf = dtmf.unwrap_or(sitting.dtmf);
}

/// The room by which one comes.
pub(crate) fn via_room(rules: u8, is_leader: bool, name: Option<NameId>) -> plenary_conference::ViaRoom {
    plenary_conference::ViaRoom { is_leader, name, ..by(&room_rules(rules)) }
}
