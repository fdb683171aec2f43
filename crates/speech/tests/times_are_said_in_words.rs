//! Every minute of a day, dates, and durations, compared with words that are put together in another way.

mod support;

use plenary_speech::{Date, Day, Saying, TimeOfDay};
use support::{ONES, code, with_polish, words};

fn below_sixty(n: usize) -> String {
    let tens = ["", "", "twenty", "thirty", "forty", "fifty"][n / 10];
    match (n, n % 10) {
        (0..20, _) => ONES[n].to_owned(),
        (_, 0) => tens.to_owned(),
        (_, one) => format!("{tens} {}", ONES[one]),
    }
}

fn english_time(hour: usize, minute: usize) -> String {
    let half = if hour < 12 { "a.m." } else { "p.m." };
    let hour12 = ONES[if hour.is_multiple_of(12) { 12 } else { hour % 12 }];
    match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (12, 0) => "noon".to_owned(),
        (_, 0) => format!("{hour12} o'clock {half}"),
        (_, 1..10) => format!("{hour12} oh {} {half}", ONES[minute]),
        _ => format!("{hour12} {} {half}", below_sixty(minute)),
    }
}

fn every_minute() -> impl Iterator<Item = (usize, usize, TimeOfDay)> {
    (0..24).flat_map(|hour| {
        (0..60).map(move |minute| (hour.into(), minute.into(), TimeOfDay::new(hour, minute).unwrap()))
    })
}

#[test]
fn every_minute_of_a_day_in_english() {
    let languages = with_polish();
    for language in ["en", "en-GB"] {
        let say = |saying| words(&languages, &code(language), saying);
        for (hour, minute, time) in every_minute() {
            let clock = english_time(hour, minute);
            assert_eq!(
                say(Saying::StartsAt { time, day: Day::Today }),
                format!("It starts at {clock} today")
            );
            let tomorrow = if (hour, minute) == (0, 0) {
                "midnight tonight".to_owned()
            } else {
                format!("{clock} tomorrow")
            };
            assert_eq!(
                say(Saying::StartsAt { time, day: Day::Tomorrow }),
                format!("It starts at {tomorrow}")
            );
        }
    }
    let at = |hour, minute| Saying::StartsAt { time: TimeOfDay::new(hour, minute).unwrap(), day: Day::Today };
    assert_eq!(words(&languages, &code("en"), at(9, 5)), "It starts at nine oh five a.m. today");
    assert_eq!(words(&languages, &code("en"), at(12, 34)), "It starts at twelve thirty four p.m. today");
    assert_eq!(words(&languages, &code("en"), at(17, 0)), "It starts at five o'clock p.m. today");
}

#[test]
fn every_minute_of_a_day_in_polish() {
    const HOURS: [&str; 24] = [
        "zerowej",
        "pierwszej",
        "drugiej",
        "trzeciej",
        "czwartej",
        "piątej",
        "szóstej",
        "siódmej",
        "ósmej",
        "dziewiątej",
        "dziesiątej",
        "jedenastej",
        "dwunastej",
        "trzynastej",
        "czternastej",
        "piętnastej",
        "szesnastej",
        "siedemnastej",
        "osiemnastej",
        "dziewiętnastej",
        "dwudziestej",
        "dwudziestej pierwszej",
        "dwudziestej drugiej",
        "dwudziestej trzeciej",
    ];
    const ONES: [&str; 20] = [
        "",
        "jeden",
        "dwa",
        "trzy",
        "cztery",
        "pięć",
        "sześć",
        "siedem",
        "osiem",
        "dziewięć",
        "dziesięć",
        "jedenaście",
        "dwanaście",
        "trzynaście",
        "czternaście",
        "piętnaście",
        "szesnaście",
        "siedemnaście",
        "osiemnaście",
        "dziewiętnaście",
    ];
    const TENS: [&str; 6] = ["", "", "dwadzieścia", "trzydzieści", "czterdzieści", "pięćdziesiąt"];
    let languages = with_polish();
    for (hour, minute, time) in every_minute() {
        let clock = match (hour, minute) {
            (0, 0) => "o północy".to_owned(),
            (12, 0) => "w południe".to_owned(),
            (_, 0) => format!("o {}", HOURS[hour]),
            (_, 1..10) => format!("o {} zero {}", HOURS[hour], ONES[minute]),
            (_, 10..20) => format!("o {} {}", HOURS[hour], ONES[minute]),
            _ => format!("o {} {} {}", HOURS[hour], TENS[minute / 10], ONES[minute % 10]).trim().to_owned(),
        };
        let said = words(&languages, &code("pl"), Saying::StartsAt { time, day: Day::Tomorrow });
        assert_eq!(said, format!("Konferencja zacznie się jutro {clock}"));
    }
}

