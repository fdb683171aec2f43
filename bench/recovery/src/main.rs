//! Plays emulated networks through the receive path of a room and through `neteq`, and prints as a Markdown table how
//! much of the arrived audio is played, and how long it waits. See [`HELP`].

mod listeners;
#[path = "../../../crates/rtp/tests/support/network.rs"]
mod network;
#[path = "../../../crates/rtp/tests/support/score.rs"]
mod score;

use network::{Effect, Network, SEEDS, Spread};
use plenary_audio::g711::{self, Law};
use score::{Figures, Score, percentile};
use std::{collections::BTreeMap, fs, io, path::PathBuf, process::ExitCode};

const HELP: &str = "\
Plays emulated networks through the receive path of a room and through NetEq, in virtual time.

Usage: plenary-recovery --speech FILE [--seeds FROM..TO] [--seconds N] [--samples FOLDER] [--worst N]

  --speech FILE     speech, raw 16-bit samples at 8000 Hz; it is repeated
  --seeds FROM..TO  seeds of the networks (default 0..200)
  --seconds N       length of the speech in each network, 10 to 600 (default 20)
  --samples FOLDER  writes the output of ten networks there, as NAME-ours.raw and NAME-neteq.raw, for scoring
  --worst N         lists the N worst networks (default 12)

Example: plenary-recovery --speech speech8.raw --seeds 0..40";

struct Arguments {
    speech: PathBuf,
    seeds: std::ops::Range<u64>,
    seconds: u64,
    samples: Option<PathBuf>,
    worst: usize,
}

/// `None`: `--help` was given.
fn read_arguments() -> Result<Option<Arguments>, String> {
    let mut arguments =
        Arguments { speech: PathBuf::new(), seeds: 0..SEEDS, seconds: 20, samples: None, worst: 12 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(None);
        }
        let value = words.next().ok_or(format!("{word} needs a value; see --help"))?;
        let number = |text: &str| {
            text.parse::<u64>().map_err(|_| format!("{word} takes a whole number, not {text:?}"))
        };
        match word.as_str() {
            "--speech" => arguments.speech = value.into(),
            "--seconds" => arguments.seconds = number(&value)?.clamp(10, 600),
            "--samples" => arguments.samples = Some(value.into()),
            "--worst" => arguments.worst = number(&value)? as usize,
            "--seeds" => {
                let (from, to) = value
                    .split_once("..")
                    .ok_or(format!("--seeds takes FROM..TO such as 0..40, not {value:?}"))?;
                arguments.seeds = number(from)?..number(to)?;
            }
            _ => return Err(format!("{word} is not an option; see --help")),
        }
    }
    if arguments.speech.as_os_str().is_empty() {
        return Err("--speech is required: raw 16-bit samples at 8000 Hz; see --help".to_owned());
    }
    if arguments.seeds.is_empty() {
        return Err("--seeds names no network: FROM must be less than TO".to_owned());
    }
    Ok(Some(arguments))
}

/// The networks whose output is scored. Their sender sends all the time, so the speech itself is the reference.
fn scored(seconds: u64) -> Vec<Network> {
    let at_ms = seconds * 400;
    let jitter = |spread, max_ms: u64| Effect::Jitter { spread, max_us: max_ms * 1000, ordered: true };
    let networks: [(&str, Vec<Effect>); 10] = [
        ("clean", vec![]),
        ("step-400", vec![Effect::Step { at_ms, by_ms: 400, for_ms: None }]),
        ("step-300-and-back", vec![Effect::Step { at_ms, by_ms: 300, for_ms: Some(4000) }]),
        ("overtaken-3", vec![Effect::Overtaken { every: 3 }]),
        ("reordered-10", vec![Effect::Reordered { per_mille: 100 }]),
        ("bursts-160", vec![Effect::Bursts { every_ms: 1500, max_ms: 160 }]),
        ("uniform-40", vec![jitter(Spread::Uniform, 40)]),
        ("exponential-80", vec![jitter(Spread::Exponential, 80)]),
        ("lost-30", vec![Effect::Lost { per_mille: 30 }]),
        (
            "exponential-60-lost-30",
            vec![
                jitter(Spread::Exponential, 60),
                Effect::LostInBursts { bad_per_mille: 10, good_per_mille: 300 },
            ],
        ),
    ];
    let named = networks.into_iter().enumerate();
    named
        .map(|(seed, (name, effects))| Network::new(1000 + seed as u64, name.to_owned(), effects, seconds))
        .collect()
}

