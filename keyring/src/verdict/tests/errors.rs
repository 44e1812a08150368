//! Every error of KMS and STS, and what a running member and a starting member make of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::scene::{MULTI, SINGLE, away, home, key, secs};
use crate::health::{ProbeOutcome, Verdict};
use crate::kms::KmsErrorClass::{Denied, Misconfigured, NoVerdict, Unreachable};
use crate::kms::{ErrorFacts, KeyState, KmsError, KmsErrorClass, Region};
use crate::verdict::{Event, KeyStoreRule, Machine, Observation, Policy, Rounds, Stance, Step, outcome_help};

/// What a running member does when the error lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Runs {
    /// It serves, and says that something is wrong.
    Degraded,
    /// It serves as if nothing were.
    On,
    /// It shuts down once the denial is confirmed.
    Stops,
}

/// What a starting member does, beside staying sealed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Starts {
    /// It asks the other Regions.
    AsksOthers,
    /// It asks home again.
    AsksHome,
    /// It asks home again, and nobody else until home has given access.
    HomeOnly,
}

struct Row {
    code: &'static str,
    status: Option<u16>,
    state: Option<KeyState>,
    skew: Option<Duration>,
    class: KmsErrorClass,
    runs: Runs,
    starts: Starts,
    help: &'static str,
    fact: bool,
}

fn row(code: &'static str, status: u16, class: KmsErrorClass, help: &'static str) -> Row {
    let (runs, starts) = match class {
        Denied => (Runs::Stops, Starts::HomeOnly),
        Unreachable => (Runs::Degraded, Starts::AsksOthers),
        NoVerdict => (Runs::On, Starts::AsksHome),
        Misconfigured => (Runs::Degraded, Starts::AsksHome),
    };
    let status = (status > 0).then_some(status);
    Row { code, status, state: None, skew: None, class, runs, starts, help, fact: false }
}

fn fact(row: Row) -> Row {
    Row { fact: true, ..row }
}

fn in_state(state: KeyState, class: KmsErrorClass, help: &'static str) -> Row {
    Row { state: Some(state), ..row("KMSInvalidStateException", 409, class, help) }
}

fn skewed(code: &'static str) -> Row {
    Row { skew: Some(secs(301)), ..row(code, 403, NoVerdict, "CK0013") }
}

/// The table of KMS's and STS's errors: the API references of both, "Key states of AWS KMS keys" in the Developer Guide, and
/// the codes of the SDK itself.
fn table() -> Vec<Row> {
    vec![
        fact(row("DisabledException", 409, Denied, "CK0001")),
        fact(in_state(KeyState::Disabled, Denied, "CK0001")),
        fact(in_state(KeyState::PendingDeletion, Denied, "CK0002")),
        fact(in_state(KeyState::PendingReplicaDeletion, Denied, "CK0002")),
        fact(in_state(KeyState::PendingImport, Denied, "CK0002")),
        in_state(KeyState::Creating, Unreachable, "CK0010"),
        in_state(KeyState::Updating, NoVerdict, "CK0010"),
        row("NotFoundException", 404, Denied, "CK0006"),
        row("AccessDeniedException", 400, Denied, "CK0003"),
        row("AccessDenied", 403, Denied, "CK0004"),
        row("UnrecognizedClientException", 400, Denied, "CK0005"),
        row("InvalidClientTokenId", 403, Denied, "CK0005"),
        row("InvalidSignatureException", 400, Denied, "CK0005"),
        row("SignatureDoesNotMatch", 403, Denied, "CK0005"),
        skewed("InvalidSignatureException"),
        skewed("SignatureDoesNotMatch"),
        row("ExpiredTokenException", 400, Unreachable, "CK0011"),
        row("ExpiredToken", 403, Unreachable, "CK0011"),
        row("KeyUnavailableException", 500, Unreachable, "CK0010"),
        row("KMSInternalException", 500, Unreachable, "CK0010"),
        row("DependencyTimeoutException", 503, Unreachable, "CK0010"),
        row("ThrottlingException", 400, NoVerdict, "CK0012"),
        row("LimitExceededException", 400, NoVerdict, "CK0012"),
        row("DispatchFailure", 0, Unreachable, "CK0010"),
        row("TimeoutError", 0, Unreachable, "CK0010"),
        row("CredentialsNotLoaded", 0, Unreachable, "CK0011"),
        row("IncorrectKeyException", 400, Misconfigured, "CK0025"),
        row("InvalidCiphertextException", 400, Misconfigured, "CK0020"),
        row("InvalidKeyUsageException", 400, Misconfigured, "CK0021"),
        row("InvalidArnException", 400, Misconfigured, "CK0023"),
        row("SomethingNewException", 400, Unreachable, "CK0015"),
        row("", 0, Unreachable, "CK0015"),
    ]
}

fn outcome(row: &Row) -> ProbeOutcome {
    let facts = ErrorFacts {
        code: row.code,
        http_status: row.status,
        key_state: row.state.as_ref(),
        clock_skew: row.skew,
    };
    let error = KmsError::new(&facts, "", None);
    assert_eq!(error.class, row.class, "{}", row.code);
    ProbeOutcome {
        verdict: Verdict::from(error.class),
        key_state: row.state.clone(),
        error: Some(error),
        ..ProbeOutcome::accessible(&home())
    }
}

fn seen(row: &Row, rule: KeyStoreRule, asked: Duration) -> Observation {
    Observation::new(&outcome(row), rule, asked)
}

