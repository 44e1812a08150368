//! The arguments of every command.

mod dev_kms;
mod keys;
mod kms;
mod members;
mod policy;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use coffer_client::ReadConcern;

pub use self::dev_kms::{DevKms, DevKmsCommand, RegionFault};
pub use self::keys::{Alerts, AlertsCommand, Audit, Encryption, Keys, KeysCommand};
pub use self::kms::{Change, Kms, SetPolicy, SetRegion};
pub use self::members::Members;
pub use self::policy::Policy;
use crate::namespace::Namespace;
use crate::output::Format;

/// Members of a replica set that `make demo` starts.
const DEFAULT_ENDPOINTS: &str = "127.0.0.1:27101,127.0.0.1:27102,127.0.0.1:27103";

const EXAMPLES: &str = "\
Examples:
  coffer status
  coffer insert iso.languages '{\"_id\": \"deu\", \"name\": \"German\"}'
  coffer import iso.languages iso_639-3.json --pointer /639-3 --id-field alpha_3
  coffer find iso.languages '{\"name\": \"German\"}'
  coffer update iso.languages '{\"_id\": \"deu\"}' '{\"$set\": {\"spoken\": true}}'

A collection is named DB.COLLECTION. Documents, filters and updates are MongoDB extended JSON v2, given as an \
argument, as @FILE, or as - for standard input.

Exit status: 0 done, 1 refused, 2 usage, 3 unreachable or sealed.";

/// What the tool is, in one line: what `Cargo.toml` says is about the package, the driver included.
const ABOUT: &str = "Read, write and operate a Coffer replica set, a document database sealed at rest";

/// The command line of Coffer, a replicated document database whose every byte at rest is sealed.
#[derive(Debug, Parser)]
#[command(name = "coffer", version, about = ABOUT, long_about = None, after_help = EXAMPLES, propagate_version = true)]
pub struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, ClapArgs)]
pub struct Global {
    /// A member of the replica set as host:port; repeat it, or separate several by commas.
    #[arg(
        long = "endpoint",
        value_name = "HOST:PORT",
        env = "COFFER_ENDPOINTS",
        value_delimiter = ',',
        default_value = DEFAULT_ENDPOINTS,
        global = true
    )]
    pub endpoints: Vec<String>,
    /// Ask the given endpoints only, not the members that they name.
    #[arg(long, global = true)]
    pub only_endpoints: bool,
    /// How results are printed.
    #[arg(long, value_enum, default_value = "table", global = true)]
    pub output: Format,
    /// How long a call may take, retries included, such as 500ms, 10s or 2m [default: 10s, or 1m where members ask KMS].
    #[arg(long, value_name = "TIME", value_parser = timeout, global = true)]
    pub timeout: Option<Duration>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every member, sealed ones too: its state, its role, how far it is, and how it stands with the customer's key.
    Status,
    /// The customer's key in KMS: which it is, where, and by which role it is reached.
    #[command(subcommand)]
    Kms(Kms),
    /// Show the key hierarchy of every member, without any key; rotate keys.
    Keys(Keys),
    /// Turn encryption on or off for a replica set with its data.
    #[command(subcommand)]
    Encryption(Encryption),
    /// Show what a person should know of, and note that somebody has seen it.
    Alerts(Alerts),
    /// The audit log of key events.
    #[command(subcommand)]
    Audit(Audit),
    /// Print the page that explains a code, such as CK0034; without one, list the codes.
    Explain {
        /// The code.
        code: Option<String>,
    },
    /// Insert documents.
    Insert(Insert),
    /// Print the documents that match a filter.
    Find(Find),
    /// Count the documents that match a filter.
    Count(Count),
    /// Change documents by operators, or replace one.
    Update(Update),
    /// Delete documents.
    Delete(Delete),
    /// Insert the documents of a file: a JSON array, JSON lines, or an array within a JSON file.
    ///
    /// It can be repeated after an interruption: a document without an _id gets one that follows from its position
    /// and content, and what is there already is counted and left alone.
    Import(Import),
    /// Write a collection as extended JSON, one document on a line.
    Export(Export),
    /// Databases.
    #[command(subcommand)]
    Db(Db),
    /// Collections.
    #[command(subcommand)]
    Collection(Collection),
    /// Members of the replica set.
    #[command(subcommand)]
    Member(Member),
    /// Hash a database on every member and say whether they agree.
    Hash(Hash),
    /// A directory that plays AWS KMS, for development and tests: whoever reads it has the keys.
    DevKms(DevKms),
    /// Print the completions of a shell, to be sourced by it.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Read {
    /// Sees every write acknowledged before; the leader answers.
    Linearizable,
    /// Sees what the asked member has applied; any member answers.
    Local,
}

