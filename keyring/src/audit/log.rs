//! The log as it is written.
//!
//! Invariants:
//! - One line is written and synced at a time, so that a crash can leave at most one in part.
//! - What this process knows to be on stable storage ends at `len`; after a failure the file is cut back to there before
//!   anything else is written.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::line::{Line, encode, hash};
use super::raw_lines::RawLines;
use super::verify::verify_through;
use super::{AuditAction, AuditError, AuditEvent, AuditHead, AuditKey, AuditReport, AuditSink, segments};

/// Bytes of the line that says that segments were dropped, at most.
const DROP_LINE: u64 = 512;

/// How large the log may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditLimits {
    /// A new segment begins before one has more than this many bytes.
    pub segment_bytes: u64,
    /// The oldest segments are dropped when all have more than this many bytes together; the newest one always stays.
    pub total_bytes: u64,
}

impl Default for AuditLimits {
    /// 8 MiB and 256 MiB: some 600,000 events of 400 bytes, years of a quiet member.
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, total_bytes: 256 << 20 }
    }
}

/// The audit log of a member, open for writing; one process at a time (the data directory's lock sees to that). Writing
/// waits for the disk.
pub struct AuditLog {
    dir: PathBuf,
    limits: AuditLimits,
    state: Mutex<State>,
}

struct State {
    key: Option<AuditKey>,
    head: AuditHead,
    /// Number and bytes of each segment; the last one is written.
    segments: VecDeque<(u64, u64)>,
    file: Option<File>,
    /// The file may be longer than it should be, or not what was written.
    broken: bool,
    /// Events that could not be written since the last one that could.
    lost: u64,
}

impl AuditLog {
    /// Opens the log in `dir`, which is made if need be, and cuts off what a crash left of a line. Lines are authenticated
    /// under `key` from now on, or only chained without one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(dir: &Path, key: Option<AuditKey>) -> Result<Self, AuditError> {
        Self::open_with(dir, key, AuditLimits::default())
    }

    /// As [`AuditLog::open`], with other limits.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open_with(dir: &Path, key: Option<AuditKey>, limits: AuditLimits) -> Result<Self, AuditError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(AuditError::io("make the directory of", dir))?;
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            sync_dir(above)?;
        }
        let mut segments = VecDeque::new();
        for number in segments::list(dir)? {
            let path = segments::path(dir, number);
            let len = fs::metadata(&path).map_err(AuditError::io("read", &path))?.len();
            segments.push_back((number, len));
        }
        let mut state =
            State { key, head: AuditHead::default(), segments, file: None, broken: false, lost: 0 };
        let healed = find_end(dir, &mut state)?;
        let log = Self { dir: dir.to_owned(), limits, state: Mutex::new(state) };
        if healed > 0 {
            log.append(AuditEvent::new(AuditAction::TailHealed { bytes: healed }))?;
        }
        Ok(log)
    }

    /// Authenticates lines under another key from now on; without one they are only chained. `None` wipes it here.
    pub fn set_key(&self, key: Option<AuditKey>) {
        self.state().key = key;
    }

    /// Writes one event, and returns when it is on stable storage. The head then ends with it.
    ///
    /// # Errors
    /// When the disk fails or is full, or the event is longer than a line may be. The next event that can be written is
    /// preceded by one that says how many could not.
    pub fn append(&self, event: AuditEvent) -> Result<AuditHead, AuditError> {
        let mut state = self.state();
        let written = self.append_all(&mut state, event);
        if written.is_err() {
            state.lost = state.lost.saturating_add(1);
        }
        written?;
        Ok(state.head)
    }

    /// How far the log reaches: what peers remember of it.
    pub fn head(&self) -> AuditHead {
        self.state().head
    }

    /// How many events could not be written and are not yet mentioned in the log.
    pub fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Verifies the log as it is now; `remembered` are heads that were noted elsewhere. It can be written meanwhile.
    ///
    /// # Errors
    /// When the files cannot be read; what does not fit is in the report.
    pub fn verify(&self, remembered: &[AuditHead]) -> Result<AuditReport, AuditError> {
        let state = self.state();
        let snapshot = Snapshot::of(&state, remembered);
        drop(state);
        let report = snapshot.verify(&self.dir)?;
        let state = self.state();
        if state.segments.front().map(|(number, _)| *number) == snapshot.oldest {
            return Ok(report);
        }
        // A segment that was dropped while it was read looks like one that somebody took away: once more, while nobody
        // writes.
        Snapshot::of(&state, remembered).verify(&self.dir)
    }

    fn append_all(&self, state: &mut State, event: AuditEvent) -> Result<(), AuditError> {
        if state.lost > 0 {
            let lost = AuditEvent::new(AuditAction::EventsLost { count: state.lost });
            self.append_line(state, lost)?;
            state.lost = 0;
        }
        self.append_line(state, event)?;
        if let Err(error) = self.drop_oldest(state) {
            // The event is written; the next one tries again.
            tracing::warn!(%error, "old segments of the audit log could not be dropped");
        }
        Ok(())
    }

    fn append_line(&self, state: &mut State, event: AuditEvent) -> Result<(), AuditError> {
        let line = encode(state.head, event, state.key.as_ref())?;
        let len = line.len() as u64;
        let full = match state.segments.back() {
            Some((_, held)) => *held > 0 && held + len > self.limits.segment_bytes,
            None => true,
        };
        if full {
            self.begin_segment(state)?;
        }
        let Some((number, held)) = state.segments.back().copied() else { return Ok(()) };
        let path = segments::path(&self.dir, number);
        if state.file.is_none() || state.broken {
            state.file = Some(reopen(&path, held).map_err(AuditError::io("open", &path))?);
            state.broken = false;
        }
        let Some(file) = &mut state.file else { return Ok(()) };
        if let Err(error) = file.write_all(&line).and_then(|()| file.sync_data()) {
            state.broken = true;
            return Err(AuditError::io("write", &path)(error));
        }
        state.head = AuditHead { lines: state.head.lines + 1, hash: hash(&line[..line.len() - 1]) };
        if let Some((_, held)) = state.segments.back_mut() {
            *held += len;
        }
        Ok(())
    }

    fn begin_segment(&self, state: &mut State) -> Result<(), AuditError> {
        let number = state.segments.back().map_or(1, |(number, _)| number + 1);
        let path = segments::path(&self.dir, number);
        let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = made.and_then(|file| file.sync_all().map(|()| file));
        let file = file.map_err(AuditError::io("begin a segment of", &path))?;
        sync_dir(&self.dir)?;
        state.segments.push_back((number, 0));
        state.file = Some(file);
        state.broken = false;
        Ok(())
    }

    /// Drops the oldest segments where all are more than may be kept, after one line that says so. A crash in between
    /// leaves some of them, to be dropped with the next.
    fn drop_oldest(&self, state: &mut State) -> Result<(), AuditError> {
        let mut total: u64 = state.segments.iter().map(|(_, len)| len).sum();
        if total <= self.limits.total_bytes {
            return Ok(());
        }
        total += DROP_LINE;
        let mut count = 0;
        while count + 1 < state.segments.len() && total > self.limits.total_bytes {
            total -= state.segments[count].1;
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        let (last, next) = (state.segments[count - 1].0, state.segments[count].0);
        // What the first segment that stays follows is the last line that goes.
        if let Some(AuditHead { lines: through, hash }) = start_of(&segments::path(&self.dir, next))? {
            let hash = hex::encode(hash);
            let action = AuditAction::SegmentDropped { segment: last, through, hash };
            self.append_line(state, AuditEvent::new(action))?;
        }
        for _ in 0..count {
            let path = segments::path(&self.dir, state.segments[0].0);
            fs::remove_file(&path).map_err(AuditError::io("drop a segment of", &path))?;
            state.segments.pop_front();
        }
        sync_dir(&self.dir)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // After a panic the file is cut back to what is known before it is written again.
        self.state.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut state = poisoned.into_inner();
            state.broken = true;
            state
        })
    }
}

