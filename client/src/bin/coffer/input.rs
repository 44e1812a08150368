//! Arguments that hold JSON: as they are, `@FILE`, or `-` for standard input.

use std::fs;
use std::io::{self, Read};

use crate::failure::Failure;

/// Most that is read of a file or of standard input at once: a few of the largest documents, written out. `import`
/// takes what is larger, as it reads piece by piece.
const MAX_INPUT: u64 = 256 * 1024 * 1024;

/// The text that an argument stands for. `what` names it in an error.
///
/// # Errors
/// [`Failure::Usage`] where it cannot be read.
pub fn read_argument(what: &str, argument: &str) -> Result<String, Failure> {
    match argument.strip_prefix('@') {
        Some(path) => {
            let file = fs::File::open(path)
                .map_err(|error| Failure::Usage(format!("{what} cannot be read from {path}: {error}")))?;
            read_all(what, path, file)
        }
        None if argument == "-" => read_all(what, "standard input", io::stdin().lock()),
        None => Ok(argument.to_owned()),
    }
}

fn read_all(what: &str, from: &str, reader: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    let read = reader
        .take(MAX_INPUT + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("{what} cannot be read from {from}: {error}")))?;
    if read as u64 > MAX_INPUT {
        return Err(Failure::Usage(format!(
            "{from} is larger than {MAX_INPUT} bytes; `coffer import` reads piece by piece and takes it"
        )));
    }
    Ok(text)
}
