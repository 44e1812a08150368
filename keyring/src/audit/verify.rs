//! Reads a log and compares it with itself, with its key and with what is remembered of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::line::{Line, hash};
use super::raw_lines::{RawLine, RawLines};
use super::{AuditError, AuditFault, AuditHead, AuditKey, AuditReport, segments};

/// Verifies the audit log in `dir`, which nobody writes meanwhile; `remembered` are heads that were noted elsewhere. What a
/// crash left of a last line is no problem.
///
/// # Errors
/// When the files cannot be read; what does not fit is in the report.
pub fn verify(
    dir: &Path,
    key: Option<&AuditKey>,
    remembered: &[AuditHead],
) -> Result<AuditReport, AuditError> {
    verify_through(dir, key, remembered, None)
}

/// As [`verify`], of a log that goes on being written: up to this many bytes of this segment.
pub(super) fn verify_through(
    dir: &Path,
    key: Option<&AuditKey>,
    remembered: &[AuditHead],
    end: Option<(u64, u64)>,
) -> Result<AuditReport, AuditError> {
    let mut numbers = segments::list(dir)?;
    numbers.retain(|number| end.is_none_or(|(last, _)| *number <= last));
    let mut check = Check::new(key, remembered);
    for (position, number) in numbers.iter().enumerate() {
        let path = segments::path(dir, *number);
        check.file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if position > 0 && numbers[position - 1] + 1 != *number {
            let missing = numbers[position - 1] + 1;
            let text = format!("segment {missing} is missing before it");
            check.report.add(&check.file, 0, AuditFault::Removed, text);
        }
        let is_last = position + 1 == numbers.len();
        let limit = end.filter(|(last, _)| last == number).map_or(u64::MAX, |(_, len)| len);
        let failed = || AuditError::io("read", &path);
        let Some(mut lines) = RawLines::open(&path, limit).map_err(failed())? else { continue };
        while let Some(line) = lines.next().map_err(failed())? {
            if is_last && !line.whole {
                break;
            }
            check.line(&line);
        }
    }
    Ok(check.finish())
}

struct Check<'a> {
    key: Option<&'a AuditKey>,
    remembered: BTreeMap<u64, Vec<[u8; 32]>>,
    report: AuditReport,
    file: String,
    file_line: u64,
    /// The highest line in order, and what to hold its successor against: `None` where it was unreadable or changed, so
    /// that one change is not told twice.
    last: u64,
    hash: Option<[u8; 32]>,
    /// What the first line follows, and whether a line says that this was dropped.
    start: AuditHead,
    first_file: String,
    anchored: bool,
    authenticated_through: u64,
}

impl<'a> Check<'a> {
    fn new(key: Option<&'a AuditKey>, heads: &[AuditHead]) -> Self {
        let mut remembered: BTreeMap<u64, Vec<[u8; 32]>> = BTreeMap::new();
        for head in heads.iter().filter(|head| head.lines > 0) {
            remembered.entry(head.lines).or_default().push(head.hash);
        }
        Self {
            key,
            remembered,
            report: AuditReport::default(),
            file: String::new(),
            file_line: 0,
            last: 0,
            hash: Some([0; 32]),
            start: AuditHead::default(),
            first_file: String::new(),
            anchored: false,
            authenticated_through: 0,
        }
    }

    fn problem(&mut self, fault: AuditFault, text: String) {
        self.report.add(&self.file, self.file_line, fault, text);
    }