fn write_samples(folder: &PathBuf, seconds: u64, speech: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for network in scored(seconds) {
        for (who, listen) in [("ours", listeners::ours as Listen), ("neteq", listeners::neteq)] {
            let mut heard = Vec::new();
            listen(&network, speech, &mut Score::new(&network), &mut heard);
            let bytes: Vec<u8> = heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            fs::write(folder.join(format!("{}-{who}.raw", network.name)), bytes)?;
        }
    }
    Ok(())
}

type Listen = fn(&Network, &[u8], &mut Score<'_>, &mut Vec<i16>);

/// The networks of one name, side by side.
#[derive(Default)]
struct Row {
    ours: Vec<Figures>,
    neteq: Vec<Figures>,
}

/// Median, 95th percentile and maximum of a figure.
fn spread(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> [f64; 3] {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    [50, 95, 100].map(|percent| percentile(&mut values, percent))
}

/// `ours ÷ theirs`; if theirs is zero, `1.00` if ours is too, otherwise `–`.
fn ratio(ours: f64, theirs: f64) -> String {
    match (ours, theirs) {
        _ if theirs > 1e-9 => format!("{:.2}", ours / theirs),
        _ if ours > 1e-9 => "–".to_owned(),
        _ => "1.00".to_owned(),
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let path = &arguments.speech;
    let bytes = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let samples: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    if samples.len() < 8000 {
        return Err(format!("{} is shorter than a second", path.display()));
    }
    let mut speech = vec![0; samples.len()];
    g711::encode(Law::Mu, &samples, &mut speech);

    let mut rows = BTreeMap::<String, Row>::new();
    let mut all = Row::default();
    let mut each = Vec::new();
    let count = arguments.seeds.end - arguments.seeds.start;
    for seed in arguments.seeds.clone() {
        let network = Network::of_seed(seed, arguments.seconds);
        let mut heard = Vec::new();
        let mut score = Score::new(&network);
        listeners::ours(&network, &speech, &mut score, &mut heard);
        let ours = score.figures();
        score = Score::new(&network);
        listeners::neteq(&network, &speech, &mut score, &mut heard);
        let neteq = score.figures();
        let name = match network.effects.len() {
            1 => network.name.clone(),
            _ => "mixtures".to_owned(),
        };
        let row = rows.entry(name).or_default();
        for row in [row, &mut all] {
            row.ours.push(ours);
            row.neteq.push(neteq);
        }
        each.push((network.describe(), ours, neteq));
        let done = seed + 1 - arguments.seeds.start;
        if done.is_multiple_of(10) || done == count {
            eprint!("\r{done} of {count} networks");
        }
    }
    eprintln!();
    print_rows(&rows);
    print_all(&all);
    print_worst(&mut each, arguments.worst);
    if let Some(folder) = &arguments.samples {
        eprintln!("Writing the output of ten networks");
        write_samples(folder, arguments.seconds, &speech)
            .map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
    }
    Ok(())
}

fn print_rows(rows: &BTreeMap<String, Row>) {
    println!(
        "| network | seeds | not heard in time, ours (worst) | NetEq (worst) | concealed, ours | NetEq | delay, ours | NetEq |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, row) in rows {
        let [ours, _, ours_worst] = spread(&row.ours, |figures| 100.0 * figures.unheard);
        let [neteq, _, neteq_worst] = spread(&row.neteq, |figures| 100.0 * figures.unheard);
        let [ours_concealed, ..] = spread(&row.ours, |figures| 100.0 * figures.concealed);
        let [neteq_concealed, ..] = spread(&row.neteq, |figures| 100.0 * figures.concealed);
        let [ours_delay, ..] = spread(&row.ours, |figures| figures.delay_mean_ms);
        let [neteq_delay, ..] = spread(&row.neteq, |figures| figures.delay_mean_ms);
        println!(
            "| {name} | {} | {ours:.2} % ({ours_worst:.2}) | {neteq:.2} % ({neteq_worst:.2}) | {ours_concealed:.2} % | \
             {neteq_concealed:.2} % | {ours_delay:.0} ms | {neteq_delay:.0} ms |",
            row.ours.len(),
        );
    }
    println!("\nMedians over the seeds of a network; delay is the mean over its frames.\n");
}

fn print_all(all: &Row) {
    println!(
        "| over all networks | ours p50 | p95 | worst | NetEq p50 | p95 | worst | ours ÷ NetEq p50 | p95 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    type Figure = (&'static str, &'static str, fn(&Figures) -> f64);
    let figures: [Figure; 5] = [
        ("not heard in time", "%", |figures| 100.0 * figures.unheard),
        ("not heard of all that arrived", "%", |figures| 100.0 * figures.unheard_of_all),
        ("concealed", "%", |figures| 100.0 * figures.concealed),
        ("delay, mean of a call", "ms", |figures| figures.delay_mean_ms),
        ("delay, p95 of a call", "ms", |figures| figures.delay_p95_ms),
    ];
    for (name, unit, of) in figures {
        let (ours, neteq) = (spread(&all.ours, of), spread(&all.neteq, of));
        let digits = if unit == "%" { 2 } else { 0 };
        print!("| {name} |");
        for value in ours.iter().chain(&neteq) {
            print!(" {value:.digits$} {unit} |");
        }
        println!(" {} | {} |", ratio(ours[0], neteq[0]), ratio(ours[1], neteq[1]));
    }
    let sum = |of: fn(&Figures) -> u32| all.ours.iter().map(of).sum::<u32>();
    println!(
        "\nOf {} frames that arrived {} were not there in time, in {} networks.",
        sum(|figures| figures.arrived),
        sum(|figures| figures.too_late),
        all.ours.iter().filter(|figures| figures.too_late > 0).count(),
    );
}

fn print_worst(each: &mut [(String, Figures, Figures)], count: usize) {
    each.sort_by(|one, other| other.1.unheard.total_cmp(&one.1.unheard));
    println!("\nNetworks where ours leaves out most of what was there in time:\n");
    for (name, ours, neteq) in each.iter().take(count).filter(|(_, ours, _)| ours.unheard > 0.0) {
        println!(
            "- {:.2} % (NetEq {:.2} %), delay {:.0} ms (NetEq {:.0} ms): {name}",
            100.0 * ours.unheard,
            100.0 * neteq.unheard,
            ours.delay_mean_ms,
            neteq.delay_mean_ms
        );
    }
    each.sort_by(|one, other| {
        (other.1.concealed - other.2.concealed).total_cmp(&(one.1.concealed - one.2.concealed))
    });
    println!("\nNetworks where ours conceals most beyond NetEq:\n");
    for (name, ours, neteq) in
        each.iter().take(count).filter(|(_, ours, neteq)| ours.concealed > neteq.concealed)
    {
        println!("- {:.2} % (NetEq {:.2} %): {name}", 100.0 * ours.concealed, 100.0 * neteq.concealed);
    }
}

fn main() -> ExitCode {
    match read_arguments().and_then(|arguments| match arguments {
        Some(arguments) => run(&arguments),
        None => {
            println!("{HELP}");
            Ok(())
        }
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plenary-recovery: {error}");
            ExitCode::FAILURE
        }
    }
}
