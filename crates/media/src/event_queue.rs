//! The way of a worker's events to the control side.

use crate::MediaEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tracing::warn;

/// Events that wait for the control side in a worker; beyond that they are lost.
const EVENTS_WAITING_MAX: usize = 100_000;

/// Events on their way up. They wait here while the queue is full: a media thread never waits for anybody.
#[derive(Debug)]
pub(crate) struct EventQueue {
    up: mpsc::Sender<MediaEvent>,
    waiting: VecDeque<MediaEvent>,
}

impl EventQueue {
    pub(crate) fn new(up: mpsc::Sender<MediaEvent>) -> Self {
        Self { up, waiting: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, event: MediaEvent) {
        self.flush();
        if !self.waiting.is_empty() {
            return self.keep(event);
        }
        match self.up.try_send(event) {
            // Nobody listens any more.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(event)) => self.keep(event),
        }
    }

    fn keep(&mut self, event: MediaEvent) {
        if self.waiting.len() < EVENTS_WAITING_MAX {
            self.waiting.push_back(event);
        } else {
            warn!(?event, "too many media events wait to be read: one is lost");
        }
    }

    pub(crate) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.up.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => return self.waiting.push_front(event),
                Err(mpsc::error::TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
}
