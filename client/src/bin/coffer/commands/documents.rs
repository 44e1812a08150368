//! `coffer insert`, `find`, `count`, `update` and `delete`.

use std::io::Write;

use bson::Document;
use coffer_client::{Collection, CountOptions, FindOptions, InsertManyOptions, UpdateOptions};
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::Context;
use crate::args::{Count, Delete, Find, Insert, Update};
use crate::confirm::confirm;
use crate::ext_json::{parse_document, parse_documents, to_line, to_value};
use crate::failure::Failure;
use crate::input::read_argument;
use crate::namespace::Namespace;
use crate::output::Format;
use crate::table::grouped;

/// Refused documents that are described one by one.
const MAX_DESCRIBED: usize = 10;

/// The collection of a namespace.
pub fn collection(cx: &Context, namespace: &Namespace) -> Collection {
    cx.client.database(&namespace.database).collection(&namespace.collection)
}

/// The document that an argument holds.
pub fn argument(what: &str, text: &str) -> Result<Document, Failure> {
    parse_document(what, &read_argument(what, text)?)
}

/// `coffer insert`.
pub async fn insert(cx: &mut Context, args: Insert) -> Result<(), Failure> {
    let mut documents = Vec::new();
    for text in &args.documents {
        documents.extend(parse_documents("the document", &read_argument("the document", text)?)?);
    }
    let options = InsertManyOptions { unordered: args.unordered };
    let outcome = collection(cx, &args.namespace).insert_many(documents, options).await?;
    // Documents after the first refused one were not tried, unless the insert was unordered.
    let tried = match outcome.errors.first() {
        Some(error) if !args.unordered => error.index,
        _ => outcome.ids.len(),
    };
    let refused: Vec<usize> = outcome.errors.iter().map(|error| error.index).collect();
    let ids: Vec<Value> = outcome
        .ids
        .iter()
        .take(tried)
        .enumerate()
        .filter(|(index, _)| !refused.contains(index))
        .map(|(_, id)| to_value(id.clone(), false))
        .collect();
    let text = ids.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let errors: Vec<Value> = outcome
        .errors
        .iter()
        .map(|error| {
            json!({
                "index": error.index, "code": error.code, "code_name": error.code_name, "message": error.message,
            })
        })
        .collect();
    cx.output.print(
        text,
        &json!({
            "inserted": outcome.inserted, "ids": ids, "errors": errors, "applied_index": outcome.applied_index,
        }),
    )?;
    if outcome.errors.is_empty() {
        return Ok(());
    }
    let mut message =
        format!("{} inserted, {} refused:", grouped(outcome.inserted), grouped(outcome.errors.len() as u64));
    for error in outcome.errors.iter().take(MAX_DESCRIBED) {
        message.push_str(&format!(
            "\n  document {}: {} ({}, code {})",
            error.index, error.message, error.code_name, error.code
        ));
    }
    if outcome.errors.len() > MAX_DESCRIBED {
        message.push_str(&format!("\n  and {} more", outcome.errors.len() - MAX_DESCRIBED));
    }
    Err(Failure::Refused(message))
}

/// `coffer find`.
pub async fn find(cx: &mut Context, args: Find) -> Result<(), Failure> {
    let filter = argument("the filter", &args.filter)?;
    let optional =
        |what: &str, text: &Option<String>| text.as_ref().map(|text| argument(what, text)).transpose();
    let options = FindOptions {
        projection: optional("the projection", &args.projection)?,
        sort: optional("the sort", &args.sort)?,
        skip: args.skip,
        limit: args.limit,
        batch_size: 0,
        read_concern: args.read.into(),
    };
    let mut cursor = collection(cx, &args.namespace).find(&filter, options).await?;
    let array = cx.output.format() == Format::Json;
    let out = cx.output.writer();
    let mut separator = if array { "[\n" } else { "" };
    while let Some(document) = cursor.try_next().await? {
        write!(out, "{separator}{}", to_line(document, args.canonical))?;
        separator = if array { ",\n" } else { "\n" };
    }
    match (array, separator) {
        (true, "[\n") => writeln!(out, "[]")?,
        (true, _) => writeln!(out, "\n]")?,
        (false, "") => {}
        (false, _) => writeln!(out)?,
    }
    Ok(out.flush()?)
}

/// `coffer count`.
pub async fn count(cx: &mut Context, args: Count) -> Result<(), Failure> {
    let filter = argument("the filter", &args.filter)?;
    let options = CountOptions { read_concern: args.read.into(), ..CountOptions::default() };
    let outcome = collection(cx, &args.namespace).count(&filter, options).await?;
    cx.output
        .print(outcome.count, &json!({ "count": outcome.count, "applied_index": outcome.applied_index }))?;
    Ok(())
}

/// `coffer update`.
pub async fn update(cx: &mut Context, args: Update) -> Result<(), Failure> {
    let filter = argument("the filter", &args.filter)?;
    let update = argument("the update", &args.update)?;
    let options = UpdateOptions { upsert: args.upsert };
    let collection = collection(cx, &args.namespace);
    let operators = update.keys().next().is_some_and(|first| first.starts_with('$'));
    let outcome = match (operators, args.many) {
        (true, true) => collection.update_many(&filter, &update, options).await?,
        (true, false) => collection.update_one(&filter, &update, options).await?,
        (false, false) => collection.replace_one(&filter, &update, options).await?,
        (false, true) => {
            return Err(Failure::Usage(
                "--many needs operators such as {\"$set\": …}: a whole document replaces one document only"
                    .into(),
            ));
        }
    };
    let id = outcome.upserted_id.map(|id| to_value(id, false));
    let mut text = format!("{} matched, {} modified", grouped(outcome.matched), grouped(outcome.modified));
    if let Some(id) = &id {
        text.push_str(&format!(", inserted {id}"));
    }
    cx.output.print(
        text,
        &json!({
            "matched": outcome.matched, "modified": outcome.modified, "upserted_id": id,
            "applied_index": outcome.applied_index,
        }),
    )?;
    Ok(())
}

/// `coffer delete`.
pub async fn delete(cx: &mut Context, args: Delete) -> Result<(), Failure> {
    let filter = argument("the filter", &args.filter)?;
    if filter.is_empty() {
        let what = if args.many { "every document" } else { "the first document" };
        confirm(&format!("delete {what} of {}, as the filter is empty", args.namespace), args.yes)?;
    }
    let collection = collection(cx, &args.namespace);
    let outcome = if args.many {
        collection.delete_many(&filter).await?
    } else {
        collection.delete_one(&filter).await?
    };
    cx.output.print(
        format!("{} deleted", grouped(outcome.deleted)),
        &json!({ "deleted": outcome.deleted, "applied_index": outcome.applied_index }),
    )?;
    Ok(())
}
