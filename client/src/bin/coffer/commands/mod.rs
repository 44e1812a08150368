//! The commands, one file each.

mod alerts;
mod audit;
mod collections;
mod databases;
mod dev_kms;
mod documents;
mod encryption;
mod explain;
mod export;
mod hash;
mod import;
mod key_work;
mod keys;
mod kms;
mod members;
mod no_service;
mod reach;
mod status;

use std::time::Duration;

use clap::CommandFactory;
use coffer_client::{Client, ClientOptions};

use crate::args::{Args, Audit, Command, Global};
use crate::failure::Failure;
use crate::output::Output;

/// How long every member may be unreachable or sealed before a person is told: an election and a restart are over
/// by then, and more waiting would only hide the answer.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3);

/// How long a call may take, retries included, unless --timeout says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The same where every member asks KMS in every Region first: 5 s each by default, and several Regions.
const KMS_TIMEOUT: Duration = Duration::from_secs(60);

/// What a command works with.
#[derive(Debug)]
pub struct Context {
    /// The replica set.
    pub client: Client,
    /// Where results go.
    pub output: Output,
}

impl Context {
    fn new(global: &Global, timeout: Duration) -> Result<Self, Failure> {
        let client = Client::connect(ClientOptions {
            deadline: global.timeout.unwrap_or(timeout),
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
    // These need no replica set.
    match args.command {
        Command::Completions { shell } => {
            let mut out = Output::new(args.global.output);
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "coffer", &mut text);
            return Ok(std::io::Write::write_all(out.writer(), &text)?);
        }
        Command::DevKms(kms) => return dev_kms::run(kms, &mut Output::new(args.global.output)),
        Command::Explain { code } => {
            return explain::run(code.as_deref(), &mut Output::new(args.global.output));
        }
        _ => {}
    }
    let timeout = if matches!(args.command, Command::Kms(_)) { KMS_TIMEOUT } else { TIMEOUT };
    let mut context = Context::new(&args.global, timeout)?;
    let cx = &mut context;
    match args.command {
        Command::Status => status::run(cx).await,
        Command::Kms(kms) => kms::run(cx, kms).await,
        Command::Keys(args) => keys::run(cx, args).await,
        Command::Encryption(args) => encryption::run(cx, args).await,
        Command::Alerts(args) => alerts::run(cx, args).await,
        Command::Audit(Audit::Verify(members)) => audit::verify(cx, members).await,
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
        Command::Completions { .. } | Command::Explain { .. } | Command::DevKms(_) => Ok(()),
    }
}
