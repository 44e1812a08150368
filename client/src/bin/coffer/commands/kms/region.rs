//! `coffer kms set-region`: a setting of the replica set where it has a leader, else an override of its members.

use coffer_client::keys::{Change, SetRegions};

use super::super::Context;
use super::super::reach::{Otherwise, choose, leader, reason};
use super::change::{Changed, change, request};
use super::overrides;
use crate::args::SetRegion;
use crate::failure::Failure;

/// Runs it.
pub async fn run(cx: &mut Context, args: SetRegion) -> Result<(), Failure> {
    let wanted: Vec<String> = args.regions.iter().map(ToString::to_string).collect();
    let reports = cx.client.admin().status_all().await;
    let leading = leader(&reports).map(|report| report.endpoint.clone());
    let single = args.members.member.is_some() || args.trust_cmk.is_some();
    if let (Some(leader), false) = (&leading, single) {
        let shown = cx.client.key_admin().kms_show(leader).await.map_err(|error| {
            Failure::Unreachable(format!("the leader at {leader} shows no settings: {}", reason(&error)))
        })?;
        let now = shown.settings.unwrap_or_default();
        let regions = if wanted.len() == 1 && !args.only { first(&wanted[0], &now.regions) } else { wanted };
        let what = Change::SetRegions(SetRegions { regions });
        return change(cx, request(what, &args.change, Some(now.version)), Changed::Other).await;
    }
    let [region] = wanted.as_slice() else {
        return Err(Failure::Usage(
            "an override of a member is one Region; a whole list is a setting of the replica set, which has no leader now"
                .into(),
        ));
    };
    if args.change.dry_run || args.change.expect_version.is_some() || !args.change.allow_absent.is_empty() {
        return Err(Failure::Usage(
            "--dry-run, --expect-version and --allow-absent are for the settings of the replica set; this is an override \
             of single members"
                .into(),
        ));
    }
    let endpoints = choose(&reports, args.members, Otherwise::First)?;
    let trusted = args.trust_cmk.map(|arn| arn.to_string()).unwrap_or_default();
    overrides::set(cx, &endpoints, region, &trusted, leading.is_none()).await
}

/// `home` before the other Regions, which keep their order.
fn first(home: &str, regions: &[String]) -> Vec<String> {
    let others = regions.iter().filter(|region| *region != home).cloned();
    std::iter::once(home.to_owned()).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_home_goes_before_the_others() {
        let regions = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first("c", &regions), ["c", "a", "b"]);
        assert_eq!(first("d", &regions), ["d", "a", "b", "c"]);
        assert_eq!(first("a", &[]), ["a"]);
    }
}
