//! `coffer collection`.

use serde_json::json;

use super::Context;
use crate::args::Collection;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::table::{grouped, table};

/// Runs it.
pub async fn run(cx: &mut Context, args: Collection) -> Result<(), Failure> {
    match args {
        Collection::List { database } => {
            let collections = cx.client.database(&database).list_collections().await?;
            let mut rows = table(&["COLLECTION", "DOCUMENTS"], &[1]);
            for collection in &collections {
                rows.add_row([collection.name.clone(), grouped(collection.documents)]);
            }
            let json: Vec<_> = collections
                .iter()
                .map(|collection| json!({ "name": collection.name, "documents": collection.documents }))
                .collect();
            let text = if collections.is_empty() { "no collections".to_owned() } else { rows.to_string() };
            cx.output.print(text, &json!({ "database": database, "collections": json }))?;
        }
        Collection::Create { namespace } => {
            let collection = cx.client.database(&namespace.database).collection(&namespace.collection);
            let applied_index = collection.create().await?;
            cx.output.print(
                format!("collection {namespace} is created"),
                &json!({ "created": namespace.to_string(), "applied_index": applied_index }),
            )?;
        }
        Collection::Drop { namespace, yes } => {
            confirm(&format!("drop collection {namespace} with all of its documents"), yes)?;
            let collection = cx.client.database(&namespace.database).collection(&namespace.collection);
            let outcome = collection.drop().await?;
            cx.output.print(
                format!("collection {namespace} is dropped, with {} documents", grouped(outcome.documents)),
                &json!({
                    "dropped": namespace.to_string(), "documents": outcome.documents,
                    "applied_index": outcome.applied_index,
                }),
            )?;
        }
    }
    Ok(())
}
