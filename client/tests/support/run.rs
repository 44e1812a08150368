//! Runs `coffer` and looks at what it printed.

use std::process::Output;

use serde_json::Value;

use super::FakeMember;

/// Runs `coffer` with these endpoints, and `input` as its standard input.
pub fn run_with(endpoints: &str, arguments: &[&str], input: &str) -> Output {
    assert_cmd::Command::cargo_bin("coffer")
        .unwrap()
        .env("COFFER_ENDPOINTS", endpoints)
        .args(arguments)
        .write_stdin(input)
        .output()
        .unwrap()
}

/// Runs `coffer` against `member` without holding up the test's own runtime.
pub async fn run(member: &FakeMember, arguments: &[&str]) -> Output {
    run_reading(member, arguments, "").await
}

pub async fn run_reading(member: &FakeMember, arguments: &[&str], input: &str) -> Output {
    let (address, input) = (member.address.clone(), input.to_owned());
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run_with(&address, &arguments, &input)
    })
    .await
    .unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The standard output of a run that succeeded and said nothing else.
pub fn out(output: &Output) -> String {
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    text(&output.stdout)
}

pub fn json(output: &Output) -> Value {
    serde_json::from_str(&out(output)).unwrap()
}

/// A run that failed with `status`, printed no data, and said `why`.
pub fn failed(output: &Output, status: i32, why: &str) {
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(status), String::new()), "{said}");
    assert!(said.contains(why), "{said}");
}
