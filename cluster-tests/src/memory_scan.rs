//! Looks for keys in the memory of a process, from outside: every readable page that is in use, mapped files aside.
//!
//! A key is looked for as its bytes, and as their text in base64 and hexadecimal, at any offset.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Keys to look for.
#[derive(Default)]
pub struct Needles {
    /// What it is, and its bytes in one of their forms.
    forms: Vec<(String, Vec<u8>)>,
    longest: usize,
}

/// A place where a key was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name of the key and its form.
    pub name: String,
    /// Where it stands.
    pub address: u64,
    /// What is mapped there: `[heap]`, `[stack]`, a file, or nothing.
    pub mapping: String,
    /// Whether the page is left out of core dumps (`dd` in /proc/PID/smaps, proc(5)).
    pub undumped: bool,
    /// Whether the page is locked into memory (`lo`).
    pub locked: bool,
}

impl Needles {
    /// Adds a key.
    pub fn add(&mut self, name: &str, key: &[u8]) {
        let text = STANDARD.encode(key);
        // The last group of base64 depends on the length alone.
        let whole = text.trim_end_matches('=').len() - 1;
        for (form, bytes) in [
            ("bytes", key.to_vec()),
            ("base64", text.as_bytes()[..whole].to_vec()),
            ("hexadecimal", hex::encode(key).into_bytes()),
        ] {
            self.longest = self.longest.max(bytes.len());
            self.forms.push((format!("{name} ({form})"), bytes));
        }
    }

    /// Looks for all of them in the memory of the process `id`.
    ///
    /// # Errors
    /// Where the memory cannot be read: that needs the process's own user and a process that is dumpable, or CAP_SYS_PTRACE.
    pub fn scan(&self, id: u32) -> anyhow::Result<Vec<Found>> {
        let smaps =
            fs::read_to_string(format!("/proc/{id}/smaps")).context("reading the map of the memory")?;
        let mut memory = File::open(format!("/proc/{id}/mem")).context("opening the memory")?;
        let mut found = Vec::new();
        let mut read = 0;
        for mapping in mappings(&smaps) {
            read += self.scan_mapping(&mut memory, &mapping, &mut found)?;
        }
        if read < CHUNK as u64 {
            bail!("only {read} bytes of the memory of process {id} could be read");
        }
        Ok(found)
    }

    fn scan_mapping(
        &self,
        memory: &mut File,
        mapping: &Mapping,
        found: &mut Vec<Found>,
    ) -> anyhow::Result<u64> {
        let mut window = Vec::new();
        let mut at = mapping.start;
        while at < mapping.end {
            let wanted = CHUNK.min(usize::try_from(mapping.end - at)?);
            let kept = window.len();
            window.resize(kept + wanted, 0);
            memory.seek(SeekFrom::Start(at))?;
            // Pages may go while they are read; what is gone holds no key.
            let Ok(()) = memory.read_exact(&mut window[kept..]) else { break };
            let start = at - kept as u64;
            self.search(&window, |name, offset| {
                found.push(Found {
                    name: name.to_owned(),
                    address: start + offset as u64,
                    mapping: mapping.name.clone(),
                    undumped: mapping.has("dd"),
                    locked: mapping.has("lo"),
                });
            });
            at += wanted as u64;
            // So that a key across two chunks is found, and none twice.
            let tail = window.len().min(self.longest - 1);
            window.drain(..window.len() - tail);
        }
        found.dedup();
        Ok(at - mapping.start)
    }

    fn search(&self, window: &[u8], mut hit: impl FnMut(&str, usize)) {
        let mut begins = vec![false; 1 << 16];
        for (_, bytes) in &self.forms {
            begins[usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))] = true;
        }
        for (at, pair) in window.windows(2).enumerate() {
            if begins[usize::from(u16::from_le_bytes([pair[0], pair[1]]))] {
                for (name, bytes) in &self.forms {
                    if window[at..].starts_with(bytes) {
                        hit(name, at);
                    }
                }
            }
        }
    }
}

struct Mapping {
    start: u64,
    end: u64,
    name: String,
    resident: bool,
    flags: String,
}

impl Mapping {
    fn has(&self, flag: &str) -> bool {
        self.flags.split_whitespace().any(|found| found == flag)
    }
}

/// The mappings of /proc/PID/smaps that can be read, have pages, and are no file.
fn mappings(smaps: &str) -> Vec<Mapping> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let range = first.split_once('-').and_then(|(start, end)| {
            Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
        });
        if let Some((start, end)) = range {
            let readable = words.next().is_some_and(|mode| mode.starts_with('r'));
            let name = words.nth(3).unwrap_or_default().to_owned();
            all.push(Mapping { start, end, name, resident: false, flags: String::new() });
            if !readable {
                all.pop();
                // Its other lines belong to nothing.
                all.push(Mapping {
                    start,
                    end: start,
                    name: String::new(),
                    resident: false,
                    flags: String::new(),
                });
            }
        } else if let Some(mapping) = all.last_mut() {
            match first {
                "Rss:" | "Swap:" => mapping.resident |= words.next().is_some_and(|kib| kib != "0"),
                "VmFlags:" => mapping.flags = words.collect::<Vec<_>>().join(" "),
                _ => {}
            }
        }
    }
    all.retain(|mapping| mapping.resident && mapping.end > mapping.start && !mapping.name.starts_with("[v"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_each_of_its_forms_and_only_there() {
        // This test's own memory: the needles themselves are found, wherever they stand.
        let key: Vec<u8> = (0..32).map(|n: u8| n.wrapping_mul(37).wrapping_add(11)).collect();
        let mut needles = Needles::default();
        needles.add("k", &key);
        let mut bytes = vec![0_u8; 3 * CHUNK];
        bytes[CHUNK - 16..CHUNK + 16].copy_from_slice(&key);
        let text = STANDARD.encode(&key);
        bytes[7..7 + text.len()].copy_from_slice(text.as_bytes());
        let found = needles.scan(std::process::id()).unwrap();
        let within = |form: &str| {
            let range = bytes.as_ptr_range();
            let inside = |found: &&Found| (range.start as u64..range.end as u64).contains(&found.address);
            found.iter().filter(|found| found.name == format!("k ({form})")).filter(inside).count()
        };
        assert_eq!((within("bytes"), within("base64"), within("hexadecimal")), (1, 1, 0), "{found:?}");
        let mut others = Needles::default();
        let mut other = key.clone();
        // In the middle: the first and the last byte are not in every form of base64, which depends on what stands around.
        other[16] ^= 1;
        others.add("o", &other);
        drop(other);
        let found = others.scan(std::process::id()).unwrap();
        assert!(
            found.iter().all(|found| !bytes.as_ptr_range().contains(&(found.address as *const u8))),
            "{found:?}"
        );
    }

    #[test]
    fn the_map_is_read_with_its_flags() {
        let smaps = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nRss:     4 kB\nVmFlags: rd wr lo dd \n\
                     7f0000001000-7f0000002000 ---p 00000000 00:00 0 \nRss:     4 kB\nVmFlags: dd\n\
                     7f0000002000-7f0000003000 r--p 00000000 00:00 0   [heap]\nRss:     0 kB\nSwap:  4 kB\nVmFlags: rd\n\
                     7f0000003000-7f0000004000 r--p 00000000 00:00 0   [vvar]\nRss:     4 kB\nVmFlags: rd\n";
        let maps = mappings(smaps);
        assert_eq!(maps.len(), 2);
        assert!(maps[0].has("dd") && maps[0].has("lo") && !maps[1].has("dd"));
        assert_eq!(maps[1].name, "[heap]");
    }
}
