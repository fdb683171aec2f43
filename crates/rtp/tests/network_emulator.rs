//! The emulated network does what its scenarios say, and the same for the same seed.

#[path = "support/network.rs"]
mod network;

use network::{Effect, Fate, Network, SEEDS, SINGLE, START_NS, Whereabouts};

const MS: u64 = 1_000_000;
const SECONDS: u64 = 20;

/// Packets that arrive after one that was sent later, duplicates aside.
fn overtaken(network: &Network) -> usize {
    let mut seen = vec![false; network.frames.len()];
    let mut newest = 0;
    let mut count = 0;
    for packet in &network.packets {
        let is_new = !std::mem::replace(&mut seen[packet.place], true);
        count += usize::from(is_new && packet.place < newest);
        newest = newest.max(packet.place);
    }
    count
}

fn lost(network: &Network) -> usize {
    network.frames.iter().filter(|frame| frame.fate == Fate::Lost).count()
}

fn sent(network: &Network) -> usize {
    network.frames.iter().filter(|frame| frame.fate != Fate::NotSent).count()
}

/// What the timestamps do from each packet to the next beyond what its length explains, in the order of sending.
fn leaps(network: &Network) -> Vec<(usize, i32)> {
    let mut packets = network.packets.clone();
    packets.sort_by_key(|packet| packet.place);
    let step = |pair: &[network::Packet]| {
        let went = pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32;
        (pair[1].place - pair[0].place, went - network.samples as i32)
    };
    packets.windows(2).map(step).collect()
}

