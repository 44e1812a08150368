//! `coffer` as a person or a script runs it.

mod support;

use bson::doc;
use coffer_proto::v1::{MemberState, RaftRole};
use serde_json::Value;
use support::run::{failed, json, out, run, run_reading, run_with, text};
use support::{FakeMember, Step, failure};
use tokio::net::TcpListener;
use tonic::Code;

async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_usage_error_ends_with_2_and_says_what_is_wrong() {
    for (arguments, why) in [
        (&["nonsense"][..], "nonsense"),
        (&[], "Usage"),
        (&["find", "iso"], "iso.languages"),
        (&["--timeout", "10", "status"], "500ms"),
        (&["--output", "xml", "status"], "xml"),
        (&["--endpoint", "nowhere", "status"], "host:port"),
        (&["find", "d.c", "{oops"], "the filter is no JSON"),
        (&["find", "d.c", "7"], "a number, not a document"),
        (&["find", "d.c", "@/nonexistent"], "cannot be read"),
        (&["find", "d.c", "--sort", "[]"], "the sort is an array"),
        (&["update", "d.c", "{}", "{\"a\": 1}", "--many"], "--many needs operators"),
        (&["insert", "d.c", "[]"], "holds no document"),
        (&["import", "d.c", "/nonexistent"], "cannot be read"),
        (&["import", "d.c", "-", "--pointer", "x"], "begins with a slash"),
        (&["import", "d.c", "-", "--batch", "0"], "--batch"),
        (&["db", "drop", "d"], "--yes"),
        (&["collection", "drop", "d.c"], "--yes"),
        (&["member", "remove", "3"], "--yes"),
        (&["delete", "d.c", "{}", "--many"], "every document of d.c"),
        (&["dev-kms", "--dir", "/tmp", "disable", "alias/x"], "is not the ARN of a KMS key"),
        (&["dev-kms", "--dir", "/tmp", "outage", "EU"], "is not a Region"),
    ] {
        let output = run_with("127.0.0.1:1", arguments, "");
        failed(&output, 2, why);
    }
}

#[tokio::test]
async fn an_unreachable_set_ends_with_3() {
    let gone = nobody().await;
    let output = tokio::task::spawn_blocking(move || {
        let count = run_with(&gone, &["--timeout", "300ms", "count", "d.c"], "");
        failed(&count, 3, &gone);
        failed(&count, 3, "check that a cofferd runs at each of them");
        assert!(!text(&count.stderr).contains("--timeout"), "{}", text(&count.stderr));
        failed(&run_with(&gone, &["member", "list"], ""), 3, &gone);
        run_with(&gone, &["status"], "")
    })
    .await
    .unwrap();
    // A status is data even so: it has a row for whoever was asked.
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("unreachable"));
    let said = text(&output.stderr);
    assert!(said.contains("no member serves") && said.contains("check that their cofferd run"), "{said}");
}

