//! What happens to the customer's key, in the audit log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use coffer_keyring::audit::{AuditAction, AuditEvent};

use super::Audit;
use crate::key::{KeyAccess, KeyEvent, KeyObserver};

/// Writes what happens to the customer's key into the audit log.
pub(super) struct KeyNews {
    audit: Audit,
    /// The key holds its observer.
    key: Weak<KeyAccess>,
    /// The last verdict of each Region.
    verdicts: Mutex<BTreeMap<String, &'static str>>,
}

impl KeyNews {
    /// For the member whose log and key these are.
    pub(super) fn new(audit: Audit, key: &Arc<KeyAccess>) -> Self {
        Self { audit, key: Arc::downgrade(key), verdicts: Mutex::default() }
    }

    fn audited(&self, event: &KeyEvent) -> AuditEvent {
        match event {
            KeyEvent::Unsealed { region } => {
                AuditEvent::new(AuditAction::Unsealed { region: region.to_string() })
            }
            KeyEvent::Verdict { region, verdict, code, request_id } => {
                let region = region.to_string();
                let from = self.replace(&region, verdict);
                let (to, request) = ((*verdict).to_owned(), format!("request {request_id}"));
                let event =
                    AuditEvent::new(AuditAction::VerdictChanged { region, from, to, code: code.clone() });
                if request_id.is_empty() { event } else { event.failed(&request) }
            }
            KeyEvent::RegionChanged { from, to } => {
                let home = self.key.upgrade().and_then(|key| key.home());
                let (is_home, from, to) = (home.as_ref() == Some(to), from.to_string(), to.to_string());
                AuditEvent::new(match is_home {
                    true => AuditAction::FailedBack { from, to },
                    false => AuditAction::FailedOver { from, to },
                })
            }
            KeyEvent::Told { by, region, confirmed } => {
                let region = region.to_string();
                let from = self.verdicts().get(&region).copied().unwrap_or("unknown").to_owned();
                let code = if *confirmed { "confirmed" } else { "not confirmed" }.to_owned();
                AuditEvent::new(AuditAction::VerdictChanged { region, from, to: "denied".to_owned(), code })
                    .by(format!("member {by}"))
            }
            KeyEvent::Chosen { region: Some(region) } => {
                AuditEvent::new(AuditAction::OverrideSet { detail: format!("Region {region}") }).by(OPERATOR)
            }
            KeyEvent::Chosen { region: None } => {
                AuditEvent::new(AuditAction::OverrideCleared { detail: "Region".to_owned() }).by(OPERATOR)
            }
            KeyEvent::Trusted { cmk } => {
                AuditEvent::new(AuditAction::OverrideSet { detail: format!("trusted key {cmk}") })
                    .by(OPERATOR)
            }
            KeyEvent::Revoked { reason } => {
                let region = self.key.upgrade().and_then(|key| key.active_region());
                let region = region.map(|region| region.to_string()).unwrap_or_default();
                AuditEvent::new(AuditAction::ShutDownOnRevocation { region, code: reason.clone() })
            }
        }
    }

    /// Takes a verdict in; returns the one before it.
    fn replace(&self, region: &str, verdict: &'static str) -> String {
        self.verdicts().insert(region.to_owned(), verdict).unwrap_or("unknown").to_owned()
    }

    fn verdicts(&self) -> MutexGuard<'_, BTreeMap<String, &'static str>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who chooses for one member.
const OPERATOR: &str = "operator";

impl KeyObserver for KeyNews {
    fn event(&self, event: &KeyEvent) {
        self.audit.record(self.audited(event));
    }
}

#[cfg(test)]
mod tests {
    use coffer_keyring::kms::Region;
    use serde_json::json;

    use super::*;
    use crate::alerts::Alerts;

    #[test]
    fn a_verdict_names_the_one_before_it() {
        let audit = Audit::new(Arc::new(Alerts::new(1)));
        let news = KeyNews::new(audit, &KeyAccess::off());
        let verdict = |verdict, code: &str, request_id: &str| KeyEvent::Verdict {
            region: Region::parse("eu-central-1").unwrap(),
            verdict,
            code: code.to_owned(),
            request_id: request_id.to_owned(),
        };
        let shown = |event: &KeyEvent| serde_json::to_value(news.audited(event)).unwrap();
        let first = shown(&verdict("accessible", "", ""));
        assert_eq!(first["event"]["from"], json!("unknown"));
        assert_eq!(first["outcome"], json!("done"));
        let denied = shown(&verdict("denied", "DisabledException", "r-1"));
        assert_eq!(
            (&denied["event"]["from"], &denied["event"]["to"]),
            (&json!("accessible"), &json!("denied"))
        );
        assert_eq!(denied["outcome"], json!({ "failed": "request r-1" }));
        let told = KeyEvent::Told { by: 2, region: Region::parse("eu-central-1").unwrap(), confirmed: true };
        assert_eq!(shown(&told)["who"], json!("member 2"));
        let chosen = shown(&KeyEvent::Chosen { region: None });
        assert_eq!(
            (&chosen["who"], &chosen["event"]["what"]),
            (&json!("operator"), &json!("override_cleared"))
        );
    }
}
