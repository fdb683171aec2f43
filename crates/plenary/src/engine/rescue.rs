//! A mistake of ours in the handling of one call ends that call, and not the engine with all others.
//!
//! What a panic leaves half done is cleared away by ending the call that was being handled. A mistake that comes again and
//! again sits deeper than one call: then the engine ends, the process with it, and its supervisor starts it anew;
//! reservations are read back and telephones get BYE ([`super::Engine::start`]).

use super::Engine;
use plenary_calls::CallNumber;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};
use tracing::error;

/// So many failures…
const FAILURES_MAX: usize = 20;
/// … within this time are too many.
const FAILURES_WITHIN: Duration = Duration::from_secs(10);

/// When the engine failed of late.
#[derive(Debug, Default)]
pub(super) struct Rescues(VecDeque<Instant>);

impl Rescues {
    fn add(&mut self, now: Instant) {
        self.0.push_back(now);
        while self.0.front().is_some_and(|at| now.duration_since(*at) > FAILURES_WITHIN) {
            self.0.pop_front();
        }
    }

    pub(super) fn are_too_many(&self) -> bool {
        self.0.len() >= FAILURES_MAX
    }
}

impl Engine {
    /// Does something that concerns `call`, and all that follows from it.
    pub(super) fn guarded(&mut self, call: Option<CallNumber>, act: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| act(self))).is_ok() {
            return;
        }
        self.rescues.add(Instant::now());
        match call {
            Some(number) => {
                error!(call = number.0, "the engine failed over a call: that call ends, all others go on");
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    self.node.handle_failure(number, self.clock.now());
                    self.carry_out();
                }));
                if ended.is_ok() {
                    return;
                }
                self.rescues.add(Instant::now());
                self.rescue(|engine| engine.node.abandon(number, engine.clock.now()));
            }
            None => error!("the engine failed: what it was doing is left, everything else goes on"),
        }
        // What was decided before is carried out all the same.
        self.rescue(|engine| engine.node.settle(engine.clock.now()));
    }

    fn rescue(&mut self, act: impl FnOnce(&mut Self)) {
        let done = catch_unwind(AssertUnwindSafe(|| {
            act(self);
            self.carry_out();
        }));
        if done.is_err() {
            self.rescues.add(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Addresses, Config},
        server::Server,
    };
    use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig};

    async fn call(caller: &Caller, uri: &str) -> Call {
        let mut call = caller.dial(uri, CallSpec::default()).await.unwrap();
        assert_eq!(call.answered().await, CallState::Up);
        call
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mistake_over_one_call_ends_that_call_only() {
        let folder = tempfile::tempdir().unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            data: folder.path().to_owned(),
            http: local,
            sip: Addresses(vec![local]),
            ..Config::default()
        };
        let server = Server::start(&config).await.unwrap();
        let (account, _) = server.store().create_account_login("1-2-0/bob@example.com").await.unwrap();
        let body = serde_json::json!({ "conference": { "name": "{rest}" } });
        server.store().put_service(account.id, "conf-*", &body).await.unwrap();
        let caller = Caller::new(CallerConfig::default()).await.unwrap();
        let uri = format!("sip:conf-Tea@{}", server.sip_addr());
        let (mut first, second) = (call(&caller, &uri).await, call(&caller, &uri).await);

        server.engine().fail(Some(CallNumber(1))).await;
        let ended = tokio::time::timeout(Duration::from_secs(20), first.ended()).await.unwrap();
        assert_eq!(ended, CallState::Ended { by_remote: true, reason: "The call failed".to_owned() });
        server.engine().fail(None).await;
        assert!(server.engine().is_alive(Duration::from_secs(20)).await);
        assert_eq!(second.state(), CallState::Up);
        let third = call(&caller, &uri).await;
        drop((second, third));

        // What fails whatever is done ends the engine, and with it the process.
        for _ in 0..FAILURES_MAX {
            server.engine().fail(None).await;
        }
        tokio::time::timeout(Duration::from_secs(20), server.engine().ended()).await.unwrap();
    }

    #[test]
    fn a_mistake_now_and_then_is_lived_with_and_one_after_the_other_is_not() {
        let (mut rescues, began) = (Rescues::default(), Instant::now());
        for n in 0..1000 {
            rescues.add(began + Duration::from_secs(n));
            assert!(!rescues.are_too_many());
        }
        for n in 0..FAILURES_MAX as u64 {
            rescues.add(began + Duration::from_millis(1_000_000 + n));
        }
        assert!(rescues.are_too_many());
    }
}
