//! The audit log: what it holds, what a crash leaves of it, and what a verification notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coffer_keyring::audit::{
    AuditAction, AuditError, AuditEvent, AuditFault, AuditHead, AuditKey, AuditLimits, AuditLog, AuditReport,
    verify,
};
use coffer_keyring::{DatabaseId, Keyring};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::seed::seed;
use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);

fn started(number: u64) -> AuditEvent {
    AuditEvent::new(AuditAction::Started { version: format!("test {number}") })
}

/// A log of six lines: three without a key, as of a sealed member, and three with one.
struct Scene {
    _dir: tempfile::TempDir,
    dir: PathBuf,
    key: AuditKey,
    heads: Vec<AuditHead>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let key = world.create().await.audit_key().unwrap();
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("audit");
        let log = AuditLog::open(&dir, None).unwrap();
        let mut heads: Vec<_> = (1..=3).map(|number| log.append(started(number)).unwrap()).collect();
        log.set_key(Some(key.clone()));
        heads.extend((4..=6).map(|number| log.append(started(number)).unwrap()));
        Self { _dir: temp, dir, key, heads }
    }

    fn file(&self) -> PathBuf {
        self.dir.join("audit-00000001.jsonl")
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.file()).unwrap().lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        fs::write(self.file(), lines.join("\n") + "\n").unwrap();
    }

    fn verify(&self, heads: &[AuditHead]) -> AuditReport {
        verify(&self.dir, Some(&self.key), heads).unwrap()
    }
}

fn faults(report: &AuditReport) -> Vec<(AuditFault, u64)> {
    report.problems.iter().map(|problem| (problem.fault, problem.line)).collect()
}

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

/// Every length that the file can have after a crash while a line is written heals, and no whole line is lost.
#[tokio::test]
async fn a_torn_line_is_healed() {
    let scene = Scene::new().await;
    let whole = fs::read(scene.file()).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for len in last..=whole.len() {
        let torn = [whole[..len].to_vec(), [&whole[..len], &vec![0; whole.len() - len][..]].concat()];
        for bytes in torn {
            fs::write(scene.file(), &bytes).unwrap();
            assert!(scene.verify(&scene.heads[..5]).is_sound(), "cut at {len}, before it is healed");
            let log = AuditLog::open(&scene.dir, Some(scene.key.clone())).unwrap();
            if len == whole.len() {
                assert_eq!(log.head(), scene.heads[5]);
                continue;
            }
            assert_eq!(log.head().lines, if bytes.len() == last { 5 } else { 6 }, "cut at {len}");
            log.append(started(7)).unwrap();
            let report = log.verify(&scene.heads[..5]).unwrap();
            assert!(report.is_sound(), "cut at {len}: {report:?}");
            let healed = fs::read_to_string(scene.file()).unwrap().contains("tail_healed");
            assert_eq!(healed, bytes.len() > last, "cut at {len}");
        }
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_not_healed_away() {
    let scene = Scene::new().await;
    let mut lines = scene.lines();
    lines[3].replace_range(10..20, "##########");
    scene.write(&lines);
    let log = AuditLog::open(&scene.dir, Some(scene.key.clone())).unwrap();
    log.append(started(7)).unwrap();
    assert_eq!(log.head().lines, 7);
    assert_eq!(faults(&log.verify(&[]).unwrap()), [(AuditFault::Unreadable, 4)]);
}

#[tokio::test]
async fn old_segments_go_and_the_rest_verifies() {
    let key = World::new().create().await.audit_key().unwrap();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    let limits = AuditLimits { segment_bytes: 2_000, total_bytes: 6_000 };
    let mut log = AuditLog::open_with(&dir, Some(key.clone()), limits).unwrap();
    let mut heads = Vec::new();
    for number in 0..200 {
        heads.push(log.append(started(number)).unwrap());
        if number % 50 == 20 {
            log = AuditLog::open_with(&dir, Some(key.clone()), limits).unwrap();
        }
        let bytes: u64 = files(&dir).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(bytes <= limits.total_bytes, "{bytes}");
    }
    let report = log.verify(&heads).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.first_line > 150 && report.heads_dropped > 150, "{report:?}");
    assert_eq!(report.head, log.head());
    drop(log);

    // The oldest one taken away by somebody: no line says so.
    let oldest = files(&dir).remove(0);
    let name = oldest.file_name().unwrap().to_str().unwrap().to_owned();
    let bytes = fs::read(&oldest).unwrap();
    fs::remove_file(&oldest).unwrap();
    let report = verify(&dir, Some(&key), &[]).unwrap();
    assert_eq!(faults(&report), [(AuditFault::Removed, 1)]);
    fs::write(&oldest, bytes).unwrap();
    // And one from the middle.
    let middle = files(&dir).remove(1);
    fs::remove_file(middle).unwrap();
    let report = verify(&dir, Some(&key), &[]).unwrap();
    assert!(faults(&report).contains(&(AuditFault::Removed, 0)), "{report:?}");
    assert!(!report.problems.iter().any(|problem| problem.file == name));
}

#[tokio::test]
async fn it_is_verified_while_it_is_written() {
    let key = World::new().create().await.audit_key().unwrap();
    let temp = tempfile::tempdir().unwrap();
    let limits = AuditLimits { segment_bytes: 1_500, total_bytes: 5_000 };
    let log = AuditLog::open_with(temp.path(), Some(key), limits).unwrap();
    let first = log.append(started(0)).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..120).map(|number| log.append(started(number)).unwrap()).last());
        while !writer.is_finished() {
            let head = log.head();
            let report = log.verify(&[first, head]).unwrap();
            assert!(report.is_sound(), "{report:?}");
            assert!(report.head.lines >= head.lines);
        }
    });
    assert!(log.verify(&[first]).unwrap().first_line > 1, "segments were dropped meanwhile");
}