    fn line(&mut self, raw: &RawLine) {
        self.file_line = raw.number;
        self.report.lines += 1;
        let line = match Line::parse(&raw.bytes) {
            Ok(line) => line,
            Err(reason) => {
                self.problem(AuditFault::Unreadable, format!("is no line of an audit log: {reason}"));
                // It stands for one line, most likely: the next one is not to be reported as well.
                self.last += 1;
                self.hash = None;
                return;
            }
        };
        if self.report.first_time.is_none() {
            self.begin(&line);
        }
        let fits = self.authenticate(&raw.bytes, &line);
        if line.seq <= self.last {
            let text =
                format!("says that it is line {} of the log, and stands after line {}", line.seq, self.last);
            return self.problem(AuditFault::Reordered, text);
        }
        if line.seq > self.last + 1 {
            let (from, to) = (self.last + 1, line.seq - 1);
            let text = format!("is line {} of the log: lines {from} to {to} are missing before it", line.seq);
            self.problem(AuditFault::Removed, text);
        } else if self.hash.is_some_and(|hash| hash != line.prev) {
            let text = format!(
                "line {} of the log does not follow the line before it: that one was changed",
                line.seq
            );
            self.problem(AuditFault::Changed, text);
        }
        let hash = hash(&raw.bytes);
        self.compare(AuditHead { lines: line.seq, hash });
        // Where it was dropped further than to the start, a crash kept the rest.
        self.anchored |=
            fits && line.anchor().is_some_and(|to| to == self.start || to.lines > self.start.lines);
        self.last = line.seq;
        self.hash = fits.then_some(hash);
        self.report.head = AuditHead { lines: line.seq, hash };
        self.report.last_time = Some(line.time);
    }

    /// The first line: what it follows may have been dropped.
    fn begin(&mut self, line: &Line) {
        self.report.first_time = Some(line.time);
        self.report.first_line = line.seq;
        self.first_file.clone_from(&self.file);
        if line.seq > self.last + 1 && self.last == 0 {
            self.start = AuditHead { lines: line.seq - 1, hash: line.prev };
            self.last = self.start.lines;
            self.hash = Some(self.start.hash);
            self.compare(self.start);
        }
    }

    /// Whether nothing speaks against the line itself.
    fn authenticate(&mut self, bytes: &[u8], line: &Line) -> bool {
        match (line.key, self.key) {
            (None, _) => {
                self.report.without_key += 1;
                true
            }
            (Some(version), Some(key)) if version == key.version() => {
                let fits = line.verify(bytes, key);
                if fits {
                    self.report.authenticated += 1;
                    self.authenticated_through = self.authenticated_through.max(line.seq);
                } else {
                    self.problem(
                        AuditFault::Changed,
                        format!("line {} of the log was changed: its MAC does not fit", line.seq),
                    );
                }
                fits
            }
            (Some(version), Some(key)) if version > key.version() => {
                let text =
                    format!("line {} of the log names an audit key {version} that was never made", line.seq);
                self.problem(AuditFault::Changed, text);
                false
            }
            (Some(_), Some(_)) if self.authenticated_through > 0 => {
                let text =
                    format!("line {} of the log names an older audit key than a line before it", line.seq);
                self.problem(AuditFault::Changed, text);
                false
            }
            (Some(_), _) => {
                self.report.unchecked += 1;
                true
            }
        }
    }

    /// Holds a line against the heads that are remembered of it.
    fn compare(&mut self, head: AuditHead) {
        let Some(hashes) = self.remembered.remove(&head.lines) else { return };
        if hashes.iter().all(|hash| *hash == head.hash) {
            self.report.head_found = self.report.head_found.max(head.lines);
        } else {
            let text = format!(
                "line {} of the log is not the one that is remembered: the log was replaced or rewritten up to there",
                head.lines
            );
            self.problem(AuditFault::Replaced, text);
        }
    }

    fn finish(mut self) -> AuditReport {
        if self.start.lines > 0 && !self.anchored {
            let text = format!(
                "lines 1 to {} of the log are missing, and no line says that they were dropped",
                self.start.lines
            );
            self.report.add(&self.first_file, 1, AuditFault::Removed, text);
        }
        let remembered = std::mem::take(&mut self.remembered);
        for line in remembered.into_keys() {
            if line > self.last {
                let text = format!(
                    "the log ends with line {}, and line {line} is remembered: its end was cut off",
                    self.last
                );
                let at = self.file_line;
                self.report.add(&self.file, at, AuditFault::Truncated, text);
            } else if line < self.start.lines {
                self.report.heads_dropped += 1;
            } else {
                let text = format!("line {line} of the log is remembered, and is not there any more");
                self.report.add("", 0, AuditFault::Replaced, text);
            }
        }
        let first = self.start.lines;
        self.report.unauthenticated_tail = self.last - self.authenticated_through.max(first).min(self.last);
        self.report
    }
}
