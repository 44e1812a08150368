//! Several writers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use coffer_client::Client;
use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use super::writer::Writer;
use super::{Ledger, Outcome};
use crate::wait::wait_for;

/// What a load is like.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The database that is written to.
    pub database: String,
    /// The collection that is written to.
    pub collection: String,
    /// How many writers write at once.
    pub writers: usize,
    /// Bytes of random text in each document.
    pub pad: usize,
    /// How long a write may take: the deadline of the client, and a little for a machine that is busy.
    pub longest_write: Duration,
    /// First number of a writer; loads that share a collection must not share writers.
    pub first_writer: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            database: "load".into(),
            collection: "documents".into(),
            writers: 8,
            pad: 200,
            longest_write: Duration::from_secs(13),
            first_writer: 0,
        }
    }
}

/// A load that runs until it is stopped.
#[derive(Debug)]
pub struct Load {
    writers: JoinSet<anyhow::Result<Ledger>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Load {
    /// Starts the writers; `rng` decides what they write.
    pub fn start(client: &Client, options: &LoadOptions, rng: &mut ChaCha8Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut writers = JoinSet::new();
        for number in options.first_writer..options.first_writer + options.writers {
            let collection = client.database(&options.database).collection(&options.collection);
            let own = ChaCha8Rng::seed_from_u64(rng.random());
            let mut writer = Writer::new(number, collection, own, options.pad);
            let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
            let longest = options.longest_write;
            writers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let outcome = writer.step().await;
                    if outcome == Outcome::Acknowledged {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    let took = started.elapsed();
                    ensure!(
                        took <= longest,
                        "a write took {took:?} and ended as {outcome:?}; {longest:?} is the most"
                    );
                }
                Ok(writer.into_ledger())
            });
        }
        Self { writers, stop, acknowledged }
    }

    /// Writes acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until `more` further writes have been acknowledged.
    ///
    /// # Errors
    /// After `deadline`.
    pub async fn progress(&self, more: u64, deadline: Duration) -> anyhow::Result<()> {
        let from = self.acknowledged();
        wait_for(&format!("{more} further acknowledged writes"), deadline, async || {
            let now = self.acknowledged() - from;
            if now >= more { Ok(()) } else { Err(format!("{now} were")) }
        })
        .await
    }

    /// Stops the writers and returns what they did.
    ///
    /// # Errors
    /// Where a write outlasted its deadline.
    pub async fn stop(mut self) -> anyhow::Result<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        while let Some(ledger) = self.writers.join_next().await {
            all.merge(ledger.context("a writer")??);
        }
        Ok(all)
    }
}
