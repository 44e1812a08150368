//! Waits until a piece of key work is done.
//!
//! Invariant: who stops waiting changes nothing: the members go on by themselves.

use std::time::Duration;

use coffer_client::keys::{KeyTask, KeyWorkResponse};
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep};

use super::super::Context;
use super::show::standing;
use crate::failure::Failure;

/// Between two looks: work of a member takes a second or more.
const PAUSE: Duration = Duration::from_millis(500);

/// How long nobody may lead before waiting is given up: several elections, and the restart of a member.
const MAX_SILENCE: Duration = Duration::from_secs(120);

/// How many looks in a row have to be without the work before it counts as done: a new leader may take a moment to
/// list it.
const LOOKS_WITHOUT: u32 = 3;

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Kind of the work, as members name it.
    pub kind: &'static str,
    /// What it is about, as members name it; `None`: whatever.
    pub subject: Option<String>,
    /// Its round.
    pub round: u64,
}

/// Waits until the work is done on every member, and tells on standard error how far it is.
///
/// # Errors
/// [`Failure::Unreachable`] where nobody leads for long.
pub async fn wait(cx: &Context, goal: &Goal) -> Result<(), Failure> {
    let keys = cx.client.key_admin();
    // Drawn on a terminal only.
    let bar = ProgressBar::new_spinner();
    let mut silent_since: Option<Instant> = None;
    let mut without = 0;
    loop {
        match keys.key_work().await {
            Ok(work) => {
                silent_since = None;
                match task_of(&work, goal) {
                    Some(task) if task.pending.is_empty() => break,
                    Some(task) => {
                        without = 0;
                        let waits = match task.waiting_for.as_str() {
                            "" => String::new(),
                            why => format!("; it waits: {why}"),
                        };
                        bar.set_message(format!("{}{waits}", standing(task)));
                    }
                    None => {
                        without += 1;
                        if without >= LOOKS_WITHOUT {
                            break;
                        }
                    }
                }
            }
            Err(error) if error.kind().exit_status() == 3 => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= MAX_SILENCE {
                    bar.finish_and_clear();
                    return Err(Failure::Unreachable(format!(
                        "the work goes on by itself, but nobody tells how far it is: {error}"
                    )));
                }
                bar.set_message("nobody leads just now".to_owned());
            }
            Err(error) => {
                bar.finish_and_clear();
                return Err(error.into());
            }
        }
        bar.tick();
        sleep(PAUSE).await;
    }
    bar.finish_and_clear();
    Ok(())
}

/// The work, in its round or a later one.
fn task_of<'a>(work: &'a KeyWorkResponse, goal: &Goal) -> Option<&'a KeyTask> {
    let about = |task: &KeyTask| goal.subject.as_ref().is_none_or(|subject| *subject == task.subject);
    work.tasks.iter().find(|task| {
        let same = match (goal.kind, task.kind.as_str()) {
            // New master keys under another customer's key, asked for meanwhile, are new master keys.
            ("master", "cmk") => true,
            (wanted, kind) => wanted == kind && about(task),
        };
        same && task.round >= goal.round
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_told_from_other_work() {
        let task = |kind: &str, subject: &str, round| KeyTask {
            kind: kind.into(),
            subject: subject.into(),
            round,
            ..KeyTask::default()
        };
        let tasks = vec![
            task("master", "", 3),
            task("master", "member 2", 4),
            task("database", "iso", 7),
            task("database", "shop", 7),
        ];
        let work = KeyWorkResponse { tasks, ..KeyWorkResponse::default() };
        let found = |kind, subject: &str, round| {
            task_of(&work, &Goal { kind, subject: Some(subject.into()), round })
                .map(|task| task.subject.as_str())
        };
        assert_eq!(found("database", "shop", 7), Some("shop"));
        assert_eq!(found("database", "shop", 8), None);
        assert_eq!(found("master", "", 2), Some(""));
        assert_eq!(found("master", "member 2", 4), Some("member 2"));
        assert_eq!(found("master", "", 4), None);
        let under_another =
            KeyWorkResponse { tasks: vec![task("cmk", "arn:x", 5)], ..KeyWorkResponse::default() };
        let goal = Goal { kind: "master", subject: Some(String::new()), round: 4 };
        assert!(task_of(&under_another, &goal).is_some());
    }
}
