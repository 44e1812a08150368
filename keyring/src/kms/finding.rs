//! One thing that is wrong with a key, or with the way to it.

use std::fmt;

use super::{KeyArnError, KmsError, Region, help_codes};

/// One thing that was found when a key was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it was found; `None` where it does not depend on the Region.
    pub region: Option<Region>,
    /// The code of the help page.
    pub help_code: &'static str,
    /// The service's code, where it is the service that refused; else empty.
    pub error_code: String,
    /// What is wrong, for a person.
    pub problem: String,
    /// A warning keeps nothing from being done.
    pub warning: bool,
}

impl Finding {
    /// Something that is wrong and that no service said.
    pub fn new(region: Option<&Region>, help_code: &'static str, problem: impl Into<String>) -> Self {
        let (region, problem) = (region.cloned(), problem.into());
        Self { region, help_code, error_code: String::new(), problem, warning: false }
    }

    /// A call that failed in `region`.
    pub fn of_error(region: &Region, error: &KmsError) -> Self {
        Self {
            error_code: error.code.clone(),
            ..Self::new(Some(region), error.help_code(), error.to_string())
        }
    }

    /// The same, as a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { warning: true, ..self }
    }
}

impl From<&KeyArnError> for Finding {
    fn from(error: &KeyArnError) -> Self {
        let (region, help_code) = match error {
            KeyArnError::Malformed { .. } => (None, help_codes::MALFORMED_ARN),
            KeyArnError::SingleRegion { wanted, .. } => (Some(wanted), help_codes::SINGLE_REGION),
        };
        Self::new(region, help_code, error.to_string())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.warning { "warning: " } else { "" })?;
        if let Some(region) = &self.region {
            write!(f, "{region}: ")?;
        }
        write!(f, "{} ({})", self.problem, self.help_code)
    }
}
