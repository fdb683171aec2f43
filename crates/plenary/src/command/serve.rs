//! `plenary serve`.

use crate::{config::Config, server::Server};
use anyhow::Context;
use plenary_store::Store;
use std::{io::Write, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How long calls get to answer their BYE when the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How often the certificate's files are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;

    let server = Server::start(&config).await?;
    let first_key = if config.demo_account { demo_account(server.store()).await? } else { None };

    // Scripts wait for these lines, so they are out before anything else happens. Whoever reads them may go away:
    // the service is not for them.
    let https = server.https_addr().map(|address| format!(", https://{address}")).unwrap_or_default();
    let sips = server.sips_addr().map(|address| format!(", {address} (TLS)")).unwrap_or_default();
    let mut text = format!(
        "Web services: http://{}{https}\nSIP:          {} (UDP and TCP){sips}\nRTP:          UDP ports {}\nData:         {}\n",
        server.http_addr(),
        server.sip_addr(),
        config.rtp_ports,
        config.data.display()
    );
    if let Some(key) = first_key {
        text.push_str(&welcome(&server, &key));
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    drop(out);

    let mut look_at_files = tokio::time::interval(CERTIFICATES_EVERY);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => server.tls().reload(),
            _ = look_at_files.tick() => server.tls().reload_if_changed(),
        }
    }
    server.stop(STOP_WITHIN).await;
    Ok(())
}

const DEMO_LOGIN: &str = "1-2-0/demo@example.com";
const DEMO_SERVICE: &str = "conf-*";

/// On a data folder without accounts, makes one and a service that leads to every conference of its name.
async fn demo_account(store: &Store) -> anyhow::Result<Option<String>> {
    if !store.list_accounts().await?.is_empty() {
        return Ok(None);
    }
    let (account, key) = store.create_account_login(DEMO_LOGIN).await?;
    let body = serde_json::json!({ "conference": { "name": "{rest}" } });
    store.put_service(account.id, DEMO_SERVICE, &body).await?;
    Ok(Some(key.to_string()))
}

fn welcome(server: &Server, key: &str) -> String {
    let start = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(7);
    let start = start.strftime("%Y-%m-%d_%H:%M:%S");
    let (http, sip) = (server.http_addr(), server.sip_addr());
    format!(
        "
This data folder was empty, so there is now an account to try things with.

  Account:         {DEMO_LOGIN}
  API Access Key:  {key}
                   (shown this once; make another with: plenary account key new {DEMO_LOGIN})

Reserve a conference that starts in about six minutes:

  curl -u '{DEMO_LOGIN}:{key}' \\
    'http://{http}/conference_reservation_create?conference_name=Board&max_participants=40&start_time={start}&duration=30'

Or just call one that nobody reserved, from two telephones:

  sip:conf-Tea@{sip}

With no telephone at hand:  plenary call sip:conf-Tea@{sip} --tone 440   or, for the whole job:  plenary demo

"
    )
}
