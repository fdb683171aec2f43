//! A test call.

use super::Check;
use crate::{
    config::{Addresses, Config, TlsFiles},
    server::Server,
    tls::Tls,
};
use anyhow::{Context, bail};
use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig, Speech};
use std::time::Duration;

const NAME: &str = "test call";
const LOGIN: &str = "1-2-0/doctor@example.com";
const TONES: [u16; 2] = [440, 1170];
const TALKER_DBOV: f32 = -16.0;
const HEARD_DBOV: f32 = -34.0;
/// How long a call may take to be answered, and to be heard.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const HEARD_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Two callers of a service of its own, on loopback, hear each other: this machine can do the work.
pub(super) async fn within(config: Config) -> Check {
    match two_callers(config).await {
        Ok(()) => {
            Check::ok(NAME, "two callers of a service of its own hear each other; --call SIP-URI calls yours")
        }
        Err(error) => Check::failed(
            NAME,
            format!("two callers of a service of its own do not hear each other: {error:#}"),
            "If ports or files are short, the checks above say so; otherwise PLENARY_LOG=info plenary doctor shows what happens.",
        ),
    }
}

async fn two_callers(config: Config) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a folder for it cannot be made")?;
    let local = ([127, 0, 0, 1], 0).into();
    // What is configured for audio counts; what concerns others does not.
    let config = Config {
        database: None,
        data: folder.path().to_owned(),
        http: local,
        https: None,
        metrics: None,
        sip: Addresses(vec![local]),
        sips: Addresses::default(),
        advertise: None,
        tls: TlsFiles::default(),
        media: config.media,
        rtp_ports: config.rtp_ports,
        ..Config::default()
    };
    let server = Server::start(&config).await?;
    let outcome = call_each_other(&server).await;
    server.stop(STOP_WITHIN).await;
    outcome
}

async fn call_each_other(server: &Server) -> anyhow::Result<()> {
    let (account, _) = server.store().create_account_login(LOGIN).await?;
    let body = serde_json::json!({ "conference": { "name": "{rest}" } });
    server.store().put_service(account.id, "conf-*", &body).await?;
    let caller = Caller::new(CallerConfig::default()).await?;
    let uri = format!("sip:conf-Doctor@{}", server.sip_addr());
    let mut calls = Vec::new();
    for hz in TONES {
        calls.push(dial(&caller, &uri, Speech::Tone { hz, dbov: TALKER_DBOV }).await?);
    }
    let tones = TONES.map(f32::from);
    let heard = async {
        while calls
            .iter()
            .zip([[false, true], [true, false]])
            .any(|(call, expected)| call.hears_tones(&tones, 500, HEARD_DBOV) != expected)
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let outcome = tokio::time::timeout(HEARD_WITHIN, heard).await;
    calls.iter().for_each(Call::hang_up);
    caller.stop().await;
    outcome.map_err(|_| anyhow::anyhow!("not within {} s", HEARD_WITHIN.as_secs()))
}

/// A call to whatever the operator names.
pub(super) async fn to(config: &Config, uri: &str) -> Check {
    match call(config, uri).await {
        Ok(detail) => Check::ok(NAME, detail),
        Err(error) => Check::failed(
            NAME,
            format!("{error:#}"),
            format!(
                "`plenary call {uri} --tone 440` tries it again; the messages of the call are at /v1/operator/calls."
            ),
        ),
    }
}

async fn call(config: &Config, uri: &str) -> anyhow::Result<String> {
    let tls = Tls::load(None, None, config.tls.authorities.as_deref())?;
    let bind = super::super::call::local_address(uri);
    let caller = Caller::new(CallerConfig { bind, tls: tls.sip(), ..CallerConfig::default() }).await?;
    let call = dial(&caller, uri, Speech::Tone { hz: TONES[0], dbov: TALKER_DBOV }).await?;
    let received = async {
        while call.stats().received == 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let is_heard = tokio::time::timeout(HEARD_WITHIN, received).await.is_ok();
    let codec = call.codec().name();
    call.hang_up();
    caller.stop().await;
    if !is_heard {
        bail!("{uri} answered, and no audio came within {} s", HEARD_WITHIN.as_secs());
    }
    Ok(format!("{uri} answered in {codec}, and audio came"))
}

async fn dial(caller: &Caller, uri: &str, speech: Speech) -> anyhow::Result<Call> {
    let spec = CallSpec { from_user: "doctor".to_owned(), speech, ..CallSpec::default() };
    let mut call = caller.dial(uri, spec).await?;
    match tokio::time::timeout(ANSWER_WITHIN, call.answered()).await {
        Ok(CallState::Up) => Ok(call),
        Ok(CallState::Refused { status, phrase }) => bail!("{uri} was refused: {status} {phrase}"),
        Ok(CallState::Calling | CallState::Ringing | CallState::Ended { .. }) => {
            bail!("{uri} ended the call")
        }
        Err(_) => bail!("{uri} did not answer within {} s", ANSWER_WITHIN.as_secs()),
    }
}
