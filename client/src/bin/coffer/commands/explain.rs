//! `coffer explain`: the help pages, which are part of the program.

use coffer_proto::help::{self, HelpCode};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::table::table;

/// Runs it.
pub fn run(code: Option<&str>, output: &mut Output) -> Result<(), Failure> {
    let Some(text) = code else { return list(output) };
    let code = help::find(text).ok_or_else(|| {
        Failure::Usage(format!(
            "`{}` is no code of a help page, such as CK0034; `coffer explain` lists them",
            text.chars().take(40).collect::<String>()
        ))
    })?;
    let mut json = to_json(code);
    json["page"] = code.page().into();
    Ok(output.print(code.page(), &json)?)
}

fn list(output: &mut Output) -> Result<(), Failure> {
    let mut rows = table(&["CODE", "WHAT HAPPENED", "WHAT TO DO"], &[]);
    for code in HelpCode::ALL {
        rows.add_row([code.as_str(), code.title(), code.remedy()]);
    }
    let json: Vec<Value> = HelpCode::ALL.iter().copied().map(to_json).collect();
    Ok(output.print(rows, &json!({ "codes": json }))?)
}

fn to_json(code: HelpCode) -> Value {
    json!({ "code": code.as_str(), "slug": code.slug(), "title": code.title(), "remedy": code.remedy() })
}
