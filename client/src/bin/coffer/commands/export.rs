//! `coffer export`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use coffer_client::{Cursor, FindOptions};
use futures::TryStreamExt;
use serde_json::json;

use super::Context;
use super::documents::{argument, collection};
use crate::args::Export;
use crate::ext_json::to_line;
use crate::failure::Failure;
use crate::import::progress::Progress;
use crate::table::grouped;

/// Runs it.
pub async fn run(cx: &mut Context, args: Export) -> Result<(), Failure> {
    let filter = argument("the filter", &args.filter)?;
    let options = FindOptions { read_concern: args.read.into(), ..FindOptions::default() };
    let cursor = collection(cx, &args.namespace).find(&filter, options).await?;
    let applied_index = cursor.applied_index();
    let progress = Progress::new(None);
    let Some(path) = args.file else {
        let out = cx.output.writer();
        write_all(cursor, out, args.relaxed, &progress).await?;
        out.flush()?;
        progress.finish();
        return Ok(());
    };
    let part = part_of(&path);
    let cannot =
        |error: std::io::Error| Failure::Usage(format!("{} cannot be written: {error}", path.display()));
    let mut file = BufWriter::new(File::create(&part).map_err(cannot)?);
    let written = write_all(cursor, &mut file, args.relaxed, &progress).await;
    progress.finish();
    let documents = match written {
        Ok(documents) => documents,
        Err(failure) => {
            // What is incomplete is no export.
            let _ = std::fs::remove_file(&part);
            return Err(failure);
        }
    };
    file.into_inner().map_err(|error| cannot(error.into_error()))?.sync_all().map_err(cannot)?;
    std::fs::rename(&part, &path).map_err(cannot)?;
    cx.output.print(
        format!("{} documents written to {}", grouped(documents), path.display()),
        &json!({ "documents": documents, "file": path, "applied_index": applied_index }),
    )?;
    Ok(())
}

async fn write_all(
    mut cursor: Cursor,
    out: &mut impl Write,
    relaxed: bool,
    progress: &Progress,
) -> Result<u64, Failure> {
    let mut documents = 0;
    while let Some(document) = cursor.try_next().await? {
        writeln!(out, "{}", to_line(document, !relaxed))?;
        documents += 1;
        progress.documents(documents);
    }
    Ok(documents)
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}
