//! RocksDB's info log goes to `tracing`: warnings and errors only, without content.
#![allow(missing_docs)]

mod sealed_fs_support;

use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use coffer_storage::sealed_fs::sim::{Fault, FaultKind, OpKind, SimDisk};
use sealed_fs_support::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Keeps what is said to the target `rocksdb`.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<(Level, String)>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        write!(self.0, "{value:?}").unwrap();
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "rocksdb"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn warnings_are_told_and_content_is_not() {
    let ear = Ear::default();
    tracing::subscriber::set_global_default(ear.clone()).unwrap();
    let disk = Arc::new(SimDisk::new(64 << 20));
    let db = open(disk.clone(), keys(1), Path::new("/db")).unwrap();
    load(&db, 0..1_000);
    db.flush().unwrap();
    assert!(ear.0.lock().unwrap().is_empty(), "information is not passed on");
    load(&db, 1_000..2_000);
    disk.inject(Fault {
        kind: FaultKind::Eio,
        op: Some(OpKind::Sync),
        path_contains: ".sst".to_owned(),
        after: 0,
        times: 1,
    });
    assert!(db.flush().is_err());
    drop(db);
    let heard = ear.0.lock().unwrap();
    assert!(!heard.is_empty(), "the failed flush was not told");
    for (level, text) in heard.iter() {
        assert!(*level <= Level::WARN, "{level} {text}");
        assert!(!text.contains("plaintext"), "{text}");
    }
    assert!(!disk.files().iter().any(|f| f.to_string_lossy().contains("LOG")));
}
