//! How far a long command is, on standard error, if that is a terminal.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::table::grouped;

/// A bar, or a spinner where the end is not known.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// `total`: bytes of the file, where they are known.
    pub fn new(total: Option<u64>) -> Self {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{bar:30} {percent:>3}%  {msg}  {elapsed}, {eta} left"),
            None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
        };
        // Ten times a second, and hidden where standard error is no terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now() }
    }

    /// So many bytes of the file are read.
    pub fn read(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// So many documents are done.
    pub fn documents(&self, documents: u64) {
        // Text is made only where it is shown, and not for each of millions.
        if !self.bar.is_hidden() && (documents.is_multiple_of(100) || documents < 100) {
            self.bar.set_message(format!(
                "{} documents, {}/s",
                grouped(documents),
                grouped(self.rate(documents))
            ));
        }
    }

    /// Documents per second since the start.
    pub fn rate(&self, documents: u64) -> u64 {
        (documents as f64 / self.started.elapsed().as_secs_f64().max(0.001)) as u64
    }

    /// Takes it off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
