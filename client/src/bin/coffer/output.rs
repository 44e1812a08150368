//! Standard output: data and nothing else.

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

use clap::ValueEnum;
use serde_json::Value;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; documents are printed as extended JSON, one on a line.
    Table,
    /// One JSON value.
    Json,
}

/// Standard output, in the format that was asked for.
#[derive(Debug)]
pub struct Output {
    format: Format,
    out: BufWriter<Stdout>,
}

impl Output {
    /// Standard output.
    pub fn new(format: Format) -> Self {
        Self { format, out: BufWriter::new(io::stdout()) }
    }

    /// The format that was asked for.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Prints a result: `text` for people, `json` for programs.
    ///
    /// # Errors
    /// Where standard output is closed.
    pub fn print(&mut self, text: impl Display, json: &Value) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let text = text.to_string();
                let text = text.trim_end_matches('\n');
                if !text.is_empty() {
                    writeln!(self.out, "{text}")?;
                }
            }
            Format::Json => writeln!(self.out, "{json:#}")?,
        }
        self.out.flush()
    }

    /// Where several lines are to be written one by one; flush it at the end.
    pub fn writer(&mut self) -> &mut impl Write {
        &mut self.out
    }
}
