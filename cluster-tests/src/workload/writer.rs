//! One writer: a sequence of random writes to documents of its own.

use bson::{Document, doc};
use coffer_client::{Collection, UpdateOptions};
use rand::{Rng, RngExt as _};
use rand_chacha::ChaCha8Rng;

use super::{Ledger, Outcome};

/// Additions to one tally before the next one is begun: documents stay small.
const TALLY_LENGTH: i64 = 40;

/// How many documents a writer keeps changing.
const ALIVE: usize = 50;

/// A writer and what it knows.
pub(super) struct Writer {
    number: usize,
    collection: Collection,
    rng: ChaCha8Rng,
    pad: usize,
    next: i64,
    /// Documents whose version is known, with that version.
    alive: Vec<(String, i64)>,
    tally: Option<(String, i64)>,
    ledger: Ledger,
}

impl Writer {
    pub(super) fn new(number: usize, collection: Collection, rng: ChaCha8Rng, pad: usize) -> Self {
        let (alive, ledger) = (Vec::new(), Ledger::default());
        Self { number, collection, rng, pad, next: 0, alive, tally: None, ledger }
    }

    pub(super) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// Makes one write.
    pub(super) async fn step(&mut self) -> Outcome {
        match self.rng.random_range(0..10) {
            0..5 => self.insert().await,
            5..7 => self.change().await,
            7 => self.delete().await,
            _ => self.add().await,
        }
    }

    fn fresh(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// An `_id` that no other writer uses.
    fn fresh_id(&mut self, kind: &str) -> String {
        let next = self.fresh();
        format!("{kind}-{}-{next}", self.number)
    }

    fn text(&mut self) -> String {
        let mut bytes = vec![0; self.pad / 2];
        self.rng.fill_bytes(&mut bytes);
        hex::encode(bytes)
    }

    async fn insert(&mut self) -> Outcome {
        let id = self.fresh_id("doc");
        let document = doc! { "_id": &id, "version": 0_i64, "pad": self.text() };
        let outcome = Outcome::of(&self.collection.insert_one(document).await);
        self.ledger.note_document(&id, None, Some(0), outcome);
        if outcome == Outcome::Acknowledged {
            if self.alive.len() == ALIVE {
                let settled = self.rng.random_range(0..ALIVE);
                self.alive.swap_remove(settled);
            }
            self.alive.push((id, 0));
        }
        outcome
    }

    fn pick(&mut self) -> Option<(String, i64)> {
        if self.alive.is_empty() {
            return None;
        }
        let index = self.rng.random_range(0..self.alive.len());
        Some(self.alive.swap_remove(index))
    }

    async fn change(&mut self) -> Outcome {
        let Some((id, version)) = self.pick() else { return self.insert().await };
        let update = doc! { "$set": { "pad": self.text() }, "$inc": { "version": 1_i64 } };
        let outcome = Outcome::of(
            &self.collection.update_one(&doc! { "_id": &id }, &update, UpdateOptions::default()).await,
        );
        self.ledger.note_document(&id, Some(version), Some(version + 1), outcome);
        match outcome {
            Outcome::Acknowledged => self.alive.push((id, version + 1)),
            Outcome::NotDone => self.alive.push((id, version)),
            Outcome::Unknown => {}
        }
        outcome
    }

    async fn delete(&mut self) -> Outcome {
        let Some((id, version)) = self.pick() else { return self.insert().await };
        let outcome = Outcome::of(&self.collection.delete_one(&doc! { "_id": &id }).await);
        self.ledger.note_document(&id, Some(version), None, outcome);
        if outcome == Outcome::NotDone {
            self.alive.push((id, version));
        }
        outcome
    }

    /// Adds to a tally, which is made with its first addition.
    async fn add(&mut self) -> Outcome {
        let (id, length) = match self.tally.take() {
            Some((id, length)) if length < TALLY_LENGTH => (id, length),
            _ => (self.fresh_id("tally"), 0),
        };
        let addition = self.fresh();
        let filter = doc! { "_id": &id };
        let outcome = if length == 0 {
            let document: Document = doc! { "_id": &id, "count": 1_i64, "additions": [addition] };
            Outcome::of(&self.collection.insert_one(document).await)
        } else {
            let update = doc! { "$push": { "additions": addition }, "$inc": { "count": 1_i64 } };
            Outcome::of(&self.collection.update_one(&filter, &update, UpdateOptions::default()).await)
        };
        self.ledger.note_addition(&id, addition, outcome);
        // An addition of unknown outcome may yet come; the tally takes more all the same, as additions commute. Only
        // its making must be known to have worked.
        match outcome {
            Outcome::Acknowledged => self.tally = Some((id, length + 1)),
            Outcome::Unknown | Outcome::NotDone if length > 0 => self.tally = Some((id, length + 1)),
            Outcome::Unknown | Outcome::NotDone => {}
        }
        outcome
    }
}
