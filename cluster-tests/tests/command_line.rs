//! The `coffer` command line as a person and a script use it: data on standard output, and an exit status that tells
//! refused, usage and unreachable apart.

use std::time::Duration;

use coffer_cluster_tests::{ClusterBuilder, wait_for};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

const REFUSED: i32 = 1;
const USAGE: i32 = 2;
const UNREACHABLE: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_on_the_command_line() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("command-line").start().await?;
    let cli = cluster.cli();
    let ok = async |arguments: &[&str]| anyhow::Ok(cli.run(arguments).await?.succeeded()?.stdout);

    ok(&["insert", "shop.things", r#"{"_id": 1, "name": "cup", "price": {"$numberDecimal": "4.50"}}"#])
        .await?;
    let many = "{\"_id\": 2, \"name\": \"pot\"}\n{\"_id\": 3, \"name\": \"pan\"}\n";
    cluster.cli().input(many).run(&["insert", "shop.things", "-"]).await?.succeeded()?;
    let found = ok(&["find", "shop.things", r#"{"name": "cup"}"#]).await?;
    let found: serde_json::Value = serde_json::from_str(&found)?;
    assert_eq!(found, json!({ "_id": 1, "name": "cup", "price": { "$numberDecimal": "4.50" } }));
    let sorted = ok(&[
        "find",
        "shop.things",
        "--sort",
        r#"{"name": -1}"#,
        "--limit",
        "2",
        "--projection",
        r#"{"_id": 1}"#,
    ]);
    assert_eq!(sorted.await?, "{\"_id\":2}\n{\"_id\":3}\n");

    let updated = cli.json(&["update", "shop.things", "{}", r#"{"$set": {"sold": true}}"#, "--many"]).await?;
    assert_eq!((&updated["matched"], &updated["modified"]), (&json!(3), &json!(3)));
    let deleted = cli.json(&["delete", "shop.things", r#"{"_id": 3}"#]).await?;
    assert_eq!(deleted["deleted"], json!(1));
    assert_eq!(ok(&["count", "shop.things", r#"{"sold": true}"#]).await?.trim(), "2");

    // A duplicate is refused, a misspelt operator too; both say so and print no data.
    let twice = cli.run(&["insert", "shop.things", r#"{"_id": 1}"#]).await?.ended_with(REFUSED)?;
    assert!(twice.stderr.contains("11000") || twice.stderr.contains("duplicate"), "{}", twice.stderr);
    cli.run(&["find", "shop.things", r#"{"name": {"$near": 1}}"#]).await?.ended_with(REFUSED)?;
    for wrong in [
        &["find", "shop"][..],
        &["insert", "shop.things", "{"],
        &["fetch"],
        &["count", "shop.things", "--nope"],
    ] {
        let output = cli.run(wrong).await?.ended_with(USAGE)?;
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }

    // An import can be repeated.
    let file = cluster.folder().join("array.json");
    let array: Vec<_> = (0..500).map(|n| json!({ "code": format!("c{n:03}"), "n": n })).collect();
    std::fs::write(&file, json!({ "all": { "codes": array } }).to_string())?;
    let file = file.to_str().expect("a UTF-8 folder");
    let import = ["import", "shop.codes", file, "--pointer", "/all/codes", "--id-field", "code"];
    assert_eq!(cli.json(&import).await?["inserted"], json!(500));
    let again = cli.json(&import).await?;
    assert_eq!((&again["inserted"], &again["already_there"]), (&json!(0), &json!(500)));
    assert_eq!(ok(&["count", "shop.codes"]).await?.trim(), "500");
    let exported = ok(&["export", "shop.codes"]).await?;
    assert_eq!(exported.lines().count(), 500);
    cluster.cli().input(exported).run(&["import", "shop.copy", "-"]).await?.succeeded()?;
    assert_eq!(ok(&["count", "shop.copy"]).await?.trim(), "500");

    let status = cli.json(&["status"]).await?;
    let states: Vec<_> =
        status["members"].as_array().into_iter().flatten().map(|member| &member["state"]).collect();
    assert_eq!(states, [&json!("serving"); 3]);
    for part in ["CMK arn:", "node master key v1", "raft key v1", "database key v1"] {
        let keys = ok(&["keys"]).await?;
        assert_eq!(keys.matches(part).count() / 3 * 3, keys.matches(part).count(), "{part} in {keys}");
        assert!(keys.contains(part), "{part} is not in {keys}");
    }
    wait_for("the members' hashes to agree", SOON, async || {
        let hash = cli.json(&["hash", "shop"]).await.map_err(|error| format!("{error:#}"))?;
        if hash["verdict"] == json!("agree") { Ok(()) } else { Err(hash.to_string()) }
    })
    .await?;

    let leader = cluster.leader().await?;
    let other = cluster.ids().into_iter().find(|id| *id != leader).expect("three members");
    ok(&["member", "transfer-leader", &other.to_string()]).await?;
    assert_eq!(cluster.wait_serving(SOON).await?, other);
    let members = ok(&["member", "list"]).await?;
    for member in cluster.members() {
        assert!(members.contains(member.address()), "{members}");
    }

    // What destroys asks first, and where nobody can answer it refuses.
    let unasked = cli.run(&["db", "drop", "shop"]).await?;
    assert_ne!(unasked.status, 0, "a database was dropped without a question");
    assert!(ok(&["db", "list"]).await?.contains("shop"));
    ok(&["collection", "drop", "shop.copy", "--yes"]).await?;
    ok(&["db", "drop", "shop", "--yes"]).await?;
    assert!(!ok(&["db", "list"]).await?.contains("shop"));

    let nobody = cluster.cli().endpoints(vec!["127.0.0.1:1".to_owned()]);
    let output = nobody.run(&["--timeout", "1s", "count", "shop.things"]).await?.ended_with(UNREACHABLE)?;
    assert!(output.stderr.contains("127.0.0.1:1"), "{}", output.stderr);
    cluster.finish()
}