/// What is known of a log at one moment.
struct Snapshot {
    key: Option<AuditKey>,
    /// What others remember, and what this process wrote.
    remembered: Vec<AuditHead>,
    oldest: Option<u64>,
    /// The newest segment and its bytes.
    end: (u64, u64),
}

impl Snapshot {
    fn of(state: &State, remembered: &[AuditHead]) -> Self {
        Self {
            key: state.key.clone(),
            remembered: remembered.iter().copied().chain([state.head]).collect(),
            oldest: state.segments.front().map(|(number, _)| *number),
            end: state.segments.back().copied().unwrap_or((0, 0)),
        }
    }

    fn verify(&self, dir: &Path) -> Result<AuditReport, AuditError> {
        verify_through(dir, self.key.as_ref(), &self.remembered, Some(self.end))
    }
}

impl AuditSink for AuditLog {
    fn record(&self, events: Vec<AuditEvent>) {
        for event in events {
            if let Err(error) = self.append(event) {
                tracing::error!(%error, "an event of the keys is not in the audit log");
            }
        }
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("dir", &self.dir).field("head", &self.head()).finish_non_exhaustive()
    }
}

/// Finds the last whole line and cuts off what stands after it, which no append ever acknowledged; how many bytes that
/// were is returned.
fn find_end(dir: &Path, state: &mut State) -> Result<u64, AuditError> {
    let mut healed = 0;
    for at in (0..state.segments.len()).rev() {
        let (number, len) = state.segments[at];
        let path = segments::path(dir, number);
        let (end, head) = last_line(&path)?;
        if at + 1 == state.segments.len() && end < len {
            reopen(&path, end).map_err(AuditError::io("heal", &path))?;
            state.segments[at].1 = end;
            healed = len - end;
        }
        if let Some(head) = head {
            state.head = head;
            break;
        }
    }
    Ok(healed)
}

/// Where the last line of a file ends that is one of a log, and its head.
fn last_line(path: &Path) -> Result<(u64, Option<AuditHead>), AuditError> {
    let failed = || AuditError::io("read", path);
    let (mut end, mut head) = (0, None);
    let Some(mut lines) = RawLines::open(path, u64::MAX).map_err(failed())? else { return Ok((0, None)) };
    while let Some(raw) = lines.next().map_err(failed())? {
        if !raw.whole {
            break;
        }
        if let Ok(line) = Line::parse(&raw.bytes) {
            end = raw.end;
            head = Some(AuditHead { lines: line.seq, hash: hash(&raw.bytes) });
        }
    }
    Ok((end, head))
}

/// What the first line of a file follows.
fn start_of(path: &Path) -> Result<Option<AuditHead>, AuditError> {
    let failed = || AuditError::io("read", path);
    let Some(mut lines) = RawLines::open(path, u64::MAX).map_err(failed())? else { return Ok(None) };
    let first = lines.next().map_err(failed())?;
    let line = first.and_then(|raw| Line::parse(&raw.bytes).ok());
    Ok(line.map(|line| AuditHead { lines: line.seq.saturating_sub(1), hash: line.prev }))
}

/// Opens a file to be written on from `len`, where it is cut.
fn reopen(path: &Path, len: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(len))?;
    Ok(file)
}

fn sync_dir(dir: &Path) -> Result<(), AuditError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(AuditError::io("sync", dir))
}
