use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/help")
}

#[test]
fn codes_slugs_and_titles_are_each_their_own() {
    let count = HelpCode::ALL.len();
    for part in [HelpCode::as_str, HelpCode::slug, HelpCode::title, HelpCode::remedy] {
        let parts: BTreeSet<_> = HelpCode::ALL.iter().map(|code| part(*code)).collect();
        assert_eq!(parts.len(), count, "two are the same");
    }
    assert!(HelpCode::ALL.is_sorted_by_key(|code| code.as_str()), "the table is in order");
    for code in HelpCode::ALL {
        let text = code.as_str();
        assert!(
            text.len() == 6 && text.starts_with("CK") && text[2..].bytes().all(|b| b.is_ascii_digit()),
            "{text}"
        );
        assert!(code.slug().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", code.slug());
    }
}

#[test]
fn every_page_is_of_a_code_and_every_code_has_one() {
    let files: BTreeSet<_> = fs::read_dir(pages())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    let codes: BTreeSet<_> = HelpCode::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(files, codes);
}

#[test]
fn a_page_begins_with_its_title_and_has_all_sections() {
    for code in HelpCode::ALL {
        let page = code.page();
        assert_eq!(page.lines().next(), Some(format!("# {code}: {}", code.title()).as_str()));
        let found: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert!(found == SECTIONS || found == SECTIONS[..4], "{code}: {found:?}");
        for section in page.split("\n## ").skip(1) {
            let text = section.split_once('\n').map_or("", |(_, text)| text.trim());
            assert!(!text.is_empty(), "{code}: an empty section");
        }
        assert!(page.ends_with('\n'), "{code}");
    }
}

#[test]
fn pages_name_only_codes_that_there_are() {
    for code in HelpCode::ALL {
        for (at, _) in code.page().match_indices("CK0") {
            let named = &code.page()[at..at + 6];
            assert!(find(named).is_some(), "{code} names {named}");
        }
    }
}

#[test]
fn the_index_is_the_table() {
    let index = fs::read_to_string(pages().join("README.md")).unwrap();
    let rows: Vec<_> = index.lines().filter(|line| line.starts_with("| [CK")).map(str::to_owned).collect();
    let table: Vec<_> = HelpCode::ALL
        .iter()
        .map(|code| format!("| [{code}]({code}.md) | {} | {} |", code.title(), code.remedy()))
        .collect();
    assert_eq!(rows, table);
}

#[test]
fn a_code_is_found_in_any_case_and_nothing_else_is() {
    assert_eq!(find("CK0013"), Some(HelpCode::ClockOff));
    assert_eq!(find(" ck0013 "), Some(HelpCode::ClockOff));
    assert!(page("ck0013").unwrap().starts_with("# CK0013: the clock of this machine is off\n"));
    for other in ["", "CK", "13", "CK00013", "CK9999", "clock-off"] {
        assert_eq!(find(other), None, "{other}");
        assert_eq!(page(other), None, "{other}");
    }
    assert_eq!(HelpCode::ClockOff.hint(), "`coffer explain CK0013`");
}
