//! What Prometheus reads of a running service, and what of it alert rules and the dashboard ask for.

mod support;

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
};
use support::{Server, certificate, free_address, plenary, wait_for};

/// The names that docs/monitoring.md promises, and their types.
const NAMES: [(&str, &str); 35] = [
    ("plenary_build", "info"),
    ("plenary_conferences", "gauge"),
    ("plenary_participants", "gauge"),
    ("plenary_seats", "gauge"),
    ("plenary_calls", "counter"),
    ("plenary_call_seconds", "histogram"),
    ("plenary_call_mos", "histogram"),
    ("plenary_rtp_packets", "counter"),
    ("plenary_rtp_lost", "counter"),
    ("plenary_frames_concealed", "counter"),
    ("plenary_jitter_seconds", "histogram"),
    ("plenary_one_way_calls", "gauge"),
    ("plenary_tick_late_seconds", "histogram"),
    ("plenary_worker_busy_ratio", "gauge"),
    ("plenary_sip_requests", "counter"),
    ("plenary_sip_responses", "counter"),
    ("plenary_bans", "gauge"),
    ("plenary_auth_failures", "counter"),
    ("plenary_trunk_registered", "gauge"),
    ("plenary_trunk_calls", "gauge"),
    ("plenary_engine_answer_seconds", "histogram"),
    ("plenary_records_waiting", "gauge"),
    ("plenary_records_dropped", "counter"),
    ("plenary_events_waiting", "gauge"),
    ("plenary_events_dropped", "counter"),
    ("plenary_event_log_seconds", "histogram"),
    ("plenary_disk_free_bytes", "gauge"),
    ("plenary_disk_size_bytes", "gauge"),
    ("plenary_certificate_expires_seconds", "gauge"),
    ("plenary_http_requests", "counter"),
    ("plenary_sip_messages_unseen", "counter"),
    ("plenary_hep_sent", "counter"),
    ("plenary_hep_dropped", "counter"),
    ("plenary_ladder_calls", "gauge"),
    ("plenary_ladder_bytes", "gauge"),
];

/// The labels that docs/monitoring.md promises; families that are not here have none.
static LABELS: [(&str, &[&str]); 20] = [
    ("plenary_build", &["version"]),
    ("plenary_conferences", &["state"]),
    ("plenary_participants", &["transport", "codec", "srtp"]),
    ("plenary_seats", &["kind"]),
    ("plenary_calls", &["direction", "outcome"]),
    ("plenary_call_seconds", &["le"]),
    ("plenary_call_mos", &["scale", "le"]),
    ("plenary_rtp_packets", &["direction"]),
    ("plenary_jitter_seconds", &["le"]),
    ("plenary_one_way_calls", &["kind"]),
    ("plenary_tick_late_seconds", &["le"]),
    ("plenary_worker_busy_ratio", &["worker"]),
    ("plenary_engine_answer_seconds", &["le"]),
    ("plenary_event_log_seconds", &["le"]),
    ("plenary_sip_requests", &["method", "transport"]),
    ("plenary_sip_responses", &["class"]),
    ("plenary_http_requests", &["route", "class"]),
    ("plenary_auth_failures", &["door"]),
    ("plenary_trunk_registered", &["account", "trunk"]),
    ("plenary_trunk_calls", &["account", "trunk"]),
];

/// The labels of a series by its name.
fn labels_of(series: &str) -> BTreeSet<&'static str> {
    let suffixes = ["", "_total", "_info", "_bucket", "_sum", "_count"];
    let family = |name: &str| suffixes.iter().any(|suffix| series.strip_suffix(suffix) == Some(name));
    let histogram = series.ends_with("_bucket");
    let of = LABELS.iter().find(|(name, _)| family(name));
    let labels: &[&str] = of.map_or(&[], |(_, labels)| *labels);
    let labels = labels.iter().copied();
    // What the scraper adds is on all of them.
    let labels = labels.filter(|label| *label != "le" || histogram).chain(["instance", "job"]);
    labels.collect()
}