impl From<Read> for ReadConcern {
    fn from(read: Read) -> Self {
        match read {
            Read::Linearizable => Self::Linearizable,
            Read::Local => Self::Local,
        }
    }
}

/// `coffer insert`.
#[derive(Debug, ClapArgs)]
pub struct Insert {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// Documents: JSON, @FILE, or - for standard input. Each may hold several, or an array.
    #[arg(value_name = "DOCUMENT", required = true)]
    pub documents: Vec<String>,
    /// Go on after a document that is refused.
    #[arg(long)]
    pub unordered: bool,
}

/// `coffer find`.
#[derive(Debug, ClapArgs)]
pub struct Find {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// Which documents: JSON, @FILE, or - for standard input.
    #[arg(default_value = "{}")]
    pub filter: String,
    /// Which fields, such as '{"name": 1, "_id": 0}'.
    #[arg(long, value_name = "JSON")]
    pub projection: Option<String>,
    /// The order, such as '{"name": 1}' or '{"age": -1}'.
    #[arg(long, value_name = "JSON")]
    pub sort: Option<String>,
    /// Leave out so many from the start.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,
    /// Print so many at most; 0: all.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub limit: u64,
    /// How fresh they have to be.
    #[arg(long, value_enum, default_value = "linearizable")]
    pub read: Read,
    /// Print canonical extended JSON, which keeps every type, instead of relaxed.
    #[arg(long)]
    pub canonical: bool,
}

/// `coffer count`.
#[derive(Debug, ClapArgs)]
pub struct Count {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// Which documents: JSON, @FILE, or - for standard input.
    #[arg(default_value = "{}")]
    pub filter: String,
    /// How fresh the count has to be.
    #[arg(long, value_enum, default_value = "linearizable")]
    pub read: Read,
}

/// `coffer update`.
#[derive(Debug, ClapArgs)]
pub struct Update {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// Which documents: JSON, @FILE, or - for standard input.
    pub filter: String,
    /// Operators such as '{"$set": {"name": "German"}}', or a whole document in place of the one found.
    pub update: String,
    /// Change every matching document instead of the first.
    #[arg(long)]
    pub many: bool,
    /// Insert a document where none matches.
    #[arg(long)]
    pub upsert: bool,
}

/// `coffer delete`.
#[derive(Debug, ClapArgs)]
pub struct Delete {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// Which documents: JSON, @FILE, or - for standard input.
    pub filter: String,
    /// Delete every matching document instead of the first.
    #[arg(long)]
    pub many: bool,
    /// Do not ask before every document is deleted.
    #[arg(long)]
    pub yes: bool,
}

/// `coffer import`.
#[derive(Debug, ClapArgs)]
pub struct Import {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// The file, or - for standard input.
    pub file: PathBuf,
    /// Where the array of documents is within a JSON file, as a JSON pointer (RFC 6901) such as /639-3.
    #[arg(long, value_name = "POINTER")]
    pub pointer: Option<String>,
    /// The field, dotted where it is nested, whose value becomes the _id of a document that has none.
    #[arg(long, value_name = "FIELD")]
    pub id_field: Option<String>,
    /// Documents per write.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
}

