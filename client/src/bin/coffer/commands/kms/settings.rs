//! The settings of the customer's key, for people and programs; and the change of their policy.

use std::fmt::Write;

use coffer_client::keys::{Change, KmsSettings, MaintenanceWindow, SetPolicy as PolicyChange};
use serde_json::{Value, json};

use super::super::Context;
use super::super::reach::{leader, reason};
use super::change::{Changed, change, request};
use crate::args::SetPolicy;
use crate::failure::Failure;
use crate::window::Window;

/// The settings, a line each.
pub fn describe(settings: &KmsSettings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<16}{value}");
    };
    let version = match (settings.version, settings.changed.as_str()) {
        (0, _) => "from the configuration file; none are stored yet".to_owned(),
        (version, "") => format!("version {version}"),
        (version, changed) => format!("version {version}, changed {changed}"),
    };
    line("settings", &version);
    line("CMK", or_none(&settings.cmk_arn));
    line("Regions", &regions(&settings.regions));
    line("role", or_none(&settings.role_arn));
    if !settings.external_id.is_empty() {
        line("ExternalId", &settings.external_id);
    }
    if let Some(policy) = &settings.rotation {
        let window = Window(policy.window.clone().unwrap_or_default());
        let days = policy.master_key_days;
        let scheduled = if policy.scheduled {
            format!("every {days} days, {window}, put off for {} days at most", policy.max_deferral_days)
        } else {
            format!("by hand only; overdue after {days} days")
        };
        line("rotation", &scheduled);
    }
    if let Some(alerts) = &settings.alerts {
        let age =
            if alerts.cmk_age { format!("after {} days", alerts.cmk_age_days) } else { "off".to_owned() };
        line("CMK age alert", &age);
    }
    text
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn regions(regions: &[String]) -> String {
    match regions {
        [] => "none".to_owned(),
        [home, others @ ..] => {
            let home = format!("{home} (home)");
            std::iter::once(&home).chain(others).map(String::as_str).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The settings, for programs.
pub fn settings_json(settings: &KmsSettings) -> Value {
    json!({
        "version": settings.version,
        "cmk_arn": settings.cmk_arn,
        "regions": settings.regions,
        "role_arn": settings.role_arn,
        "external_id": settings.external_id,
        "rotation": settings.rotation.as_ref().map(|policy| json!({
            "scheduled": policy.scheduled,
            "master_key_days": policy.master_key_days,
            "max_deferral_days": policy.max_deferral_days,
            "window": policy.window.as_ref().map(window_json),
        })),
        "alerts": settings.alerts.as_ref().map(|alerts| json!({
            "cmk_age": alerts.cmk_age,
            "cmk_age_days": alerts.cmk_age_days,
        })),
        "changed": settings.changed,
    })
}

fn window_json(window: &MaintenanceWindow) -> Value {
    json!({
        "weekdays": window.weekdays,
        "start_minute": window.start_minute,
        "duration_minutes": window.duration_minutes,
    })
}

/// The settings as the leader has them.
///
/// # Errors
/// Where nobody leads, or the leader does not answer.
pub async fn current(cx: &Context) -> Result<KmsSettings, Failure> {
    let reports = cx.client.admin().status_all().await;
    let Some(leader) = leader(&reports) else {
        let why = super::super::no_service::why(&reports);
        return Err(Failure::Unreachable(format!(
            "no member leads, so the settings cannot be changed\n  {why}"
        )));
    };
    let shown = cx.client.key_admin().kms_show(&leader.endpoint).await;
    let shown = shown.map_err(|error| {
        Failure::Unreachable(format!(
            "the leader at {} shows no settings: {}",
            leader.endpoint,
            reason(&error)
        ))
    })?;
    shown.settings.ok_or_else(|| Failure::Refused("the leader knows no settings".into()))
}

/// `coffer kms set-policy`: what is not named stays, so the change is made from what holds now, and refused if that is
/// changed by somebody else meanwhile.
pub async fn set_policy(cx: &mut Context, args: SetPolicy) -> Result<(), Failure> {
    let names_rotation = args.rotation.is_some()
        || args.master_key_days.is_some()
        || args.window.is_some()
        || args.max_deferral_days.is_some();
    let names_alerts = args.cmk_age_alert.is_some() || args.cmk_age_days.is_some();
    if !names_rotation && !names_alerts {
        return Err(Failure::Usage(
            "nothing is named that is to be changed; see `coffer kms set-policy --help`".into(),
        ));
    }
    let now = current(cx).await?;
    let mut what = PolicyChange::default();
    if names_rotation {
        let mut rotation = now.rotation.clone().unwrap_or_default();
        rotation.scheduled = args.rotation.unwrap_or(rotation.scheduled);
        rotation.master_key_days = args.master_key_days.unwrap_or(rotation.master_key_days);
        rotation.max_deferral_days = args.max_deferral_days.unwrap_or(rotation.max_deferral_days);
        if let Some(Window(window)) = args.window {
            rotation.window = Some(window);
        }
        what.rotation = Some(rotation);
    }
    if names_alerts {
        let mut alerts = now.alerts.unwrap_or_default();
        alerts.cmk_age = args.cmk_age_alert.unwrap_or(alerts.cmk_age);
        alerts.cmk_age_days = args.cmk_age_days.unwrap_or(alerts.cmk_age_days);
        what.alerts = Some(alerts);
    }
    let request = request(Change::SetPolicy(what), &args.change, Some(now.version));
    change(cx, request, Changed::Other).await
}
