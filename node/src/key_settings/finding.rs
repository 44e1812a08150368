//! What is wrong with settings, or worth knowing of them.

use std::fmt;

use coffer_keyring::kms;
use coffer_proto::{internal::v1 as internal, v1};

/// Longest text of one finding, in characters: it may quote what a service said.
const MAX_TEXT: usize = 1000;

/// A problem that was found in validation. It is told to the operator who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The Region that it is about; empty: all of it.
    pub region: String,
    /// Code of the help page.
    pub help_code: String,
    /// The service's code, where it is the service that refused.
    pub error_code: String,
    /// What is wrong and what to do, for a person.
    pub problem: String,
    /// Whether it is only worth knowing, and keeps nothing from being done.
    pub warning: bool,
}

impl Finding {
    /// Something that is wrong.
    pub fn error(help_code: &str, problem: impl Into<String>) -> Self {
        let (region, error_code) = (String::new(), String::new());
        Self {
            region,
            help_code: help_code.to_owned(),
            error_code,
            problem: cut(problem.into()),
            warning: false,
        }
    }

    /// The same about one Region.
    #[must_use]
    pub fn in_region(mut self, region: impl fmt::Display) -> Self {
        self.region = region.to_string();
        self
    }
}

/// Whether nothing among them keeps a change from being made.
pub fn all_warnings(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.warning)
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.help_code, &self.region] {
            if !part.is_empty() {
                write!(f, "{part}: ")?;
            }
        }
        f.write_str(&self.problem)
    }
}

impl From<Finding> for v1::KmsFinding {
    fn from(finding: Finding) -> Self {
        let Finding { region, help_code, error_code, problem, warning } = finding;
        Self { region, help_code, error_code, problem, warning }
    }
}

impl From<Finding> for internal::KmsProblem {
    fn from(finding: Finding) -> Self {
        let Finding { region, help_code, error_code, problem, warning } = finding;
        Self { region, help_code, error_code, problem, warning }
    }
}

/// What was found when KMS was asked.
impl From<kms::Finding> for Finding {
    fn from(finding: kms::Finding) -> Self {
        let kms::Finding { region, help_code, error_code, problem, warning } = finding;
        Self {
            region: region.map(|region| region.to_string()).unwrap_or_default(),
            help_code: help_code.to_owned(),
            error_code,
            problem: cut(problem),
            warning,
        }
    }
}

/// What another member found: its texts are cut as one's own are.
impl From<internal::KmsProblem> for Finding {
    fn from(problem: internal::KmsProblem) -> Self {
        let internal::KmsProblem { region, help_code, error_code, problem, warning } = problem;
        Self {
            region: cut(region),
            help_code: cut(help_code),
            error_code: cut(error_code),
            problem: cut(problem),
            warning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_read_with_its_code_and_region() {
        let finding = Finding::error("CK0024", "no replica").in_region("eu-west-1");
        assert_eq!(finding.to_string(), "CK0024: eu-west-1: no replica");
        assert_eq!(Finding::error("CK0045", "no").to_string(), "CK0045: no");
    }

    #[test]
    fn what_a_peer_says_is_bounded() {
        let long = internal::KmsProblem { problem: "é".repeat(5000), ..internal::KmsProblem::default() };
        assert_eq!(Finding::from(long).problem.chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn warnings_alone_keep_nothing_from_being_done() {
        let warning = Finding { warning: true, ..Finding::error("CK0042", "old") };
        assert!(all_warnings(&[]) && all_warnings(std::slice::from_ref(&warning)));
        assert!(!all_warnings(&[warning, Finding::error("CK0024", "none")]));
    }
}
