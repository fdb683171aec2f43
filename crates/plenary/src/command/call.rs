//! `plenary call`: one test call.

use crate::{cli, config::Config, tls::Tls};
use anyhow::bail;
use plenary_caller::{CallSpec, CallState, Caller, CallerConfig, Impairment, KeyBody, KeyRoute, Speech, wav};
use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    process::ExitCode,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How long the other side may let it ring.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const TONE_DBOV: f32 = -12.0;

pub(super) async fn run(config: &Config, flags: cli::Call) -> anyhow::Result<ExitCode> {
    if let Some(keys) = &flags.dtmf {
        plenary_caller::check_keys(keys)?;
    }
    let speech = match (&flags.tone, &flags.play) {
        (Some(hz), _) => Speech::Tone { hz: *hz, dbov: TONE_DBOV },
        (None, Some(path)) => Speech::Wav(path.clone()),
        (None, None) => Speech::Silence,
    };
    let tls = Tls::load(None, None, config.tls.authorities.as_deref())?;
    let caller = Caller::new(CallerConfig {
        bind: local_address(&flags.uri),
        tls: tls.sip(),
        ..CallerConfig::default()
    })
    .await?;
    let record_seconds = if flags.record.is_some() { flags.seconds } else { 0 };
    let spec = CallSpec {
        from_user: "plenary".to_owned(),
        speech,
        codecs: flags.codecs.iter().map(|codec| codec.codec()).collect(),
        record_seconds,
        credentials: flags
            .user
            .zip(flags.password)
            .map(|(user, password)| plenary_sip::Credentials { user, password }),
        keys: match flags.dtmf_by {
            cli::DtmfRoute::Events => KeyRoute::Events,
            cli::DtmfRoute::Tones => KeyRoute::Tones,
            cli::DtmfRoute::InfoRelay => KeyRoute::Info(KeyBody::Relay),
            cli::DtmfRoute::Info => KeyRoute::Info(KeyBody::Plain),
        },
        impairment: Impairment { loss_permille: flags.loss_permille, jitter_ms: flags.jitter_ms },
        ..CallSpec::default()
    };
    let mut call = caller.dial(&flags.uri, spec).await?;
    match tokio::time::timeout(ANSWER_WITHIN, call.answered()).await {
        Ok(CallState::Up) => {}
        Ok(CallState::Refused { status, phrase }) => bail!("{} was refused: {status} {phrase}", flags.uri),
        Ok(CallState::Calling | CallState::Ringing | CallState::Ended { .. }) => {
            bail!("{} answered with nothing that can be talked with", flags.uri)
        }
        Err(_) => bail!("{} did not answer within {} s", flags.uri, ANSWER_WITHIN.as_secs()),
    }
    say(format_args!(
        "Up, in {}. {} s, or until the other side hangs up or Ctrl-C.",
        call.codec().name(),
        flags.seconds
    ))?;
    if let Some(keys) = &flags.dtmf {
        // Participants enter with the ACK; a key pressed before that would be lost.
        tokio::time::sleep(Duration::from_millis(300)).await;
        call.press(keys)?;
    }
    let until = Instant::now() + Duration::from_secs(u64::from(flags.seconds));
    let ended = tokio::select! {
        ended = call.ended() => Some(ended),
        () = sleep_until(until) => None,
        _ = tokio::signal::ctrl_c() => None,
    };
    let (stats, heard) = (call.stats(), call.heard(1000));
    if ended.is_none() {
        call.hang_up();
        let _ = tokio::time::timeout(Duration::from_secs(5), call.ended()).await;
    }
    if let Some(CallState::Ended { by_remote: true, reason }) = &ended {
        let reason = if reason.is_empty() { "no reason given" } else { reason };
        say(format_args!("The other side hung up: {reason}."))?;
    }
    if let Some(path) = &flags.record {
        wav::write(path, &call.recorded(), call.rate_hz())?;
        say(format_args!("What was heard is in {}.", path.display()))?;
    }
    say(format_args!(
        "Sent {} packets, received {}, lost {}, jitter {:.1} ms. Level of the last second heard: {:.0} dBov.",
        stats.sent,
        stats.received,
        stats.lost,
        stats.jitter_ms,
        plenary_audio::level::dbov(&heard),
    ))?;
    caller.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn say(text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", crate::text::line(&text.to_string()))
}

/// The address this machine would send to the URI's host from; loopback if that is not known.
pub(super) fn local_address(uri: &str) -> IpAddr {
    let host = uri.rsplit_once('@').map_or_else(|| uri.trim_start_matches("sip:"), |(_, host)| host);
    let host = host.split([';', '>', '?']).next().unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
            (name, port.parse().unwrap_or(5060))
        }
        _ => (host, 5060),
    };
    let name = name.trim_matches(['[', ']']);
    let towards = |any: IpAddr| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((name, port)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    towards(Ipv4Addr::UNSPECIFIED.into())
        .or_else(|| towards(Ipv6Addr::UNSPECIFIED.into()))
        .unwrap_or(Ipv4Addr::LOCALHOST.into())
}
