//! No two members share a key: no wrapped key of one keystore stands in another.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

/// Shortest text that can be a wrapped 256-bit key, in base64 or hexadecimal.
const SHORTEST_KEY: usize = 43;

/// Compares the long texts of keystores with each other, those of the CMK's name and its material aside, and
/// the settings of the replica set, which every member keeps.
///
/// # Errors
/// Names the place of the first text that two keystores share, and keystores in which no key was found.
pub fn independent_keys(keystores: &[PathBuf]) -> anyhow::Result<()> {
    let mut seen: BTreeMap<String, (PathBuf, String)> = BTreeMap::new();
    for path in keystores {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let json: Value =
            serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        let mut texts = Vec::new();
        collect(&json, String::new(), &mut texts);
        if texts.is_empty() {
            bail!("no wrapped key was found in {}", path.display());
        }
        for (place, text) in texts {
            if let Some((other, there)) = seen.get(&text)
                && other != path
            {
                bail!("{} at {place} holds what {} holds at {there}", path.display(), other.display());
            }
            seen.insert(text, (path.clone(), place));
        }
    }
    Ok(())
}

fn collect(value: &Value, place: String, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(field, format!("{place}/{name}"), into);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{place}/{index}"), into);
            }
        }
        Value::String(text) => {
            let public = text.starts_with("arn:") || place.contains("material") || place == "/body/settings";
            if text.len() >= SHORTEST_KEY && !public {
                into.push((place, text.clone()));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_key_is_found_and_the_cmk_is_not_one() {
        let dir = tempfile::tempdir().unwrap();
        let keystore = |name: &str, key: char| {
            let path = dir.path().join(name);
            let arn = format!("arn:aws:kms:{}", "x".repeat(60));
            let json = serde_json::json!({
                "cmk": arn,
                "body": { "settings": "s".repeat(60) },
                "raft": [{ "wrapped": key.to_string().repeat(60) }],
            });
            fs::write(&path, json.to_string()).unwrap();
            path
        };
        let (one, two, copy) = (keystore("1", 'a'), keystore("2", 'b'), keystore("3", 'a'));
        independent_keys(&[one.clone(), two]).unwrap();
        let error = independent_keys(&[one, copy]).unwrap_err().to_string();
        assert!(error.contains("/raft/0/wrapped"), "{error}");

        let empty = dir.path().join("empty");
        fs::write(&empty, "{}").unwrap();
        assert!(independent_keys(&[empty]).is_err());
    }
}
