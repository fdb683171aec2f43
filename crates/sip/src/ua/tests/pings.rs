//! OPTIONS by which is asked whether a server answers.

use super::line::{Line, first};
use super::*;

fn spec() -> PingSpec {
    PingSpec { uri: "sip:trunk.example".into(), route: Vec::new(), from: "sip:trunk.example".into() }
}

#[test]
fn any_final_answer_shows_that_a_server_is_there() {
    for answer in ["200 OK", "404 Not Found", "401 Unauthorized"] {
        let mut line = Line::with("trunk.example", &["127.0.0.2:5060"]);
        let options = line.act(|ua, now| ua.ping(PingId(1), spec(), now)).remove(0);
        assert!(options.1.starts_with("OPTIONS sip:trunk.example SIP/2.0\r\n"), "{}", options.1);
        line.reply(&options, "t", answer, "");
        let (status, phrase) = answer.split_once(' ').unwrap();
        assert_eq!(line.pinged, [Ok((status.parse().unwrap(), phrase.to_owned()))]);
        line.assert_clean();
    }
}

#[test]
fn the_next_server_is_asked_where_one_does_not_answer() {
    let mut line = Line::with("trunk.example", &["127.0.0.2:5060", "127.0.0.3:5060"]);
    line.act(|ua, now| ua.ping(PingId(1), spec(), now));
    let later = first(&line.wait(33));
    assert!(later.contains(&("127.0.0.3:5060".to_owned(), "OPTIONS".to_owned())), "{later:?}");
    assert_eq!(line.pinged, []);
    line.wait(33);
    assert_eq!(line.pinged, [Err("no answer".to_owned())]);
    line.assert_clean();
}

#[test]
fn a_name_without_servers_is_told() {
    let mut line = Line::new();
    line.act(|ua, now| ua.ping(PingId(1), spec(), now));
    assert_eq!(line.pinged, [Err("not found".to_owned())]);
}