/// What a member that runs under a single-Region key does when every probe ends like this.
fn runs(row: &Row, policy: Policy) -> Runs {
    let mut machine = Machine::new(policy, key(SINGLE, &[home()]), home(), Duration::ZERO, None);
    let mut now = Duration::ZERO;
    let mut decision = machine.on(now, Event::Tick);
    while now < secs(24 * 3600) {
        if decision.probe.is_empty() {
            match decision.wake {
                Some(wake) => now = wake,
                None => break,
            }
            decision = machine.on(now, Event::Tick);
        } else {
            let seen = seen(row, policy.key_store, now);
            decision = machine.on(now, Event::Probed { seen, jitter: 0.0 });
        }
    }
    match decision.stance {
        Stance::ShutDown(_) => {
            assert_eq!(decision.tell.iter().any(|told| told.confirmed), row.fact, "{}", row.code);
            Runs::Stops
        }
        Stance::Degraded => Runs::Degraded,
        Stance::Serve => Runs::On,
    }
}

/// Whom a member asks that starts with a multi-Region key, when home answers like this, and when home is out after that.
fn starts(row: &Row, policy: Policy) -> Starts {
    let keys = key(MULTI, &[home(), away()]);
    let mut rounds = Rounds::new(policy, keys, BTreeSet::new(), None);
    let asks_away = |rounds: &mut Rounds, now: Duration, answer: Observation| -> bool {
        assert_eq!(rounds.step(now), Step::Ask(home()));
        rounds.answered(now, answer);
        rounds.step(now) == Step::Ask(away())
    };
    if asks_away(&mut rounds, Duration::ZERO, seen(row, policy.key_store, Duration::ZERO)) {
        return Starts::AsksOthers;
    }
    let out = |asked| Observation::bare(&home(), Verdict::Unreachable, asked);
    if asks_away(&mut rounds, secs(3600), out(secs(3600))) { Starts::AsksHome } else { Starts::HomeOnly }
}

#[test]
fn every_error_does_what_it_should() {
    let policy = Policy::default();
    for row in table() {
        let name = format!("{} {:?} {:?}", row.code, row.status, row.state);
        assert_eq!(runs(&row, policy), row.runs, "{name}, running");
        assert_eq!(starts(&row, policy), row.starts, "{name}, starting");
        assert_eq!(outcome_help(&outcome(&row)), row.help, "{name}");
        assert_eq!(seen(&row, policy.key_store, secs(0)).help, row.help, "{name}");
    }
}

#[test]
fn an_unavailable_key_store_is_what_its_owner_says() {
    let unavailable = |class| in_state(KeyState::Unavailable, class, "CK0014");
    for (rule, runs_as, starts_as) in [
        (KeyStoreRule::Refuse, Runs::Degraded, Starts::AsksHome),
        (KeyStoreRule::Unreachable, Runs::Degraded, Starts::AsksOthers),
        (KeyStoreRule::Denied, Runs::Stops, Starts::HomeOnly),
    ] {
        let policy = Policy { key_store: rule, ..Policy::default() };
        let row = unavailable(Unreachable);
        assert_eq!(runs(&row, policy), runs_as, "{rule:?}");
        assert_eq!(starts(&row, policy), starts_as, "{rule:?}");
        assert_eq!(seen(&row, rule, secs(0)).help, "CK0014");
    }
}

/// The owner of an external key store can take the proxy away without disconnecting the store: the key stays Enabled.
#[test]
fn a_key_store_behind_a_silent_proxy_is_as_unavailable() {
    let of = |custom: bool| ProbeOutcome {
        custom_key_store: Some(custom),
        ..outcome(&in_state(KeyState::Enabled, NoVerdict, "CK0014"))
    };
    for (rule, verdict) in [
        (KeyStoreRule::Refuse, Verdict::Misconfigured),
        (KeyStoreRule::Unreachable, Verdict::Unreachable),
        (KeyStoreRule::Denied, Verdict::Denied),
    ] {
        let seen = Observation::new(&of(true), rule, secs(0));
        assert_eq!((seen.verdict, seen.help), (verdict, "CK0014"), "{rule:?}");
        assert_eq!(Observation::new(&of(false), rule, secs(0)).verdict, Verdict::NoVerdict, "{rule:?}");
    }
}

#[test]
fn a_state_that_speaks_against_the_key_needs_no_error() {
    for (state, help) in [(KeyState::Disabled, "CK0001"), (KeyState::PendingDeletion, "CK0002")] {
        let outcome = ProbeOutcome {
            verdict: Verdict::Denied,
            key_state: Some(state.clone()),
            ..ProbeOutcome::accessible(&home())
        };
        let seen = Observation::new(&outcome, KeyStoreRule::Refuse, secs(0));
        assert_eq!((seen.help, seen.fact, seen.key_state), (help, true, Some(state)));
    }
}

#[test]
fn a_describe_key_that_is_denied_alone_is_an_alert() {
    let region: Region = home();
    let outcome = ProbeOutcome {
        describe_error: Some(KmsError::from_code("AccessDeniedException", "")),
        ..ProbeOutcome::accessible(&region)
    };
    let mut machine = Machine::new(Policy::default(), key(SINGLE, &[home()]), home(), secs(0), None);
    let seen = Observation::new(&outcome, KeyStoreRule::Refuse, secs(30));
    let decision = machine.on(secs(30), Event::Probed { seen, jitter: 0.0 });
    assert_eq!(decision.stance, Stance::Serve);
    let kinds: Vec<_> = decision.alerts.iter().map(|alert| (alert.kind.name(), alert.help)).collect();
    assert_eq!(kinds, [("describe_denied", "CK0003")]);
}
