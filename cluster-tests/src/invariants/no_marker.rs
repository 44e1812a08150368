//! Nothing that a client wrote stands readable in a file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::files::files_under;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// The files under `root` that hold any of `markers`, or one as UTF-16 or hexadecimal, each with the marker. Names of
/// files and folders are looked at too.
///
/// # Errors
/// Where a file cannot be read, other than for having vanished.
pub fn files_with_marker(root: &Path, markers: &[String]) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let needles: Vec<(Vec<u8>, &String)> = markers
        .iter()
        .flat_map(|marker| {
            let utf16 = marker.encode_utf16().flat_map(u16::to_le_bytes).collect();
            [
                (marker.as_bytes().to_vec(), marker),
                (utf16, marker),
                (hex::encode(marker).into_bytes(), marker),
            ]
        })
        .collect();
    let mut found = Vec::new();
    for path in files_under(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        if let Some(marker) = markers.iter().find(|marker| name.contains(marker.as_str())) {
            found.push((path.clone(), marker.clone()));
        }
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("opening {}", path.display())),
        };
        let mut bytes = Vec::with_capacity(CHUNK);
        file.read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
        for (needle, marker) in &needles {
            if contains(&bytes, needle) {
                found.push((path.clone(), (*marker).clone()));
            }
        }
    }
    Ok(found)
}

/// Whether `needle` stands in `hay`; looks for its first byte, so that long files cost little.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, _)) = needle.split_first() else { return true };
    let mut rest = hay;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Demands that no file under `root` holds any of `markers`.
///
/// # Errors
/// Names the files that do.
pub fn no_marker(root: &Path, markers: &[String]) -> anyhow::Result<()> {
    let found = files_with_marker(root, markers)?;
    if !found.is_empty() {
        let lines = found.iter().map(|(path, marker)| format!("{} holds {marker}", path.display()));
        bail!("markers stand readable in files:\n{}", lines.collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_contents_and_names() {
        let dir = tempfile::tempdir().unwrap();
        let markers = ["marker-17".to_owned(), "marker-18".to_owned()];
        std::fs::create_dir(dir.path().join("deep")).unwrap();
        std::fs::write(dir.path().join("deep/clean"), "mmarkermarker-1 is none").unwrap();
        no_marker(dir.path(), &markers).unwrap();

        std::fs::write(dir.path().join("deep/bad"), "xmmarker-17y").unwrap();
        std::fs::write(dir.path().join("a-marker-18"), "").unwrap();
        std::fs::write(dir.path().join("hex"), hex::encode("marker-17")).unwrap();
        let error = no_marker(dir.path(), &markers).unwrap_err().to_string();
        assert!(
            error.contains("deep/bad") && error.contains("a-marker-18") && error.contains("hex"),
            "{error}"
        );
        assert_eq!(files_with_marker(dir.path(), &markers).unwrap().len(), 3);
    }
}
