//! What `cofferd` does with its arguments.

use std::env;
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::Instant;

use crate::args::{Args, Command, InitConfigArgs, RunArgs};
use crate::config::{Config, ConfigError};
use crate::exit::Exit;
use crate::help::hint;
use crate::{fail_stop, init_config, life, logging, process_limits, restart, test_pause};

/// Threads that run tasks: network and Raft; what blocks has threads of its own. Two at least, so that a task that computes
/// never holds up the heartbeats.
const MIN_WORKERS: usize = 2;

/// What reads, writes or closes at a second signal gets this long: the storage library aborts the process where the process
/// ends under its threads, and its status would be lost.
const KILLED_GRACE: Duration = Duration::from_secs(1);

/// Runs `cofferd`. Errors of the configuration are printed, everything later is logged.
pub fn program(args: Args) -> Exit {
    match args.command {
        Some(Command::InitConfig(args)) => run_init_config(&args),
        None => run(&args.run),
    }
}

fn run_init_config(args: &InitConfigArgs) -> Exit {
    match init_config::init_config(args) {
        Ok(files) => {
            let text = files.iter().map(|file| format!("{}\n", file.display())).collect::<String>();
            print(&text)
        }
        Err(error) => refuse(&error.to_string()),
    }
}

fn run(args: &RunArgs) -> Exit {
    // Step 1 of the boot: arguments. Step 2: configuration.
    let config = match load(args) {
        Ok(config) => config,
        Err(error) => return refuse(&error.to_string()),
    };
    if args.dump_config {
        return print(&config.to_toml());
    }
    if args.check {
        return print("the configuration is valid\n");
    }
    // Step 3: logs, what a panic does, what the system allows.
    logging::start(&config.log);
    fail_stop::install();
    process_limits::set();
    let workers = std::thread::available_parallelism().map_or(MIN_WORKERS, |n| n.get().max(MIN_WORKERS));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no threads can be started");
            return Exit::Internal;
        }
    };
    let life::Ended { exit, by, restart } = runtime.block_on(life::life(&config));
    match exit {
        Exit::Killed => runtime.shutdown_timeout(KILLED_GRACE),
        // What reads or writes is let finish, so that it does not run into the end of the process. Not for ever: a disk
        // that hangs must not keep a member alive.
        _ => runtime.shutdown_timeout(by.saturating_duration_since(Instant::now())),
    }
    if restart {
        tracing::info!("restarting");
        let error = restart::restart();
        tracing::error!(%error, "this program cannot be started again: start it by hand");
        return Exit::Internal;
    }
    test_pause::before_exit();
    tracing::info!(status = exit.code(), reason = %exit, "exit");
    exit
}

fn load(args: &RunArgs) -> Result<Config, ConfigError> {
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut settings = args.set.clone();
    if let Some(dir) = &args.data_dir {
        settings.push(("storage.data_dir".to_owned(), dir.to_string_lossy().into_owned()));
    }
    Config::load(args.config.as_deref(), environment, &settings)
}

fn print(text: &str) -> Exit {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Stopped,
        Err(_) => Exit::Internal,
    }
}

/// Says what is wrong to whoever typed it.
fn refuse(message: &str) -> Exit {
    // There is nobody left to tell if this fails.
    let help = hint(Exit::Config.help_code());
    let _ = writeln!(io::stderr(), "cofferd: {message}\n({help})");
    Exit::Config
}