#[tokio::test]
async fn a_member_that_runs_but_does_not_serve_is_not_said_to_be_down() {
    let member = FakeMember::start(1).await;
    member.set_status(|status| {
        status.state = MemberState::Recovering.into();
        status.role = RaftRole::Unspecified.into();
        status.leader_id = 0;
        status.members = Vec::new();
        status.state_reason = "it waits for member 2".into();
    });
    for arguments in [&["status"][..], &["hash", "d"], &["member", "list"]] {
        let output = run(&member, arguments).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("member 1 is recovering: it waits for member 2"), "{said}");
        assert!(!said.contains("check that"), "{said}");
    }
    let output = run(&member, &["--timeout", "500ms", "count", "d.c"]).await;
    failed(&output, 3, "is recovering: it waits for member 2");
    assert!(text(&output.stderr).contains("--timeout"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_sealed_set_ends_with_3_and_says_so() {
    let member = FakeMember::start(1).await;
    member.set_status(|status| {
        status.state = MemberState::Sealed.into();
        status.role = RaftRole::Unspecified.into();
        status.leader_id = 0;
        status.state_reason = "the CMK is disabled".into();
    });
    let output = run(&member, &["--timeout", "500ms", "count", "d.c"]).await;
    failed(&output, 3, "the CMK is disabled");
    let output = run(&member, &["status"]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("member 1: sealed: the CMK is disabled"));
    let output = run(&member, &["--output", "json", "keys"]).await;
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn documents_go_in_and_come_out() {
    let member = FakeMember::start(1).await;
    let output = run(&member, &["insert", "d.c", r#"{"_id": 1, "z": {"$numberLong": "5"}, "a": 1.5}"#]).await;
    assert_eq!(out(&output), "1\n");
    let lines = "{\"_id\": 2}\n{\"_id\": 3, \"d\": {\"$date\": \"2024-01-01T00:00:00Z\"}}";
    let output = run_reading(&member, &["--output", "json", "insert", "d.c", "-"], lines).await;
    let result = json(&output);
    assert_eq!((&result["inserted"], &result["ids"]), (&Value::from(2), &serde_json::json!([2, 3])));

    let output = run(&member, &["find", "d.c"]).await;
    assert_eq!(
        out(&output),
        "{\"_id\":1,\"z\":5,\"a\":1.5}\n{\"_id\":2}\n{\"_id\":3,\"d\":{\"$date\":\"2024-01-01T00:00:00Z\"}}\n"
    );
    let output = run(&member, &["find", "d.c", "{\"_id\": 1}", "--canonical"]).await;
    assert_eq!(
        out(&output),
        "{\"_id\":{\"$numberInt\":\"1\"},\"z\":{\"$numberLong\":\"5\"},\"a\":{\"$numberDouble\":\"1.5\"}}\n"
    );
    let output = run(&member, &["find", "d.c", "--output", "json"]).await;
    assert_eq!(json(&output).as_array().unwrap().len(), 3);
    let output = run(&member, &["find", "d.c", "{\"_id\": 9}"]).await;
    assert_eq!(out(&output), "");
    let output = run(&member, &["find", "d.c", "{\"_id\": 9}", "--output", "json"]).await;
    assert_eq!(out(&output), "[]\n");

    assert_eq!(out(&run(&member, &["count", "d.c"]).await), "3\n");
    let output = run(&member, &["update", "d.c", "{}", "{\"$set\": {\"a\": 1}}", "--many"]).await;
    assert_eq!(out(&output), "2 matched, 1 modified\n");
    let output = run(&member, &["delete", "d.c", "{}", "--many", "--yes"]).await;
    assert_eq!(out(&output), "3 deleted\n");
}

#[tokio::test]
async fn a_refusal_ends_with_1_and_the_reason() {
    let member = FakeMember::start(1).await;
    out(&run(&member, &["insert", "d.c", "{\"_id\": 1}"]).await);
    let output = run(&member, &["insert", "d.c", "{\"_id\": 0}", "{\"_id\": 1}", "{\"_id\": 2}"]).await;
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), "0\n".into()));
    assert!(text(&output.stderr).contains("document 1: the _id is taken (DuplicateKey, code 11000)"));
    assert_eq!(member.stored().len(), 2, "what follows a refusal is not tried");
    failed(&run(&member, &["collection", "create", "d.c"]).await, 1, "NamespaceExists");
    failed(&run(&member, &["member", "promote", "3"]).await, 1, "MEMBERSHIP");
}

#[tokio::test]
async fn an_import_can_be_repeated() {
    let member = FakeMember::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    std::fs::write(&file, r#"{"about": 1, "list": [{"k": "a"}, {"k": "b"}, {"k": "c"}]}"#).unwrap();
    let file = file.to_str().unwrap();
    let import = ["--output", "json", "import", "d.c", file, "--pointer", "/list", "--batch", "1"];

    // It is interrupted in its second write.
    let refused = failure(Code::InvalidArgument, "REFUSED", &[("code", "2"), ("code_name", "BadValue")]);
    member.on_insert([Step::Serve, Step::Fail(refused)]);
    let output = run(&member, &import).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("repeat the same command"), "{}", text(&output.stderr));
    assert_eq!(member.stored().len(), 1);

    let result = json(&run(&member, &import).await);
    assert_eq!((&result["inserted"], &result["already_there"]), (&2.into(), &1.into()));
    let result = json(&run(&member, &import).await);
    assert_eq!((&result["inserted"], &result["already_there"]), (&0.into(), &3.into()));
    let keys: Vec<_> =
        member.stored().iter().map(|document| document.get_str("k").unwrap().to_owned()).collect();
    assert_eq!(keys, ["a", "b", "c"], "derived ids keep the order of the file");
}

#[tokio::test]
async fn an_import_takes_ids_from_a_field_and_reports_conflicts() {
    let member = FakeMember::start(1).await;
    let lines = "{\"k\": \"a\", \"n\": 1}\n{\"k\": \"a\", \"n\": 2}\n{\"n\": 3}\n{\"k\": \"b\"}\n";
    let output = run_reading(&member, &["import", "d.c", "-", "--id-field", "k"], lines).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("4 documents: 2 inserted, 0 already there, 2 refused"));
    let said = text(&output.stderr);
    assert!(said.contains("document 2: the collection holds another document with this _id"), "{said}");
    assert!(said.contains("document 3: it has no field `k`"), "{said}");
    let stored = [doc! { "_id": "a", "k": "a", "n": 1 }, doc! { "_id": "b", "k": "b" }];
    assert_eq!(member.stored(), stored);
}

#[tokio::test]
async fn an_import_of_a_broken_file_says_what_is_done_and_goes_on_when_it_is_mended() {
    let member = FakeMember::start(1).await;
    let import = ["import", "d.c", "-", "--id-field", "k"];
    let whole = "{\"k\": \"a\"}\n{\"n\": 1}\n{\"k\": \"b\"}\n{\"k\": \"c\"}\n";
    let broken = &whole[..whole.len() - 4];
    let output = run_reading(&member, &import, broken).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(text(&output.stdout).starts_with("3 documents: 2 inserted, 0 already there, 1 refused"));
    assert!(said.contains("document 4 of - cannot be read: "), "{said}");
    assert!(said.contains("before it: 2 inserted, 0 already there, 1 refused"), "{said}");
    assert!(said.contains("repeat the same command: nothing is inserted twice"), "{said}");
    assert!(said.contains("document 2: it has no field `k`"), "{said}");
    assert_eq!(member.stored().len(), 2, "what stood before the mistake is imported");

    let output = run_reading(&member, &import, whole).await;
    assert!(text(&output.stdout).starts_with("4 documents: 1 inserted, 2 already there, 1 refused"));
    assert_eq!(member.stored().len(), 3);

    // Nothing of it was done: the file is no file of documents.
    let output = run_reading(&member, &import, "{oops").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nothing was imported"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn an_export_holds_every_type_and_appears_when_it_is_complete() {
    let member = FakeMember::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jsonl");
    out(&run(&member, &["insert", "d.c", "[{\"_id\": 1, \"l\": {\"$numberLong\": \"1\"}}, {\"_id\": 2}]"])
        .await);
    let output = run(&member, &["export", "d.c", file.to_str().unwrap()]).await;
    assert!(out(&output).starts_with("2 documents written to"));
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(out(&run(&member, &["export", "d.c"]).await), written);
    let other = FakeMember::start(1).await;
    out(&run_reading(&other, &["import", "d.c", "-"], &written).await);
    assert_eq!(other.stored(), member.stored());

    let batch = coffer_proto::v1::FindResponse {
        documents: vec![doc! { "_id": 1 }.to_vec().unwrap().into()],
        applied_index: 7,
    };
    member.stream(vec![Ok(batch), Err(tonic::Status::unavailable("killed"))], false);
    let broken = folder.path().join("y.jsonl");
    failed(&run(&member, &["export", "d.c", broken.to_str().unwrap()]).await, 3, "the cursor broke");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of it");
}

#[tokio::test]
async fn operators_see_tables_and_programs_json() {
    let member = FakeMember::start(1).await;
    let table = out(&run(&member, &["status"]).await);
    assert!(table.contains("led by member 1 in term 1") && table.contains(&member.address), "{table}");
    let status = json(&run(&member, &["status", "--output", "json"]).await);
    assert_eq!(
        (&status["members"][0]["state"], &status["members"][0]["role"]),
        (&"serving".into(), &"leader".into())
    );
    let databases = json(&run(&member, &["db", "list", "--output", "json"]).await);
    assert_eq!(databases["databases"][0]["documents"], 7910);
    let table = out(&run(&member, &["db", "list"]).await);
    assert!(table.contains("7,910") && table.contains("2.0 KiB"), "{table}");
    assert_eq!(out(&run(&member, &["collection", "list", "d"]).await), "no collections\n");
    let output = run(&member, &["collection", "drop", "d.c", "--yes"]).await;
    assert_eq!(out(&output), "collection d.c is dropped, with 5 documents\n");
    assert_eq!(out(&run(&member, &["db", "drop", "d", "--yes"]).await), "database d is dropped\n");
    assert_eq!(out(&run(&member, &["member", "transfer-leader", "2"]).await), "member 2 leads now\n");
    assert!(out(&run(&member, &["keys"]).await).contains("encryption is OFF"));
    assert!(out(&run(&member, &["hash", "d"]).await).contains("one member serves"));
}

#[tokio::test]
async fn members_that_differ_end_with_1() {
    let (one, two) = (FakeMember::start(1).await, FakeMember::start(2).await);
    two.follow(&one, 1);
    out(&run(&one, &["insert", "d.c", "{}"]).await);
    let both = format!("{},{}", one.address, two.address);
    let output = tokio::task::spawn_blocking(move || run_with(&both, &["hash", "d", "--output", "json"], ""))
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["verdict"], "differ");
    assert!(text(&output.stderr).contains("members DIFFER in: c"));
}

