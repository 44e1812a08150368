//! Between steps 9 and 10: encryption is turned on or off for a member that has data, where its leader ordered that.
//!
//! Invariants:
//! - The order stands in the keystore until it is carried out, and one replacement of the keystore does both: a start that
//!   ends in between is followed by one that begins again.
//! - Turned off only where this member's own configuration allows it, whatever the order says.
//! - Turned on only under a key that is the configured one, or that a majority of the members names: a keystore in the
//!   clear is anybody's who can write the disk.
//! - The keys of the new form are of use only once the keystore is replaced, and from then on the customer's key is watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use coffer_keyring::kms::{KeyArn, KmsErrorClass, Region, help_codes};
use coffer_keyring::verdict::Policy;
use coffer_keyring::{FormChange, FormOrder, Keyring, KeystoreError, KeystoreParams, UnsealError};
use coffer_storage::{StorageError, StorageOptions, rebuild_form};
use tokio::time::{Instant, sleep};

use super::vouch::Vouch;
use super::{BootError, blocking};
use crate::key::Unsealing;
use crate::key_work::may_turn_off;
use crate::member::{Concern, Member, MemberState};

/// How often a change is prepared, where databases came and went with the recovery: the second time they do not.
const TRIES: u32 = 3;

/// An order that this start carries out.
pub(crate) struct Ordered {
    change: FormChange,
    order: FormOrder,
}

/// What is ordered of this member, prepared: for turning encryption on, the customer's key has wrapped a new master key by
/// then, however long that takes; where and when that was is in the answer. `None` where nothing is ordered, or nothing that
/// the configuration allows.
pub(crate) async fn prepare(
    member: &Arc<Member>,
    policy: &Policy,
    keyring: &Keyring,
) -> Result<Option<(Ordered, Option<Unsealing>)>, BootError> {
    let Some(order) = keyring.pending_form_change() else { return Ok(None) };
    if order.encryption {
        member.key_work().rebuilds(keyring);
        let (change, unsealing) = seal(member, policy, keyring, order).await?;
        return Ok(Some((Ordered { change, order }, Some(unsealing))));
    }
    if !may_turn_off(member.key().config()) {
        tracing::error!(
            "encryption is not turned off: this member's configuration does not allow that any more (encryption.allow_off)"
        );
        let keyring = keyring.clone();
        blocking(move || keyring.order_form_change(true, 0)).await??;
        return Ok(None);
    }
    member.key_work().rebuilds(keyring);
    let change = FormChange::to_plain(keyring, order.round)?;
    Ok(Some((Ordered { change, order }, None)))
}

/// Stops a rebuild that nobody waits for any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Rebuilds everything in the form that was ordered, and switches.
pub(crate) async fn carry_out(
    member: &Arc<Member>,
    policy: &Policy,
    options: &StorageOptions,
    keyring: Keyring,
    ordered: Ordered,
) -> Result<Keyring, BootError> {
    let mut next = Some(ordered);
    let mut tries = TRIES;
    while let Some(Ordered { change, order }) = next.take() {
        let form = if order.encryption { "sealed" } else { "in the clear" };
        member.enter(
            MemberState::Recovering,
            format!("it rebuilds its data {form}, as the replica set was told"),
        );
        let started = Instant::now();
        let (options, old) = (options.clone(), keyring.clone());
        let stopped = Arc::new(AtomicBool::new(false));
        // A boot that is abandoned, because the customer's key was taken away, takes the rebuild with it.
        let _guard = StopOnDrop(stopped.clone());
        match blocking(move || rebuild_form(&options, old, change, &stopped)).await? {
            Ok(_) => {
                let took = started.elapsed();
                tracing::warn!(
                    encryption = order.encryption,
                    round = order.round,
                    ?took,
                    "the data are rebuilt"
                );
            }
            // Recovery made or dropped databases, as the log said; now they are made and dropped.
            Err(StorageError::Keystore(KeystoreError::FormStale)) if tries > 1 => {
                tries -= 1;
                next = prepare(member, policy, &keyring).await?.map(|(ordered, _)| ordered);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match keyring.wrap_info() {
        Some(wrap) => member.key().rewrapped(wrap),
        None => {
            member.warn(super::OFF);
            // There is no key left to lose.
            member.key_work().turned_off();
            member.concern(Concern::Key, None);
        }
    }
    super::show_form(member, &keyring);
    member.key_work().rebuilt();
    Ok(keyring)
}

/// Has the customer's key wrap a new master key. Asks until it does.
async fn seal(
    member: &Arc<Member>,
    policy: &Policy,
    keyring: &Keyring,
    order: FormOrder,
) -> Result<(FormChange, Unsealing), BootError> {
    let mut pause = policy.retry_min;
    loop {
        let (cmk, regions) = key(member)?;
        let reason = match vouched(member, policy, &cmk).await {
            false => format!(
                "its data shall be sealed under {cmk}, which is not the configured key, and too few members name it as the \
                 replica set's; it asks them again [{}]",
                help_codes::OTHER_KEY
            ),
            true => match ask(member, keyring, order, &cmk, &regions).await? {
                Ok(sealed) => return Ok(sealed),
                Err(reason) => reason,
            },
        };
        member.enter(MemberState::Sealed, reason);
        sleep(pause).await;
        pause = (pause * 2).min(policy.retry_max);
    }
}

fn key(member: &Member) -> Result<(KeyArn, Vec<Region>), BootError> {
    let key = member.key();
    let cmk = key.cmk().ok_or(BootError::NoKey("the replica set's settings name no key"))?;
    Ok((cmk, key.regions()))
}

async fn vouched(member: &Arc<Member>, policy: &Policy, cmk: &KeyArn) -> bool {
    let key = member.key();
    if key.config().cmk().into_iter().chain(key.trusted()).any(|own| own.is_same_key(cmk)) {
        return true;
    }
    let vouch = Vouch { member, pause_min: policy.retry_min, pause_max: policy.retry_max };
    vouch.named_by_peers().await.iter().any(|named| named.is_same_key(cmk))
}

/// One round over the Regions, home first; the next one is asked only where one does not answer. The inner error is a
/// reason for a person.
async fn ask(
    member: &Member,
    keyring: &Keyring,
    order: FormOrder,
    cmk: &KeyArn,
    regions: &[Region],
) -> Result<Result<(FormChange, Unsealing), String>, BootError> {
    let identity = member.identity();
    let mut first = None;
    for region in regions {
        let asked = Instant::now();
        let params = KeystoreParams {
            cluster: identity.cluster_id.clone(),
            member: identity.member_id,
            cmk: cmk.clone(),
            region: region.clone(),
        };
        let kms = member.key().kms();
        let error = match FormChange::to_sealed(keyring, params, kms.as_ref(), order.round).await {
            Ok(change) => {
                member.key().use_region(region);
                return Ok(Ok((change, Unsealing { region: region.clone(), asked })));
            }
            Err(UnsealError::Keystore(error)) => return Err(error.into()),
            Err(error) => error,
        };
        tracing::warn!(%region, %error, "the customer's key does not seal this member's data");
        let next = error.class() == Some(KmsErrorClass::Unreachable);
        first.get_or_insert_with(|| error.to_string());
        if !next {
            break;
        }
    }
    let said = first.unwrap_or_else(|| "no Region is configured".to_owned());
    Ok(Err(format!(
        "its data shall be sealed, and the customer's key cannot be used for that yet; it asks again ({said})"
    )))
}
