//! The audit log of this member, for everybody in it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use coffer_keyring::audit::{AuditAction, AuditEvent, AuditHead, AuditKey, AuditLog, AuditSink};
use tokio::time::timeout;

use crate::alerts::{AlertKind, Alerts};

/// Events that wait for the writer; what comes beyond them is lost, with an alert. A quiet member has a few in a day.
const MAX_WAITING: usize = 1_024;

/// Subject of the alert that the log cannot be written.
const WRITE: &str = "write";

/// The audit log of this member: [`crate::member::Member::audit`] gives it. Cheap to clone: clones share the log.
#[derive(Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

struct Inner {
    alerts: Arc<Alerts>,
    log: OnceLock<AuditLog>,
    queue: Mutex<Option<SyncSender<Vec<AuditEvent>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Events for which there was no room, and that the log does not mention yet.
    lost: AtomicU64,
}

impl Audit {
    /// A log that is not open yet.
    pub fn new(alerts: Arc<Alerts>) -> Self {
        let inner = Inner {
            alerts,
            log: OnceLock::new(),
            queue: Mutex::default(),
            writer: Mutex::default(),
            lost: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Opens the log in `dir`; its lines are chained, and authenticated from [`Audit::set_key`] on. Where that fails there is
    /// an alert, and events are only counted as lost.
    pub fn open(&self, dir: &Path) {
        let log = match AuditLog::open(dir, None) {
            Ok(log) => log,
            Err(error) => return self.inner.alerts.raise(AlertKind::Audit, WRITE, error.to_string()),
        };
        if self.inner.log.set(log).is_err() {
            unreachable!("the boot opens the audit log once");
        }
        let (queue, events) = sync_channel(MAX_WAITING);
        let inner = self.inner.clone();
        match std::thread::Builder::new().name("audit".to_owned()).spawn(move || inner.write_all(&events)) {
            Ok(writer) => {
                *lock(&self.inner.writer) = Some(writer);
                *lock(&self.inner.queue) = Some(queue);
            }
            Err(error) => self.inner.alerts.raise(AlertKind::Audit, WRITE, error.to_string()),
        }
    }

    /// Authenticates lines under this key from now on.
    pub fn set_key(&self, key: Option<AuditKey>) {
        if let Some(log) = self.inner.log.get() {
            log.set_key(key);
        }
    }

    /// Takes an event in; it is written soon, in order, by a thread of its own.
    pub fn record(&self, event: AuditEvent) {
        self.enqueue(vec![event]);
    }

    /// How far the log reaches; nothing before it is open.
    pub fn head(&self) -> AuditHead {
        self.inner.log.get().map(AuditLog::head).unwrap_or_default()
    }

    /// What the keyring tells its events to: they are written before its call returns.
    pub fn sink(&self) -> Arc<dyn AuditSink> {
        self.inner.clone()
    }

    /// The log, once it is open.
    pub(super) fn log(&self) -> Option<&AuditLog> {
        self.inner.log.get()
    }

    pub(super) fn alerts(&self) -> &Alerts {
        &self.inner.alerts
    }

    /// Writes what waits, at most for `limit`, and wipes the key of the log here. Events that come later are lost.
    pub async fn close(&self, limit: Duration) {
        drop(lock(&self.inner.queue).take());
        let writer = lock(&self.inner.writer).take();
        if let Some(writer) = writer {
            let written = tokio::task::spawn_blocking(move || writer.join());
            if timeout(limit, written).await.is_err() {
                tracing::warn!("the audit log was not written in time");
            }
        }
        self.set_key(None);
    }

    fn enqueue(&self, events: Vec<AuditEvent>) {
        let queue = lock(&self.inner.queue);
        let sent = match queue.as_ref() {
            Some(queue) => queue.try_send(events),
            None => Err(TrySendError::Disconnected(events)),
        };
        let lost = match sent {
            Ok(()) => return,
            Err(TrySendError::Full(lost)) => {
                self.inner.lost.fetch_add(lost.len() as u64, Ordering::Relaxed);
                let text = "the audit log does not take events as fast as they come: its disk hangs";
                self.inner.alerts.raise(AlertKind::Audit, WRITE, text);
                lost
            }
            Err(TrySendError::Disconnected(lost)) => lost,
        };
        for event in lost {
            tracing::error!(action = ?event.action, "an event is not in the audit log: it does not take any");
        }
    }
}

impl Inner {
    fn write_all(&self, events: &Receiver<Vec<AuditEvent>>) {
        while let Ok(events) = events.recv() {
            self.record(events);
        }
    }
}

impl AuditSink for Inner {
    fn record(&self, events: Vec<AuditEvent>) {
        let Some(log) = self.log.get() else { return };
        let lost = match self.lost.swap(0, Ordering::Relaxed) {
            0 => None,
            count => Some(AuditEvent::new(AuditAction::EventsLost { count })),
        };
        for event in lost.into_iter().chain(events) {
            let action = format!("{:?}", event.action);
            match log.append(event) {
                Ok(_) => self.alerts.resolve(AlertKind::Audit, WRITE),
                Err(error) => {
                    tracing::error!(action, %error, "an event is not in the audit log");
                    self.alerts.raise(AlertKind::Audit, WRITE, error.to_string());
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn started() -> AuditEvent {
        AuditEvent::new(AuditAction::Started { version: "1".to_owned() })
    }

    #[tokio::test]
    async fn events_are_written_in_order_and_all_of_them_before_it_closes() {
        let dir = tempfile::tempdir().unwrap();
        let alerts = Arc::new(Alerts::new(1));
        let audit = Audit::new(alerts.clone());
        assert_eq!(audit.head(), AuditHead::default());
        audit.open(&dir.path().join("audit"));
        for _ in 0..10 {
            audit.record(started());
        }
        audit.sink().record(vec![AuditEvent::new(AuditAction::Unsealed { region: "r".to_owned() })]);
        audit.close(Duration::from_secs(30)).await;
        assert_eq!(audit.head().lines, 11);
        assert!(audit.log().unwrap().verify(&[]).unwrap().is_sound());
        audit.record(started());
        assert_eq!(audit.head().lines, 11, "closed");
        assert!(alerts.open().is_empty());
    }

    #[tokio::test]
    async fn events_for_which_there_is_no_room_are_counted_in_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let alerts = Arc::new(Alerts::new(1));
        let audit = Audit::new(alerts.clone());
        audit.open(&dir.path().join("audit"));
        audit.close(Duration::from_secs(30)).await;
        // A writer that hangs.
        let (queue, waiting) = sync_channel(1);
        *lock(&audit.inner.queue) = Some(queue);
        for _ in 0..3 {
            audit.record(started());
        }
        assert_eq!(alerts.open()[0].kind, "audit");
        audit.sink().record(waiting.recv().unwrap());
        assert_eq!(audit.head().lines, 2);
        let written = fs::read_to_string(dir.path().join("audit/audit-00000001.jsonl")).unwrap();
        assert!(written.contains(r#""what":"events_lost","count":2"#), "{written}");
        assert!(alerts.open().is_empty());
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_is_an_alert_and_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let alerts = Arc::new(Alerts::new(1));
        let audit = Audit::new(alerts.clone());
        fs::write(dir.path().join("audit"), "in its way").unwrap();
        audit.open(&dir.path().join("audit"));
        audit.record(started());
        audit.close(Duration::from_secs(30)).await;
        assert_eq!(alerts.open()[0].kind, "audit");
        assert_eq!(alerts.open()[0].help_code, "CK0053");
    }
}
