//! What a verification of the audit log notices.

use std::fs;

use coffer_keyring::audit::{AuditFault, AuditLimits, AuditLog, verify};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::audit_scene::{Scene, faults, files, started};
use crate::seed::seed;
use crate::world::World;

#[tokio::test]
async fn a_log_that_nobody_touched_is_sound() {
    let scene = Scene::new().await;
    let report = scene.verify(&scene.heads);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.lines, report.first_line, report.head), (6, 1, scene.heads[5]));
    assert_eq!((report.authenticated, report.without_key, report.unauthenticated_tail), (3, 3, 0));
    assert_eq!(report.head_found, 6);
    // Without the key the chain and the heads are checked all the same.
    let report = verify(&scene.dir, None, &scene.heads).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.authenticated, report.unchecked, report.unauthenticated_tail), (0, 3, 6));
}

#[tokio::test]
async fn any_changed_byte_is_noticed_and_named() {
    let scene = Scene::new().await;
    let bytes = fs::read(scene.file()).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(scene.file(), &changed).unwrap();
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        // Without its newline the last line is what a crash may leave: only a remembered head tells.
        let heads = if at + 1 == bytes.len() { &scene.heads[..] } else { &[] };
        let report = scene.verify(heads);
        assert!(
            !report.is_sound(),
            "byte {at} of line {line}: {:?} {report:?}",
            String::from_utf8_lossy(&bytes[at - 20..])
        );
        // The line itself, or the next one where only the chain speaks for it.
        let first = &report.problems[0];
        assert!(first.line.abs_diff(line) <= 1, "byte {at} of line {line}: {first:?}");
        assert_eq!(first.file, "audit-00000001.jsonl");
    }
}

#[tokio::test]
async fn lines_that_are_removed_or_moved_are_noticed() {
    let scene = Scene::new().await;
    let lines = scene.lines();
    for at in 0..6 {
        let mut fewer = lines.clone();
        fewer.remove(at);
        scene.write(&fewer);
        let report = scene.verify(&scene.heads);
        let expected = match at {
            0 => (AuditFault::Removed, 1),
            5 => (AuditFault::Truncated, 5),
            _ => (AuditFault::Removed, at as u64 + 1),
        };
        assert!(faults(&report).contains(&expected), "without line {at}: {report:?}");
    }
    for at in 0..5 {
        let mut moved = lines.clone();
        moved.swap(at, at + 1);
        scene.write(&moved);
        let found = faults(&scene.verify(&[]));
        assert!(found.iter().any(|(fault, _)| *fault == AuditFault::Reordered), "{at}: {found:?}");
    }
    let mut twice = lines.clone();
    twice.insert(3, lines[2].clone());
    scene.write(&twice);
    assert_eq!(faults(&scene.verify(&[])), [(AuditFault::Reordered, 4)]);
}

#[tokio::test]
async fn a_cut_end_shows_by_a_remembered_head() {
    let scene = Scene::new().await;
    scene.write(&scene.lines()[..4]);
    assert!(scene.verify(&scene.heads[..4]).is_sound(), "nothing else can know of it");
    let report = scene.verify(&scene.heads[5..]);
    assert_eq!(faults(&report), [(AuditFault::Truncated, 4)]);
    assert!(report.problems[0].to_string().contains("line 6 is remembered"), "{report:?}");
}

#[tokio::test]
async fn a_log_that_was_replaced_as_a_whole_shows_by_a_remembered_head() {
    let scene = Scene::new().await;
    let heads = scene.heads.clone();
    for key in [None, Some(scene.key.clone())] {
        fs::remove_dir_all(&scene.dir).unwrap();
        let log = AuditLog::open(&scene.dir, key).unwrap();
        for number in 10..20 {
            log.append(started(number)).unwrap();
        }
        assert!(log.verify(&[]).unwrap().is_sound(), "it is whole in itself");
        let report = log.verify(&heads[5..]).unwrap();
        assert_eq!(faults(&report), [(AuditFault::Replaced, 6)]);
        assert_eq!(report.head_found, 10, "of what this process wrote");
    }
    fs::remove_dir_all(&scene.dir).unwrap();
    let log = AuditLog::open(&scene.dir, Some(scene.key.clone())).unwrap();
    assert!(log.verify(&[]).unwrap().is_sound(), "an empty log");
    assert_eq!(faults(&log.verify(&heads[5..]).unwrap()), [(AuditFault::Truncated, 0)]);
}

#[tokio::test]
async fn an_end_that_was_written_anew_shows_by_the_next_mac() {
    let scene = Scene::new().await;
    let lines = scene.lines();
    // Lines that were written without a key are made anew by somebody, chained as they should be.
    fs::remove_file(scene.file()).unwrap();
    let forged = AuditLog::open(&scene.dir, None).unwrap();
    for number in 7..=9 {
        forged.append(started(number)).unwrap();
    }
    let mut all = scene.lines();
    all.extend_from_slice(&lines[3..]);
    scene.write(&all);
    assert_eq!(faults(&scene.verify(&[])), [(AuditFault::Changed, 4)]);
}

#[tokio::test]
async fn another_members_key_does_not_pass() {
    let scene = Scene::new().await;
    let other = World::new().create().await.audit_key().unwrap();
    let report = verify(&scene.dir, Some(&other), &[]).unwrap();
    assert_eq!(faults(&report), [4, 5, 6].map(|line| (AuditFault::Changed, line)));
}

/// Random damage of random logs: whatever it is, a head that is remembered of the last line shows it.
#[tokio::test]
async fn random_damage_is_noticed() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let key = World::new().create().await.audit_key().unwrap();
    let temp = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let dir = temp.path().join(round.to_string());
        let limits = AuditLimits { segment_bytes: 1_500, total_bytes: 5_000 };
        let log = AuditLog::open_with(&dir, None, limits).unwrap();
        for number in 0..random.random_range(5..40) {
            log.set_key(random.random_bool(0.7).then(|| key.clone()));
            log.append(started(number)).unwrap();
        }
        let head = log.head();
        drop(log);
        assert!(verify(&dir, Some(&key), &[head]).unwrap().is_sound());
        let files = files(&dir);
        let path = &files[random.random_range(0..files.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.random()),
            _ => bytes.truncate(at),
        }
        fs::write(path, bytes).unwrap();
        let report = verify(&dir, Some(&key), &[head]).unwrap();
        assert!(!report.is_sound(), "{} at {at}", path.display());
    }
}