#[test]
fn a_dev_kms_lives() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("kms");
    let kms = |arguments: &[&str]| {
        let mut all = vec!["dev-kms", "--dir", dir.to_str().unwrap()];
        all.extend(arguments);
        run_with("127.0.0.1:1", &all, "")
    };
    failed(&kms(&["list"]), 1, "there is no local KMS");
    let arns = out(&kms(&["create", "--region", "eu-central-1,eu-west-1"]));
    let [home, replica] = arns.lines().collect::<Vec<_>>()[..] else { panic!("{arns}") };
    assert!(home.starts_with("arn:aws:kms:eu-central-1:") && replica.starts_with("arn:aws:kms:eu-west-1:"));
    // The other spelling.
    let repeated = out(&kms(&["create", "--region", "eu-central-1", "--region", "us-east-1"]));
    let [primary, other] = repeated.lines().collect::<Vec<_>>()[..] else { panic!("{repeated}") };
    assert_eq!(other, primary.replace("eu-central-1", "us-east-1"));
    assert!(out(&kms(&["create", "--help"])).contains("repeat it, or separate several by commas"));
    let keys = out(&kms(&["list"]));
    failed(&kms(&["create", "--region", "eu-west-1,eu-west-1"]), 2, "eu-west-1 is named twice");
    assert_eq!(out(&kms(&["list"])), keys, "nothing is left of what was refused");
    let third = out(&kms(&["replicate", home, "--region", "us-east-1"]));
    assert_eq!(third.trim(), home.replace("eu-central-1", "us-east-1"));
    let single = out(&kms(&["create", "--single-region"]));
    failed(&kms(&["replicate", single.trim(), "--region", "us-east-1"]), 1, "single-Region");

    let state = |arn: &str| {
        let list = json(&kms(&["list", "--output", "json"]));
        let keys = list["keys"].as_array().unwrap().clone();
        keys.into_iter().find(|key| key["arn"] == arn).unwrap()["state"].as_str().unwrap().to_owned()
    };
    out(&kms(&["disable", home]));
    assert_eq!((state(home).as_str(), state(replica).as_str()), ("Disabled", "Enabled"));
    out(&kms(&["enable", home]));
    assert_eq!(state(home), "Enabled");
    out(&kms(&["schedule-deletion", home, "--days", "7"]));
    assert_eq!(state(home), "PendingDeletion");
    failed(&kms(&["enable", home]), 1, "call its deletion off first");
    failed(&kms(&["schedule-deletion", replica, "--days", "6"]), 1, "7 to 30 days");
    out(&kms(&["cancel-deletion", home]));
    assert_eq!(state(home), "Disabled");
    out(&kms(&["rotate", home]));
    out(&kms(&["outage", "eu-west-1"]));
    assert!(out(&kms(&["list"])).contains("eu-west-1 (out)"));
    out(&kms(&["restore", "eu-west-1"]));
    assert!(out(&kms(&["list"])).contains("eu-west-1 (answers)"));
    out(&kms(&["fail", "eu-west-1", "slow", "--millis", "250"]));
    assert!(out(&kms(&["list"])).contains("eu-west-1 (answers after 250 ms)"));
    out(&kms(&["fail", "eu-west-1", "black-hole"]));
    assert!(out(&kms(&["list"])).contains("eu-west-1 (never answers)"));
    out(&kms(&["restore", "eu-west-1"]));
    assert!(out(&kms(&["list"])).contains("eu-west-1 (answers)"));
    failed(&kms(&["fail", "eu-west-1", "odd"]), 2, "possible values");
    failed(&kms(&["disable", &home.replace("eu-central-1", "ap-south-1")]), 1, "there is no key");
}

#[test]
fn completions_and_help_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            out(&run_with("127.0.0.1:1", &["completions", shell], "")).contains("transfer-leader"),
            "{shell}"
        );
    }
    let help = out(&run_with("127.0.0.1:1", &["--help"], ""));
    assert!(help.starts_with("Read, write and operate a Coffer replica set"), "{help}");
    assert!(!help.contains("driver"), "{help}");
    assert!(help.contains("Exit status: 0 done, 1 refused, 2 usage, 3 unreachable or sealed"), "{help}");
}