/// A value without quotes, and without how it is compared.
fn bare(value: &str) -> &str {
    value.trim_matches(|c: char| "~!\"".contains(c))
}

/// Name, labels with their values, as in a line of metrics or in a selector.
fn parts(text: &str) -> (&str, Vec<(&str, &str)>) {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(inner) = rest.strip_prefix('{') else { return (name, Vec::new()) };
    // A value may hold a brace of its own, as routes do.
    let mut is_quoted = false;
    let end = inner.find(|c: char| {
        is_quoted ^= c == '"';
        c == '}' && !is_quoted
    });
    let inner = &inner[..end.expect("labels end")];
    let pairs = inner.split(',').filter_map(|pair| pair.split_once('='));
    (name, pairs.map(|(label, value)| (label.trim_end_matches('!'), bare(value))).collect())
}

/// A server whose metrics can be read at the address.
fn start() -> (Server, String) {
    let tls = tempfile::tempdir().unwrap();
    let address = free_address();
    let config = format!("metrics = \"{address}\"\nhttps = \"127.0.0.1:0\"\n{}", certificate(tls.path()));
    (Server::start(&config), address)
}

fn curl(url: &str, arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments).arg(url).output();
    let output = output.expect("curl is installed (make test does that)");
    assert!(output.status.success(), "{}", support::text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// All series, by name with labels.
fn series(address: &str) -> BTreeMap<String, f64> {
    let text = curl(&format!("http://{address}/metrics"), &[]);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

/// The types of families.
fn types(address: &str) -> BTreeMap<String, String> {
    let text = curl(&format!("http://{address}/metrics"), &[]);
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, kind)| (name.into(), kind.into())).collect()
}

