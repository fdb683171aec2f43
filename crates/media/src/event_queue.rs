//! A worker's events on their way to the control side.

use crate::MediaEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tracing::warn;

/// Events that wait in a worker for the control side; beyond this number they are dropped.
const EVENTS_WAITING_MAX: usize = 100_000;

/// Events to the control side. They wait here while its queue is full: a media thread never blocks.
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
            // The control side has ended.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(event)) => self.keep(event),
        }
    }

    fn keep(&mut self, event: MediaEvent) {
        if self.waiting.len() < EVENTS_WAITING_MAX {
            self.waiting.push_back(event);
        } else {
            warn!(?event, "the queue of media events is full: an event is dropped");
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