#[tokio::test]
async fn a_segment_that_a_crash_kept_is_dropped_later() {
    let temp = tempfile::tempdir().unwrap();
    let limits = AuditLimits { segment_bytes: 500, total_bytes: 1_500 };
    let log = AuditLog::open_with(temp.path(), None, limits).unwrap();
    let mut kept = Vec::new();
    for number in 0..60 {
        let before: Vec<_> =
            files(temp.path()).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        log.append(started(number)).unwrap();
        let gone = before.into_iter().rfind(|(path, _)| !path.exists());
        if let Some(gone) = gone {
            kept.push(gone);
        }
    }
    drop(log);
    // As if the name had come back: the line that says that it was dropped is there.
    let (path, bytes) = kept.pop().expect("segments were dropped");
    fs::write(path, bytes).unwrap();
    assert!(verify(temp.path(), None, &[]).unwrap().is_sound());
    let log = AuditLog::open_with(temp.path(), None, limits).unwrap();
    log.append(started(99)).unwrap();
    assert!(log.verify(&[]).unwrap().is_sound());
    let bytes: u64 = files(temp.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes <= limits.total_bytes, "{bytes}");
}

#[tokio::test]
async fn what_could_not_be_written_is_mentioned_later() {
    let scene = Scene::new().await;
    let log = AuditLog::open(&scene.dir, Some(scene.key.clone())).unwrap();
    let file = scene.file();
    let aside = scene.dir.join("aside");
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    for _ in 0..3 {
        assert!(matches!(log.append(started(7)), Err(AuditError::Io { .. })));
    }
    assert_eq!((log.lost(), log.head()), (3, scene.heads[5]));
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    assert_eq!(log.append(started(8)).unwrap().lines, 8);
    assert_eq!(log.lost(), 0);
    assert!(scene.lines()[6].contains(r#"{"what":"events_lost","count":3}"#));
    assert!(log.verify(&scene.heads).unwrap().is_sound());
}

#[tokio::test]
async fn texts_of_others_stay_within_a_line() {
    let scene = Scene::new().await;
    let log = AuditLog::open(&scene.dir, Some(scene.key.clone())).unwrap();
    let long = "\u{1}\n\"é".repeat(40_000);
    let action = AuditAction::VerdictChanged {
        region: long.clone(),
        from: long.clone(),
        to: long.clone(),
        code: long.clone(),
    };
    log.append(AuditEvent::new(action).by(long.clone()).failed(&long)).unwrap();
    assert_eq!(scene.lines().len(), 7, "no newline gets through");
    assert!(log.verify(&scene.heads).unwrap().is_sound());
}

#[tokio::test]
async fn a_keyring_tells_of_every_key() {
    let world = World::new();
    let keyring = world.create().await;
    let log = Arc::new(AuditLog::open(&world.dir.path().join("audit"), keyring.audit_key()).unwrap());
    keyring.set_audit(log.clone());
    keyring.create_database(ONE, 11).unwrap();
    keyring.add_database_key(ONE, 3).unwrap();
    keyring.retire_database_keys(ONE, &[].into()).unwrap();
    let first = keyring.rotate_raft_key().unwrap();
    keyring.retire_raft_keys_before(first).unwrap();
    keyring.rotate_master(&world.kms, &world.cmk, &world.away, 4).await.unwrap();
    world.admin.disable(&world.cmk).unwrap();
    keyring.rotate_master(&world.kms, &world.cmk, &world.home, 5).await.unwrap_err();
    world.admin.enable(&world.cmk).unwrap();
    keyring.rewrap_master(&world.kms, &world.home).await.unwrap();
    keyring.drop_database(ONE, 30).unwrap();
    let again = world.unseal().await.unwrap();
    again.set_audit(log.clone());

    let text = fs::read_to_string(world.dir.path().join("audit/audit-00000001.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| line["event"]["what"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "master_wrapped",
            "keys_created",
            "keys_created",
            "keys_created",
            "keys_destroyed",
            "keys_created",
            "keys_destroyed",
            "keys_created",
            "master_wrapped",
            "master_rotated",
            "keys_destroyed",
            "master_wrapped",
            "master_rewrapped",
            "database_dropped",
            "keys_destroyed",
            "master_unwrapped",
            "keys_unwrapped",
        ]
    );
    assert_eq!(lines[2]["event"]["keys"][0]["database"], 11);
    assert_eq!(lines[8]["kms"]["region"], "eu-west-1");
    assert_eq!(lines[9]["event"]["rewrapped"], 3);
    assert!(lines[11]["outcome"]["failed"].as_str().unwrap().contains("DisabledException"));
    assert_eq!(lines[12]["outcome"], "done");
    let report = log.verify(&[]).unwrap();
    assert!(report.is_sound());
    assert_eq!(report.authenticated, 17);
    assert!(verify(&world.dir.path().join("audit"), again.audit_key().as_ref(), &[]).unwrap().is_sound());
    let keys = [keyring.current(coffer_keyring::KeyOwner::Raft).unwrap()];
    assert!(keys.iter().all(|key| !text.contains(&hex::encode(key.bytes()))));
}

#[tokio::test]
async fn the_key_outlives_rotations_and_is_another_after_off_and_on() {
    let world = World::new();
    let keyring = world.create().await;
    let dir = world.dir.path().join("audit");
    let log = Arc::new(AuditLog::open(&dir, keyring.audit_key()).unwrap());
    keyring.set_audit(log.clone());
    keyring.rotate_master(&world.kms, &world.cmk, &world.home, 1).await.unwrap();
    let head = log.head();
    let again = world.unseal().await.unwrap();
    assert!(verify(&dir, again.audit_key().as_ref(), &[head]).unwrap().is_sound());

    let plain = coffer_keyring::FormChange::to_plain(&keyring, 2).unwrap().commit().unwrap();
    log.set_key(plain.audit_key());
    plain.create_database(ONE, 11).unwrap();
    log.append(started(1)).unwrap();
    let change = coffer_keyring::FormChange::to_sealed(&plain, world.params(), &world.kms, 3).await.unwrap();
    let sealed: Keyring = change.commit().unwrap();
    log.set_key(sealed.audit_key());
    log.append(started(2)).unwrap();
    let report = log.verify(&[head]).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.unchecked > 0 && report.without_key > 0 && report.unauthenticated_tail == 0, "{report:?}");
    assert_eq!(report.authenticated, 1);
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

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
