//! The commands, one file each.

mod collections;
mod databases;
mod dev_kms;
mod documents;
mod export;
mod hash;
mod import;
mod keys;
mod members;
mod no_service;
mod status;

use std::time::Duration;

use clap::CommandFactory;
use coffer_client::{Client, ClientOptions};

use crate::args::{Args, Command, Global};
use crate::failure::Failure;
use crate::output::Output;

/// How long every member may be unreachable or sealed before a person is told: an election and a restart are over
/// by then, and more waiting would only hide the answer.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3);

/// What a command works with.
#[derive(Debug)]
pub struct Context {
    /// The replica set.
    pub client: Client,
    /// Where results go.
    pub output: Output,
}

impl Context {
    fn new(global: &Global) -> Result<Self, Failure> {
        let client = Client::connect(ClientOptions {
            deadline: global.timeout,
            give_up_after: Some(GIVE_UP_AFTER),
            learn_members: !global.only_endpoints,
            ..ClientOptions::new(global.endpoints.iter().cloned())
        })?;
        Ok(Self { client, output: Output::new(global.output) })
    }
}

/// Runs the command that was asked for.
///
/// # Errors
/// See [`Failure`].
pub async fn run(args: Args) -> Result<(), Failure> {
    // These two need no replica set.
    match args.command {
        Command::Completions { shell } => {
            let mut out = Output::new(args.global.output);
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "coffer", &mut text);
            return Ok(std::io::Write::write_all(out.writer(), &text)?);
        }
        Command::DevKms(kms) => return dev_kms::run(kms, &mut Output::new(args.global.output)),
        _ => {}
    }
    let mut context = Context::new(&args.global)?;
    let cx = &mut context;
    match args.command {
        Command::Status => status::run(cx).await,
        Command::Keys => keys::run(cx).await,
        Command::Insert(insert) => documents::insert(cx, insert).await,
        Command::Find(find) => documents::find(cx, find).await,
        Command::Count(count) => documents::count(cx, count).await,
        Command::Update(update) => documents::update(cx, update).await,
        Command::Delete(delete) => documents::delete(cx, delete).await,
        Command::Import(import) => import::run(cx, import).await,
        Command::Export(export) => export::run(cx, export).await,
        Command::Db(db) => databases::run(cx, db).await,
        Command::Collection(collection) => collections::run(cx, collection).await,
        Command::Member(member) => members::run(cx, member).await,
        Command::Hash(hash) => hash::run(cx, hash).await,
        Command::Completions { .. } | Command::DevKms(_) => Ok(()),
    }
}
