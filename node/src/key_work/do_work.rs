//! Does one piece of work on this member's keys, as its leader ordered.

use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::kms::{EncryptionContext, KeyArn, Region, validate};
use coffer_keyring::{DatabaseId, UnsealError};
use coffer_proto::help::HelpCode;
use coffer_proto::internal::v1::key_work_order::Work;
use coffer_proto::internal::v1::{
    EncryptionWork, KeyWorkOrder, KeyWorkResult, MasterWork, ReportKeysRequest, SettingsRecord,
};
use openraft::async_runtime::watch::WatchReceiver;

use super::report::{may_turn_off, report};
use super::room::room_for_a_copy;
use super::worker::{NotNow, Turn};
use crate::member::{Member, Serving};

/// How long one piece of work may take. The leader waits twice as long for a member that is silent before it tells another
/// one to work (see `plan`).
const WORK_LIMIT: Duration = Duration::from_secs(30);

/// Why a piece of work was not done.
#[derive(Debug)]
struct Refusal {
    code: HelpCode,
    text: String,
}

impl Refusal {
    fn new(code: HelpCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl From<NotNow> for Refusal {
    fn from(error: NotNow) -> Self {
        Self::new(HelpCode::KeyWorkRefused, error.to_string())
    }
}

impl From<UnsealError> for Refusal {
    fn from(error: UnsealError) -> Self {
        let code = match &error {
            UnsealError::Kms(error) => coffer_proto::help::find(error.help_code()),
            _ => None,
        };
        Self::new(code.unwrap_or(HelpCode::KeyWorkRefused), error.to_string())
    }
}

/// Does what the order says; answers when it is done, or begun where it takes long. Once begun it goes on to its end, also
/// where the caller goes away.
pub(crate) async fn do_key_work(
    member: &Arc<Member>,
    serving: &Arc<Serving>,
    order: KeyWorkOrder,
) -> KeyWorkResult {
    let (member, serving) = (member.clone(), serving.clone());
    let task = tokio::spawn(async move {
        let term = order.term;
        let done = work(&member, &serving, order).await;
        let request = ReportKeysRequest { databases: Vec::new(), term };
        let keys = Some(report(&member, &serving, &request).await);
        match done {
            Ok(()) => KeyWorkResult { accepted: true, keys, ..KeyWorkResult::default() },
            Err(Refusal { code, text }) => {
                tracing::warn!(help = code.as_str(), reason = %text, "key work is refused");
                KeyWorkResult { accepted: false, refusal: text, help_code: code.as_str().to_owned(), keys }
            }
        }
    });
    task.await.unwrap_or_else(|error| KeyWorkResult {
        accepted: false,
        refusal: format!("it ended in the middle: {error}"),
        help_code: HelpCode::KeyWorkRefused.as_str().to_owned(),
        keys: None,
    })
}

async fn work(member: &Arc<Member>, serving: &Serving, order: KeyWorkOrder) -> Result<(), Refusal> {
    let worker = &member.key_work().worker;
    // What Raft heard counts too.
    worker.note_term(serving.raft.metrics().borrow_watched().current_term);
    let turn = worker.begin(order.term)?;
    if member.key().denial_pending() {
        return Err(Refusal::new(
            HelpCode::DenialPending,
            "the customer's key was denied here, and that is not cleared up yet",
        ));
    }
    let settings = order.settings.unwrap_or_default();
    let limited = async {
        match order.work {
            Some(Work::Master(work)) => master(member, serving, &settings, work).await,
            Some(Work::Rewrap(_)) => rewrap(member, serving).await,
            Some(Work::Database(work)) => database(serving, work.database_id, work.round).await,
            Some(Work::Encryption(work)) => encryption(member, serving, &settings, work, &turn).await,
            None => Err(Refusal::new(
                HelpCode::KeyWorkRefused,
                "it is asked for work that this version does not know: update cofferd",
            )),
        }
    };
    match tokio::time::timeout(WORK_LIMIT, limited).await {
        Ok(Ok(Ending::Done)) => Ok(()),
        Ok(Ok(Ending::Restart)) => {
            // This member works until its next start has done the rest: nothing else is begun here.
            turn.keep();
            member.key_work().ask_restart();
            Ok(())
        }
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::new(HelpCode::KeyWorkRefused, format!("it took longer than {WORK_LIMIT:?}"))),
    }
}

/// How a piece of work ended.
enum Ending {
    Done,
    Restart,
}

/// The key of the settings, and where to ask for it: where this member asks now, if the settings allow that.
fn key_of(member: &Member, settings: &SettingsRecord) -> Result<(KeyArn, Region), Refusal> {
    let malformed = |text: String| Refusal::new(HelpCode::NotAnArn, text);
    let cmk = KeyArn::parse(&settings.cmk_arn).map_err(|error| malformed(error.to_string()))?;
    let regions: Vec<_> = settings.regions.iter().filter_map(|name| Region::parse(name).ok()).collect();
    let active = member.key().active_region().filter(|active| regions.contains(active));
    let region = active.or_else(|| regions.into_iter().next()).unwrap_or_else(|| cmk.region().clone());
    Ok((cmk, region))
}

async fn master(
    member: &Member,
    serving: &Serving,
    settings: &SettingsRecord,
    work: MasterWork,
) -> Result<Ending, Refusal> {
    let (cmk, region) = key_of(member, settings)?;
    let kms = member
        .key()
        .provider_for(settings)
        .map_err(|error| Refusal::new(HelpCode::KeyWorkRefused, error.to_string()))?;
    let rotation = serving.keyring.rotate_master(kms.as_ref(), &cmk, &region, work.round).await?;
    tracing::info!(
        version = rotation.version.0,
        replaced = rotation.replaced.0,
        cmk = %rotation.wrap.cmk,
        keys = rotation.rewrapped,
        round = work.round,
        "the master key is rotated"
    );
    member.key().rewrapped(rotation.wrap);
    raft_key(serving).await;
    Ok(Ending::Done)
}

async fn rewrap(member: &Member, serving: &Serving) -> Result<Ending, Refusal> {
    let region = member.key().active_region().ok_or_else(|| {
        Refusal::new(HelpCode::KeyWorkRefused, "no Region of the customer's key is known here")
    })?;
    serving.keyring.rewrap_master(member.key().kms().as_ref(), &region).await?;
    if let Some(wrap) = serving.keyring.wrap_info() {
        member.key().rewrapped(wrap);
    }
    // Until the next look at the key says otherwise.
    member.set_kms_status(|status| status.stale_wrap = Some(false));
    tracing::info!(%region, "the master key is wrapped under the present material of the customer's key");
    Ok(Ending::Done)
}

/// A new raft key goes with every new master key. What is left of the log is rewritten in the background.
async fn raft_key(serving: &Serving) {
    let engine = serving.engine.clone();
    let asked = tokio::task::spawn_blocking(move || engine.request_raft_rotation()).await;
    match asked {
        Ok(Ok(())) => {}
        // The next look at the keyring sees that it is older than the master key: see `follow`.
        Ok(Err(error)) => tracing::warn!(%error, "the raft key is rotated later"),
        Err(error) => tracing::warn!(%error, "the raft key is rotated later"),
    }
}

/// Rotates the raft key where the master key was rotated and the process ended before the raft key was.
pub(super) async fn follow(serving: &Serving) {
    let report = serving.keyring.report();
    let (Some(master), Some(raft)) = (report.masters.last(), report.raft.last()) else { return };
    if raft.created < master.created {
        tracing::info!("the raft key is older than the master key: it is rotated too");
        raft_key(serving).await;
    }
}

async fn database(serving: &Serving, database_id: u64, round: u64) -> Result<Ending, Refusal> {
    let engine = serving.engine.clone();
    let begun =
        tokio::task::spawn_blocking(move || engine.rotate_database_key(DatabaseId(database_id), round)).await;
    match begun {
        // The rest is done in the background, and goes on after a restart.
        Ok(Ok(())) => Ok(Ending::Done),
        Ok(Err(error)) => Err(Refusal::new(HelpCode::KeyWorkRefused, error.to_string())),
        Err(error) => Err(Refusal::new(HelpCode::KeyWorkRefused, error.to_string())),
    }
}

async fn encryption(
    member: &Member,
    serving: &Serving,
    settings: &SettingsRecord,
    work: EncryptionWork,
    turn: &Turn,
) -> Result<Ending, Refusal> {
    let EncryptionWork { enabled, round } = work;
    turn.progress(0);
    if !enabled && !may_turn_off(member.key().config()) {
        return Err(Refusal::new(
            HelpCode::EncryptionOffRefused,
            "its configuration does not let encryption be turned off: set encryption.allow_off = true, and restart it",
        ));
    }
    if enabled {
        // A member that restarted first would wait for its key in the dark.
        prove(member, settings).await?;
    }
    let keyring = serving.keyring.clone();
    let already = keyring.encryption_enabled() == enabled;
    if !already {
        // A member that restarted without it would end each start with a full disk.
        let dir = serving.engine.data_dir().to_owned();
        let room = tokio::task::spawn_blocking(move || room_for_a_copy(&dir)).await;
        room.unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|text| Refusal::new(HelpCode::KeyWorkRefused, text))?;
    }
    let ordered = tokio::task::spawn_blocking(move || keyring.order_form_change(enabled, round)).await;
    match ordered {
        Ok(Ok(())) if already => Ok(Ending::Done),
        Ok(Ok(())) => {
            tracing::warn!(enabled, round, "this member restarts itself to rebuild its data");
            Ok(Ending::Restart)
        }
        Ok(Err(error)) => Err(Refusal::new(HelpCode::KeyWorkRefused, error.to_string())),
        Err(error) => Err(Refusal::new(HelpCode::KeyWorkRefused, error.to_string())),
    }
}

/// Shows that the settings' key can be used from here.
async fn prove(member: &Member, settings: &SettingsRecord) -> Result<(), Refusal> {
    let (cmk, region) = key_of(member, settings)?;
    let kms = member
        .key()
        .provider_for(settings)
        .map_err(|error| Refusal::new(HelpCode::KeyWorkRefused, error.to_string()))?;
    let identity = member.identity();
    let context = EncryptionContext::node_master_key(&identity.cluster_id, identity.member_id);
    let findings = validate(kms.as_ref(), &cmk, &[region], &context).await;
    match findings.into_iter().find(|finding| !finding.warning && member.key().minds(finding)) {
        None => Ok(()),
        Some(finding) => {
            let code = coffer_proto::help::find(finding.help_code).unwrap_or(HelpCode::KeyWorkRefused);
            Err(Refusal::new(code, finding.to_string()))
        }
    }
}
