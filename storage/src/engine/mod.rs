//! The databases of a member: commands are applied here, in the order of the log, and reads run on views of them.

mod apply;
mod cancel;
mod cursor;
mod databases;
#[allow(clippy::module_inception)] // the type that gives the room its name
mod engine;
mod find_query;
mod hash;
mod listing;
mod recovery;
mod system_kind;
mod system_record;

pub use apply::FEATURE;
pub use cancel::Cancel;
pub use cursor::Cursor;
pub use databases::{ADMIN, Databases};
pub use engine::{Engine, database_dir};
pub use find_query::FindQuery;
pub use hash::{CollectionHash, StateHash};
pub use listing::{CollectionSummary, DatabaseSummary};
pub use recovery::{read_catalog, stored_membership};
pub use system_kind::SystemKind;
pub use system_record::SystemRecord;
