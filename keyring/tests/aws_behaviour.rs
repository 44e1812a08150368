//! The table of what we take AWS to do names tests that exist, where it says that they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms whose tests the table names.
const ROOMS: [&str; 3] = ["keyring", "node", "cluster-tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each test function of the rooms, with the files that have one of that name.
fn tests() -> BTreeMap<String, Vec<PathBuf>> {
    let mut tests: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = ROOMS.iter().map(|room| root().join(room)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let mut marked = false;
                for line in text.lines().map(str::trim) {
                    if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                        marked = true;
                    } else if let Some(name) = function(line)
                        && std::mem::take(&mut marked)
                    {
                        tests.entry(name).or_default().push(path.clone());
                    }
                }
            }
        }
    }
    tests
}

fn function(line: &str) -> Option<String> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    Some(rest.split('(').next()?.to_owned())
}

#[test]
fn each_statement_names_tests_that_exist_where_it_says() {
    let text = std::fs::read_to_string(root().join("docs/aws-behaviour.md")).unwrap();
    let tests = tests();
    let (mut inside, mut rows) = (false, 0);
    for line in text.lines() {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            ["statement", "test", "covered by"] => inside = true,
            [statement, named, by] if inside && !statement.starts_with("---") => {
                rows += 1;
                let names: Vec<_> = named.split('`').skip(1).step_by(2).collect();
                assert!(!names.is_empty(), "no test for: {statement}");
                for name in names {
                    let files = tests.get(name).unwrap_or_else(|| panic!("no test {name}, for: {statement}"));
                    let lies_in = |part: &str| files.iter().any(|file| file.to_string_lossy().contains(part));
                    let right = match by {
                        "emulator" => lies_in("tests/aws_emulator.rs") || lies_in("cluster-tests/tests/"),
                        "only own server" => lies_in("tests/aws_http/"),
                        "pure" => lies_in("/src/"),
                        other => panic!("`{other}` is no way to cover: {statement}"),
                    };
                    assert!(right, "{name} is in {files:?}, and not where `{by}` says: {statement}");
                }
            }
            [_, _, _] => {}
            _ => inside = false,
        }
    }
    assert!(rows > 30, "the tables were not read: {rows} rows");
}