/// `coffer export`.
#[derive(Debug, ClapArgs)]
pub struct Export {
    /// The collection, as DB.COLLECTION.
    #[arg(value_name = "DB.COLLECTION")]
    pub namespace: Namespace,
    /// The file to write; standard output if none is given. It appears under its name when it is complete.
    pub file: Option<PathBuf>,
    /// Which documents: JSON, @FILE, or - for standard input.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub filter: String,
    /// How fresh they have to be.
    #[arg(long, value_enum, default_value = "linearizable")]
    pub read: Read,
    /// Write relaxed extended JSON, which is easier to read, instead of canonical, which keeps every type.
    #[arg(long)]
    pub relaxed: bool,
}

/// `coffer db`.
#[derive(Debug, Subcommand)]
pub enum Db {
    /// List the databases.
    List,
    /// Drop a database with all of its documents and destroy its keys on every member.
    Drop {
        /// The database.
        database: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// `coffer collection`.
#[derive(Debug, Subcommand)]
pub enum Collection {
    /// List the collections of a database.
    List {
        /// The database.
        database: String,
    },
    /// Create an empty collection, and its database where that does not exist.
    Create {
        /// The collection, as DB.COLLECTION.
        #[arg(value_name = "DB.COLLECTION")]
        namespace: Namespace,
    },
    /// Drop a collection with all of its documents.
    Drop {
        /// The collection, as DB.COLLECTION.
        #[arg(value_name = "DB.COLLECTION")]
        namespace: Namespace,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// `coffer member`.
#[derive(Debug, Subcommand)]
pub enum Member {
    /// List the members of the replica set.
    List,
    /// Add a member that receives the data but does not vote yet; start its cofferd to let it catch up.
    Add {
        /// Its id, never used before.
        id: u64,
        /// Where clients and members reach it, as host:port.
        address: String,
    },
    /// Make a member that has caught up a voter.
    Promote {
        /// Its id.
        id: u64,
    },
    /// Remove a member for good; its id is never used again.
    Remove {
        /// Its id.
        id: u64,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Hand leadership to another member.
    TransferLeader {
        /// Its id; without one, the voter that is furthest.
        id: Option<u64>,
    },
}

/// `coffer hash`.
#[derive(Debug, ClapArgs)]
pub struct Hash {
    /// The database.
    pub database: String,
    /// One of its collections; without one, all of them.
    pub collection: Option<String>,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a number with its unit, such as 500ms, 10s or 2m"))?;
    // Ten days: whoever waits longer has another problem, and larger ones overflow the wire's eight digits.
    if duration.is_zero() || duration > Duration::from_secs(864_000) {
        return Err("it has to be between 1ms and 10 days".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn endpoints_are_repeated_or_separated_by_commas() {
        let args = Args::parse_from(["coffer", "--endpoint", "a:1,b:2", "status", "--endpoint", "c:3"]);
        // A global option given on both sides of the command: the inner one counts.
        assert_eq!(args.global.endpoints, ["c:3"]);
        let args = Args::parse_from(["coffer", "status", "--endpoint", "a:1,b:2", "--endpoint", "c:3"]);
        assert_eq!(args.global.endpoints, ["a:1", "b:2", "c:3"]);
    }

    #[test]
    fn regions_are_repeated_or_separated_by_commas() {
        let regions = |arguments: &[&str]| {
            let all = ["coffer", "dev-kms", "--dir", "kms", "create"].iter().chain(arguments);
            match Args::parse_from(all).command {
                Command::DevKms(DevKms { command: DevKmsCommand::Create { regions, .. }, .. }) => {
                    regions.iter().map(ToString::to_string).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(regions(&[]), ["eu-central-1"]);
        assert_eq!(regions(&["--region", "eu-west-1,us-east-1"]), ["eu-west-1", "us-east-1"]);
        assert_eq!(regions(&["--region", "eu-west-1", "--region", "us-east-1"]), ["eu-west-1", "us-east-1"]);
    }

    #[test]
    fn times_have_a_unit_and_limits() {
        assert_eq!(timeout("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["10", "0s", "1year", "soon"] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }
}
