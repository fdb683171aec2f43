//! `plenary serve`.

use crate::{clock::wall_now, config::Config, server::Server};
use anyhow::{Context, bail};
use plenary_api::platform_time;
use plenary_model::{LanguageCode, PersonSettings, Role};
use plenary_store::Store;
use sd_notify::NotifyState;
use std::{io::Write, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// How long calls get to answer their BYE when the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How often the certificate's files are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(60);

/// `reload` reads the configuration again.
pub(super) async fn run(config: Config, reload: impl Fn() -> anyhow::Result<Config>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;

    let mut server = Server::start(&config).await?;
    let first = if config.demo_account { demo_account(server.store()).await? } else { None };

    // Scripts wait for these lines, so they are out before anything else happens. Their reader may go away:
    // the service is not for them.
    let https = server.https_addr().map(|address| format!(", https://{address}")).unwrap_or_default();
    let sips = server.sips_addr().map(|address| format!(", {address} (TLS)")).unwrap_or_default();
    let mut text = match plenary_web::has_console() {
        true => {
            let (http, https) = (server.http_addr(), server.https_addr());
            console(&Config { http, https, ..config.clone() }, first.as_ref())
        }
        false => String::new(),
    };
    text.push_str(&format!(
        "Web services: http://{}{https}\nSIP:          {} (UDP and TCP){sips}\nRTP:          UDP ports {}\nData:         {}\n",
        server.http_addr(),
        server.sip_addr(),
        config.rtp_ports,
        config.data.display()
    ));
    if let Some(address) = server.metrics_addr() {
        text.push_str(&format!("Metrics:      http://{address}/metrics\n"));
    }
    if let Some(first) = first {
        text.push_str(&welcome(&server, &first));
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    drop(out);

    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled();
    let mut pat = tokio::time::interval(watchdog.map_or(CERTIFICATES_EVERY, |within| within / 3));
    let mut look_at_files = tokio::time::interval(CERTIFICATES_EVERY);
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                let _ = sd_notify::notify(&[NotifyState::Stopping]);
                drain(&server, &mut terminate, &mut interrupt).await;
                break;
            }
            _ = interrupt.recv() => break,
            // Nothing works without it: better to begin anew than to stand there.
            () = server.engine().ended() => {
                server.stop(STOP_WITHIN).await;
                bail!("the engine has failed: the service has to be started again");
            }
            _ = hang_up.recv() => {
                let _ = sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]);
                match reload() {
                    Ok(config) => server.reload(&config).await,
                    Err(error) => warn!("the configuration stays as it was: {error:#}"),
                }
                let _ = sd_notify::notify(&[NotifyState::Ready]);
            }
            _ = look_at_files.tick() => server.tls().reload_if_changed(),
            // The watchdog is fed only while the engine answers.
            _ = pat.tick(), if watchdog.is_some() => {
                if server.engine().is_alive(pat.period()).await {
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    server.stop(STOP_WITHIN).await;
    Ok(())
}

/// Lets calls go on until the last one is over, time is up, or a second signal comes.
async fn drain(server: &Server, terminate: &mut Signal, interrupt: &mut Signal) {
    let within = server.drain_within();
    // A service manager that would kill the process sooner is asked for more time.
    let extend = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    let _ = sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(extend)]);
    let drained = tokio::spawn(server.drain());
    tokio::select! {
        _ = drained => {}
        () = tokio::time::sleep(within) => warn!("time is up: the calls that are left are hung up on"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

const DEMO_LOGIN: &str = "1-2-0/demo@example.com";
const DEMO_SERVICE: &str = "conf-*";
const DEMO_MAIL: &str = "demo@example.com";

/// What an empty data folder gets to try things with.
struct DemoAccount {
    key: String,
    /// The code by which an operator sets a password, where this program has a console.
    invitation: Option<String>,
}

/// On a data folder without accounts, makes one and a service that leads to every conference of its name.
async fn demo_account(store: &Store) -> anyhow::Result<Option<DemoAccount>> {
    if !store.list_accounts().await?.is_empty() {
        return Ok(None);
    }
    let (account, key) = store.create_account_login(DEMO_LOGIN).await?;
    // Guests' links lead there as well.
    let body = serde_json::json!({ "conference": { "name": "{rest}" }, "access": { "tokens": true } });
    store.put_service(account.id, DEMO_SERVICE, &body).await?;
    let mut invitation = None;
    if plenary_web::has_console() {
        let operator = PersonSettings {
            name: "Operator".to_owned(),
            mail: DEMO_MAIL.to_owned(),
            language: LanguageCode::english(),
            is_operator: true,
            is_disabled: false,
            roles: [(account.id, Role::Admin)].into(),
        };
        let person = store.person_new(&operator, wall_now()).await?;
        invitation =
            store.invite_on_machine(person.id, wall_now()).await?.map(|(code, _)| code.as_str().to_owned());
    }
    Ok(Some(DemoAccount { key: key.to_string(), invitation }))
}

/// Where the console is, and at the first start the link by which its operator gets in.
fn console(config: &Config, first: Option<&DemoAccount>) -> String {
    let mut text = format!("Console:      {}\n", config.console());
    if let Some(code) = first.and_then(|first| first.invitation.as_ref()) {
        let link = config.welcome_link(code);
        text.push_str(&format!(
            "First visit:  {link}\n              (works once: set a password, and sign in as {DEMO_MAIL} from then on)\n"
        ));
    }
    text
}

fn welcome(server: &Server, first: &DemoAccount) -> String {
    let key = &first.key;
    let start = platform_time(wall_now().plus_minutes(7));
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

Or just call one that is not reserved, from two telephones:

  sip:conf-Tea@{sip}

With no telephone at hand:  plenary call sip:conf-Tea@{sip} --tone 440   or, for the whole job:  plenary demo

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_console_comes_first_and_the_link_to_it_once() {
        let config = Config::default();
        assert_eq!(console(&config, None), "Console:      http://127.0.0.1:8080/console\n");
        let first = DemoAccount { key: "key".to_owned(), invitation: Some("abc".to_owned()) };
        let text = console(&config, Some(&first));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("Console:      http://127.0.0.1:8080/console"));
        assert_eq!(lines.next(), Some("First visit:  http://127.0.0.1:8080/console/welcome#abc"));
        assert!(text.contains(DEMO_MAIL), "{text}");
    }
}