/// A caller who talks until killed.
fn call(server: &Server, user: &str) -> Child {
    plenary()
        .args(["call", &format!("sip:{user}@{}", server.sip), "--tone", "440", "--seconds", "60"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Ctrl-C: the caller hangs up.
fn hang_up(mut caller: Child) {
    support::signal(caller.id(), "INT");
    wait_for("the caller to hang up", || caller.try_wait().unwrap());
}

#[test]
fn a_call_is_counted_while_it_lasts_and_when_it_is_over() {
    let (server, address) = start();
    let value = |name: &str| series(&address).get(name).copied().unwrap_or_default();
    let waiting = |name: &str, wanted: f64| {
        wait_for(&format!("{name} to be {wanted}"), || (value(name) == wanted).then_some(()));
    };
    assert_eq!(value("plenary_seats{kind=\"capacity\"}"), 3500.0);
    let callers = [call(&server, "conf-Tea"), call(&server, "conf-Tea")];
    waiting("plenary_participants{transport=\"udp\",codec=\"pcmu\",srtp=\"none\"}", 2.0);
    waiting("plenary_conferences{state=\"active\"}", 1.0);
    waiting("plenary_seats{kind=\"taken\"}", 2.0);
    let stranger = call(&server, "nowhere").wait_with_output().unwrap();
    assert!(!stranger.status.success());
    wait_for("a second of mixing", || (value("plenary_tick_late_seconds_count") >= 50.0).then_some(()));
    callers.into_iter().for_each(hang_up);
    waiting("plenary_calls_total{direction=\"incoming\",outcome=\"completed\"}", 2.0);
    waiting("plenary_calls_total{direction=\"incoming\",outcome=\"not_found\"}", 1.0);
    waiting("plenary_participants{transport=\"udp\",codec=\"pcmu\",srtp=\"none\"}", 0.0);
    assert_eq!(value("plenary_call_seconds_count"), 2.0);
    assert_eq!(value("plenary_call_mos_count{scale=\"narrowband\"}"), 2.0);
    for counted in
        ["plenary_rtp_packets_total{direction=\"received\"}", "plenary_rtp_packets_total{direction=\"sent\"}"]
    {
        assert!(value(counted) > 10.0, "{counted}");
    }
    assert!(value("plenary_sip_requests_total{method=\"BYE\",transport=\"udp\"}") >= 2.0);
    assert!(value("plenary_sip_responses_total{class=\"2xx\"}") >= 4.0);
    assert!(value("plenary_engine_answer_seconds_count") > 1.0);
    assert!(value("plenary_certificate_expires_seconds") > 86_400.0);
    assert!(value("plenary_disk_free_bytes") > 0.0);
    assert_eq!(value("plenary_records_dropped_total"), 0.0);

    assert_eq!(server.curl_as("1-2-0/bob@example.com:wrong", &[], "/v1/conferences").0, 401);
    assert_eq!(value("plenary_auth_failures_total{door=\"http\"}"), 1.0);
    assert_eq!(value("plenary_http_requests_total{route=\"/v1/conferences\",class=\"4xx\"}"), 1.0);
    assert_eq!(server.curl(&[], "/v1/conferences/Nobody").0, 404);
    assert_eq!(value("plenary_http_requests_total{route=\"/v1/conferences/{name}\",class=\"4xx\"}"), 1.0);
}

#[test]
fn there_are_no_more_series_after_more_calls() {
    let (server, address) = start();
    let names = || series(&address).into_keys().collect::<BTreeSet<String>>();
    let completed = |wanted: f64| {
        let name = "plenary_calls_total{direction=\"incoming\",outcome=\"completed\"}";
        wait_for("the calls to be over", || (series(&address).get(name) == Some(&wanted)).then_some(()));
    };
    let talk = |conferences: &[&str]| {
        let callers: Vec<Child> = conferences.iter().map(|name| call(&server, name)).collect();
        wait_for("the callers to be in", || {
            let seats = series(&address)["plenary_seats{kind=\"taken\"}"];
            (seats == conferences.len() as f64).then_some(())
        });
        callers.into_iter().for_each(hang_up);
    };
    talk(&["conf-A"]);
    completed(1.0);
    // How busy they are is known once it has been measured.
    wait_for("the load of the workers", || {
        names().iter().any(|name| name.starts_with("plenary_worker_busy_ratio")).then_some(())
    });
    let before = names();
    talk(&["conf-B", "conf-C", "conf-D", "conf-E"]);
    completed(5.0);
    let after = names();
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn only_metrics_are_at_the_listener_of_metrics() {
    let (server, address) = start();
    let status = |url: &str| curl(url, &["-o", "/dev/null", "-w", "%{http_code}"]);
    assert_eq!(status(&format!("http://{address}/metrics")), "200");
    assert_eq!(status(&format!("http://{address}/v1/conferences")), "404");
    assert_eq!(status(&format!("http://{}/metrics", server.http)), "404");
    let kind = curl(&format!("http://{address}/metrics"), &["-o", "/dev/null", "-w", "%{content_type}"]);
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

#[test]
fn rules_and_dashboard_ask_for_what_there_is() {
    let (_server, address) = start();
    let types = types(&address);
    let expected: BTreeMap<String, String> = NAMES.map(|(name, kind)| (name.into(), kind.into())).into();
    assert_eq!(types, expected, "docs/monitoring.md has to say what there is");
    let docs = include_str!("../../../docs/monitoring.md");
    for (name, kind) in &types {
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        assert!(
            docs.contains(&format!("`{name}{suffix}`")),
            "docs/monitoring.md does not tell {name}{suffix}"
        );
    }

    let rules = include_str!("../../../packaging/prometheus/plenary.rules.yml");
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../packaging/grafana/plenary.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut queries: Vec<&str> = queries.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() > 30, "{} queries", queries.len());
    // All but what is there for people to read.
    let is_prose = |line: &str| ["#", "summary:", "description:"].iter().any(|start| line.starts_with(start));
    queries.extend(rules.lines().filter(|line| !is_prose(line.trim_start())));
    let mut asked = BTreeSet::new();
    for query in queries {
        for name in names_in(query) {
            assert!(exists(&types, &name), "there is no {name}: {query}");
            asked.insert(name);
        }
    }
    assert!(asked.len() > 25, "{asked:?}");
}

/// Whatever a query names of a series, the series has.
#[test]
fn rules_and_dashboard_ask_for_labels_and_values_that_there_are() {
    let (server, address) = start();
    let trunk = r#"{"uri": "sip:127.0.0.1:9", "register": true, "user": "us", "password": "secret"}"#;
    assert_eq!(server.curl(&["-X", "PUT", "-d", trunk], "/v1/trunks/p").0, 201);
    let callers = [call(&server, "conf-Tea"), call(&server, "conf-Tea")];
    // Some are there while calls are up, others once calls are over.
    let mut there = BTreeMap::new();
    wait_for("two callers to be in", || {
        there.extend(series(&address));
        (there.get("plenary_seats{kind=\"taken\"}") == Some(&2.0)).then_some(())
    });
    callers.into_iter().for_each(hang_up);
    assert_eq!(server.curl_as("1-2-0/bob@example.com:wrong", &[], "/v1/conferences").0, 401);
    for (family, _) in LABELS {
        wait_for(&format!("a series of {family}, which has labels"), || {
            there.extend(series(&address));
            there.keys().any(|one| parts(one).0.starts_with(family)).then_some(())
        });
    }
    // What the documentation says is so.
    let mut values: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for one in there.keys().filter(|one| one.starts_with("plenary_")) {
        let (name, labels) = parts(one);
        let expected = labels_of(name);
        let found: BTreeSet<&str> =
            labels.iter().map(|(label, _)| *label).chain(["instance", "job"]).collect();
        assert_eq!(found, expected, "{one}");
        for (label, value) in labels {
            values.entry((name.to_owned(), label.to_owned())).or_default().insert(value.to_owned());
        }
    }
    let rules = include_str!("../../../packaging/prometheus/plenary.rules.yml");
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../packaging/grafana/plenary.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut queries: Vec<(String, String)> = targets
        .map(|target| {
            let text = |member: &str| target[member].as_str().unwrap_or_default().to_owned();
            (text("expr"), text("legendFormat"))
        })
        .collect();
    let is_prose = |line: &str| ["#", "summary:", "description:"].iter().any(|start| line.starts_with(start));
    let lines = rules.lines().filter(|line| !is_prose(line.trim_start()));
    queries.extend(lines.map(|line| (line.to_owned(), String::new())));
    for (query, legend) in &queries {
        let mut common: Option<BTreeSet<&str>> = None;
        for (at, _) in query.match_indices("plenary_") {
            let (name, selected) = parts(&query[at..]);
            let labels = labels_of(name);
            for (label, value) in selected {
                assert!(labels.contains(label), "{name} has no label {label}: {query}");
                let known = values.get(&(name.to_owned(), label.to_owned()));
                let is_variable = value.starts_with('$') || label == "job";
                assert!(
                    is_variable || known.is_some_and(|known| known.contains(value)),
                    "{name} has no {label} {value}, but {known:?}: {query}"
                );
            }
            common =
                Some(common.map_or(labels.clone(), |common| common.intersection(&labels).copied().collect()));
        }
        let Some(common) = common else { continue };
        let grouped = ["by (", "ignoring (", "without (", "on ("].into_iter().flat_map(|word| {
            query.match_indices(word).filter_map(move |(at, _)| query[at + word.len()..].split_once(')'))
        });
        let grouped = grouped.flat_map(|(labels, _)| labels.split(',').map(str::trim));
        let shown = legend.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()));
        for label in grouped.chain(shown) {
            assert!(common.contains(label), "there is no label {label}: {query} {legend}");
        }
    }
}

/// Names of metrics in a query.
fn names_in(query: &str) -> Vec<String> {
    let starts = query.match_indices("plenary_").map(|(at, _)| &query[at..]);
    starts
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            rest[..end].to_owned()
        })
        .collect()
}

/// A series of this name comes from one of these families.
fn exists(types: &BTreeMap<String, String>, name: &str) -> bool {
    let of = |suffix: &str, kind: &str| {
        name.strip_suffix(suffix).and_then(|family| types.get(family)).is_some_and(|found| found == kind)
    };
    of("", "gauge")
        || of("_total", "counter")
        || of("_info", "info")
        || ["_bucket", "_sum", "_count"].into_iter().any(|suffix| of(suffix, "histogram"))
}