#[test]
fn a_seed_gives_one_network_and_no_other_seed_gives_the_same() {
    let mut sums = std::collections::BTreeSet::new();
    let mut of_all = 0_u64;
    for seed in 0..SEEDS {
        let network = Network::of_seed(seed, SECONDS);
        assert_eq!(network, Network::of_seed(seed, SECONDS), "seed {seed}");
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        for packet in &network.packets {
            let marked = u64::from(packet.timestamp) << 16 | u64::from(packet.sequence);
            for value in [marked, u64::from(packet.marker), packet.place as u64, packet.arrives_ns] {
                sum = (sum ^ value).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        assert!(sums.insert(sum), "{} is another seed's network", network.describe());
        of_all = of_all.rotate_left(1) ^ sum;
    }
    // Figures of today and of next year are of the same packets, on every machine.
    assert_eq!(
        of_all, 15_886_725_121_388_715_363,
        "the networks are other ones than those that were measured"
    );
}

#[test]
fn what_is_said_of_each_frame_is_what_becomes_of_its_packets() {
    for seed in 0..SEEDS {
        let network = Network::of_seed(seed, SECONDS);
        let name = network.describe();
        assert!(network.packets.is_sorted_by_key(|packet| packet.arrives_ns), "{name}");
        let mut first = vec![None; network.frames.len()];
        for packet in &network.packets {
            first[packet.place].get_or_insert(packet.arrives_ns);
            let frame = &network.frames[packet.place];
            assert!(packet.arrives_ns >= frame.made_ns + frame.path_ns, "{name}: quicker than the path");
        }
        for (place, frame) in network.frames.iter().enumerate() {
            let arrives = match frame.fate {
                Fate::Arrives(at_ns) => Some(at_ns),
                Fate::Lost | Fate::NotSent => None,
            };
            assert_eq!(arrives, first[place], "{name}: frame {place}");
            if let Some(at_ns) = arrives {
                assert_eq!(network.whereabouts(place, frame.made_ns - 1), Whereabouts::NotYetMade);
                assert_eq!(network.whereabouts(place, at_ns - 1), Whereabouts::InTheNetwork, "{name}");
                assert_eq!(network.whereabouts(place, at_ns), Whereabouts::Arrived, "{name}");
            }
        }
        // Numbers go up by one for each frame that was sent.
        let mut packets = network.packets.clone();
        packets.sort_by_key(|packet| packet.place);
        for pair in packets.windows(2) {
            let between = &network.frames[pair[0].place + 1..=pair[1].place];
            let were_sent = between.iter().filter(|frame| frame.fate != Fate::NotSent).count();
            assert_eq!(pair[1].sequence.wrapping_sub(pair[0].sequence), were_sent as u16, "{name}");
        }
    }
}

#[test]
fn each_effect_alone_does_what_it_says() {
    for seed in 0..7 * SINGLE {
        let network = Network::of_seed(seed, SECONDS);
        let name = network.describe();
        let [effect] = network.effects[..] else { panic!("{name}: not one effect") };
        let frames = network.frames.len() as u64;
        assert_eq!(frames, SECONDS * 1000 * MS / network.packet_ns(), "{name}");
        let paths = network.frames.iter().map(|frame| frame.path_ns);
        let (shortest, longest) = (paths.clone().min().unwrap(), paths.max().unwrap());
        let takes = |packet: &network::Packet| packet.arrives_ns - network.frames[packet.place].made_ns;
        let beyond = network.packets.iter().map(|packet| takes(packet) - shortest);
        let most_beyond = beyond.clone().max().unwrap();
        let is_paused = |frame: &&network::Frame| frame.fate == Fate::NotSent;
        let paused = network.frames.iter().filter(is_paused).count();
        match effect {
            Effect::Step { by_ms, for_ms, at_ms } => {
                assert_eq!(longest - shortest, by_ms * MS, "{name}");
                let is_long = |frame: &&network::Frame| frame.path_ns == longest;
                let long = network.frames.iter().filter(is_long).count() as u64 * 20;
                let wanted = for_ms.unwrap_or(SECONDS * 1000 - at_ms);
                assert!(long.abs_diff(wanted) <= 40, "{name}: {long} ms");
            }
            Effect::Stop { for_ms, .. } => {
                assert!((paused as u64 * 20).abs_diff(for_ms) <= 20, "{name}");
                assert!(leaps(&network).iter().all(|(_, leap)| *leap == 0), "{name}: the stamps go on");
            }
            Effect::Overtaken { every } => {
                let wanted = frames / every;
                assert!((overtaken(&network) as u64).abs_diff(wanted) <= 1, "{name}");
            }
            Effect::Reordered { per_mille } => {
                let wanted = frames * per_mille / 1000;
                // One that moves can be overtaken in turn by the one it waited for.
                assert!((wanted / 3..=wanted * 2).contains(&(overtaken(&network) as u64)), "{name}");
            }
            Effect::Duplicated { per_mille } => {
                let copies = network.packets.len() as u64 - frames;
                let wanted = frames * per_mille / 1000;
                assert!(copies.abs_diff(wanted) <= wanted / 3 + 8, "{name}: {copies}");
            }
            Effect::Bursts { max_ms, .. } => {
                assert!((40 * MS..=(max_ms + 10) * MS).contains(&most_beyond), "{name}: {most_beyond}");
                assert_eq!(overtaken(&network), 0, "{name}");
            }
            Effect::Jitter { max_us, ordered, .. } => {
                // A spike and those queued behind it.
                assert!(
                    (max_us * 300..=max_us * 1000 + 3 * MS).contains(&most_beyond),
                    "{name}: {most_beyond}"
                );
                assert!(!ordered || overtaken(&network) == 0, "{name}");
            }
            Effect::Drift { ppm } => {
                let last = network.frames.last().unwrap().made_ns - START_NS;
                let off = (SECONDS * 1000 * MS) as i64 - last as i64;
                assert_eq!(off / 1000, SECONDS as i64 * ppm, "{name}: microseconds");
            }
            Effect::Routes { max_ms, .. } => {
                assert!((max_ms * MS / 4..max_ms * MS).contains(&(longest - shortest)), "{name}");
                let goes = |up: bool| {
                    network.frames.windows(2).any(|pair| {
                        pair[0].path_ns != pair[1].path_ns && (pair[0].path_ns < pair[1].path_ns) == up
                    })
                };
                assert!(goes(true) && goes(false), "{name}: both ways");
            }
            Effect::Lost { per_mille } => {
                let wanted = frames * per_mille / 1000;
                assert!((lost(&network) as u64).abs_diff(wanted) <= wanted / 2 + 4, "{name}");
            }
            Effect::LostInBursts { .. } => {
                let fates: Vec<bool> = network.frames.iter().map(|frame| frame.fate == Fate::Lost).collect();
                let after = fates.windows(2).filter(|pair| pair[0]);
                let again = after.clone().filter(|pair| pair[1]).count();
                assert!(again * 4 >= after.count(), "{name}: what follows a lost one is often lost");
            }
            Effect::Dtx => {
                assert!(paused > 100, "{name}");
                for (gap, leap) in leaps(&network) {
                    assert_eq!(leap, (gap as i32 - 1) * 160, "{name}: the stamps stand still");
                }
            }
            Effect::StampsStandStill => {
                assert!(paused > 100, "{name}");
                assert!(leaps(&network).iter().all(|(_, leap)| *leap == 0), "{name}: the stamps go on");
            }
            Effect::StampsAheadPerPause { by_ms } => {
                for (gap, leap) in leaps(&network) {
                    assert_eq!(leap, if gap > 1 { by_ms as i32 * 8 } else { 0 }, "{name}");
                }
            }
            Effect::StampsLeap { by_ms, .. } => {
                let leaps: Vec<i32> =
                    leaps(&network).iter().map(|(_, leap)| *leap).filter(|leap| *leap != 0).collect();
                assert_eq!(leaps, [by_ms as i32 * 8], "{name}");
            }
            Effect::Length { ms } => assert_eq!(u64::from(network.samples), ms * 8, "{name}"),
        }
        let loses = matches!(effect, Effect::Lost { .. } | Effect::LostInBursts { .. });
        assert_eq!(lost(&network) > 0, loses, "{name}");
        assert!(sent(&network) > network.frames.len() / 2, "{name}");
    }
}

/// A path that takes 300 ms longer for two seconds, and a queue of up to 300 ms.
#[test]
fn late_is_what_the_quickest_way_of_its_moment_beats() {
    let step = Effect::Step { at_ms: 4000, by_ms: 300, for_ms: Some(2000) };
    let network = Network::new(1, "step".to_owned(), vec![step], SECONDS);
    let first_back = network.frames.iter().position(|frame| frame.made_ns == START_NS + 6000 * MS).unwrap();
    for place in 0..network.frames.len() {
        // The first frame of the short path is there 20 ms before one that was made 280 ms sooner.
        let is_overtaken = (first_back - 15..first_back).contains(&place);
        let late_ns = if is_overtaken { 300 * MS } else { 0 };
        assert_eq!(network.lateness_ns(place), Some(late_ns), "{place} of {first_back}");
    }

    let bursts = Effect::Bursts { every_ms: 2000, max_ms: 300 };
    let lost = Effect::Lost { per_mille: 100 };
    let network = Network::new(2, "bursts".to_owned(), vec![bursts, lost], SECONDS);
    let mut most_ns = 0;
    for (place, frame) in network.frames.iter().enumerate() {
        let late_ns = network.lateness_ns(place);
        assert_eq!(late_ns.is_none(), frame.fate == Fate::Lost, "{place}");
        if let Fate::Arrives(there_ns) = frame.fate {
            assert_eq!(late_ns, Some(there_ns - frame.made_ns - frame.path_ns), "{place}");
        }
        most_ns = most_ns.max(late_ns.unwrap_or(0));
    }
    assert!((200 * MS..310 * MS).contains(&most_ns), "{most_ns}");
}
