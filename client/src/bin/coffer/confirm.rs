//! Asks before data is destroyed.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// Goes on only if `yes` was given or the person at the terminal types `yes`. `action` says what will happen, such
/// as "drop database iso with all of its documents".
///
/// # Errors
/// [`Failure::Usage`] where nobody can be asked, [`Failure::Refused`] where the person declines.
pub fn confirm(action: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "this would {action}, for good: give --yes, as nobody can be asked here"
        )));
    }
    eprint!("This will {action}. Type yes to go on: ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::Refused("nothing was changed".into()))
}
