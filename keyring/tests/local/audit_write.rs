//! How the audit log is written: what a crash leaves of it, when it is large, when the disk fails.

use std::fs;

use coffer_keyring::audit::{AuditAction, AuditError, AuditEvent, AuditFault, AuditLimits, AuditLog, verify};

use crate::audit_scene::{Scene, faults, files, started};
use crate::world::World;

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
