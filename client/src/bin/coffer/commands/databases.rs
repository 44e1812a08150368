//! `coffer db`.

use serde_json::json;

use super::Context;
use crate::args::Db;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::table::{bytes, grouped, table};

/// Runs it.
pub async fn run(cx: &mut Context, args: Db) -> Result<(), Failure> {
    match args {
        Db::List => {
            let databases = cx.client.list_databases().await?;
            let mut rows = table(&["DATABASE", "COLLECTIONS", "DOCUMENTS", "ON DISK", "ID"], &[1, 2, 3, 4]);
            for database in &databases {
                rows.add_row([
                    database.name.clone(),
                    grouped(database.collections),
                    grouped(database.documents),
                    bytes(database.size_on_disk),
                    database.id.to_string(),
                ]);
            }
            let json: Vec<_> = databases
                .iter()
                .map(|database| {
                    json!({
                        "name": database.name, "id": database.id, "collections": database.collections,
                        "documents": database.documents, "size_on_disk": database.size_on_disk,
                    })
                })
                .collect();
            let text = if databases.is_empty() { "no databases".to_owned() } else { rows.to_string() };
            cx.output.print(text, &json!({ "databases": json }))?;
        }
        Db::Drop { database, yes } => {
            confirm(&format!("drop database {database} with all of its documents and keys"), yes)?;
            let outcome = cx.client.database(&database).drop().await?;
            if !outcome.dropped {
                return Err(Failure::Refused(format!("there is no database {database}")));
            }
            cx.output.print(
                format!("database {database} is dropped"),
                &json!({ "dropped": database, "applied_index": outcome.applied_index }),
            )?;
        }
    }
    Ok(())
}