#[test]
fn dates() {
    let languages = with_polish();
    let at = |year, month, day| Saying::StartsAt {
        time: TimeOfDay::new(9, 30).unwrap(),
        day: Day::On(Date::new(year, month, day).unwrap()),
    };
    for (date, english) in [
        (at(2027, 3, 1), "Monday March first"),
        (at(2028, 2, 29), "Tuesday February twenty-ninth"),
        (at(2026, 12, 31), "Thursday December thirty-first"),
    ] {
        assert_eq!(
            words(&languages, &code("en"), date),
            format!("It starts at nine thirty a.m. on {english}")
        );
    }
    assert_eq!(
        words(&languages, &code("pl"), at(2028, 2, 29)),
        "Konferencja zacznie się we wtorek dwudziestego dziewiątego lutego o dziewiątej trzydzieści"
    );
    // All of a leap year's days have their words.
    for month in 1..=12 {
        for day in 1..=31 {
            if Date::new(2028, month, day).is_some() {
                words(&languages, &code("en"), at(2028, month, day));
                words(&languages, &code("pl"), at(2028, month, day));
            }
        }
    }
}

#[test]
fn durations_are_said_as_a_person_would() {
    let languages = with_polish();
    let minute = 60;
    let hour = 60 * minute;
    let day = 24 * hour;
    for (seconds, english) in [
        (0, "It starts now."),
        (1, "It starts in one second."),
        (59, "It starts in fifty nine seconds."),
        (60, "It starts in one minute."),
        (89, "It starts in one minute."),
        (90, "It starts in two minutes."),
        (703, "It starts in twelve minutes."),
        (hour - 31, "It starts in fifty nine minutes."),
        (hour - 30, "It starts in one hour."),
        (hour + minute, "It starts in one hour and one minute."),
        (2 * hour, "It starts in two hours."),
        (2 * hour + 5 * minute, "It starts in two hours and five minutes."),
        (day - 31, "It starts in twenty three hours and fifty nine minutes."),
        (day - 30, "It starts in one day."),
        (day + hour, "It starts in one day and one hour."),
        (3 * day + 23 * hour + 29 * minute, "It starts in three days and twenty three hours."),
        (3 * day + 23 * hour + 30 * minute, "It starts in four days."),
    ] {
        assert_eq!(words(&languages, &code("en"), Saying::StartsIn { seconds }), english, "{seconds} s");
    }
    for (seconds, polish) in [
        (0, "teraz."),
        (1, "za sekundę"),
        (22, "za dwadzieścia dwie sekundy"),
        (60, "za minutę"),
        (12 * minute, "za dwanaście minut"),
        (21 * minute, "za dwadzieścia jeden minut"),
        (22 * minute, "za dwadzieścia dwie minuty"),
        (hour + 2 * minute, "za godzinę i dwie minuty"),
        (5 * hour + minute, "za pięć godzin i minutę"),
        (2 * day, "za dwa dni"),
    ] {
        let said = words(&languages, &code("pl"), Saying::StartsIn { seconds });
        let verb = if seconds == 0 { "zaczyna się" } else { "zacznie się" };
        assert_eq!(said, format!("Konferencja {verb} {polish}"));
    }
}

#[test]
fn none_and_one_have_sentences_of_their_own() {
    let languages = with_polish();
    let say = |saying| words(&languages, &code("en"), saying);
    assert_eq!(say(Saying::Participants { count: 0 }), "Nobody is in the conference.");
    assert_eq!(say(Saying::Participants { count: 1 }), "You are the only one here.");
    assert_eq!(say(Saying::Participants { count: 2 }), "There is one other participant.");
    assert_eq!(say(Saying::Participants { count: 3 }), "There are three participants.");
    assert_eq!(say(Saying::Waiting { count: 0 }), "Nobody is waiting.");
    assert_eq!(say(Saying::Waiting { count: 1 }), "One caller is waiting in the lobby.");
    assert_eq!(say(Saying::Waiting { count: 12 }), "There are twelve waiting in the lobby.");
    assert_eq!(say(Saying::TimeLeft { seconds: 0 }), "This conference ends now.");
    assert_eq!(say(Saying::EndsIn { seconds: 60 }), "This conference will end in one minute.");
    assert_eq!(say(Saying::EndsIn { seconds: 120 }), "This conference will end in two minutes.");
}
