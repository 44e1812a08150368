//! Before a role replaces credentials, it has to prove that it reaches the key: there is no way back.

use super::AwsKms;
use crate::kms::{EncryptionContext, Finding, KeyArn, Kms, Region, help_codes, validate};

impl AwsKms {
    /// Proves that the role of this provider reaches `key` in the Region `region`: the role is assumed anew with its
    /// ExternalId, and Encrypt, Decrypt and DescribeKey are tried with the session. Nothing is returned where all of
    /// that works. The key may be of another account.
    pub async fn check_role_reaches(
        &self,
        key: &KeyArn,
        region: &Region,
        context: &EncryptionContext,
    ) -> Vec<Finding> {
        let Some(role) = self.role() else {
            let problem = "no role is configured: name it by its full ARN";
            return vec![Finding::new(Some(region), help_codes::ROLE_DENIED, problem)];
        };
        // Without the role nothing else that could be tried would say anything of it.
        if let Err(error) = self.refresh_credentials(region).await {
            let finding = Finding::of_error(region, &error);
            let problem = format!("{} could not be assumed: {}", role.arn, finding.problem);
            return vec![Finding { problem, ..finding }];
        }
        let mut findings = validate(self, key, std::slice::from_ref(region), context).await;
        for finding in &mut findings {
            finding.problem = format!("{} does not reach {key}: {}", role.arn, finding.problem);
        }
        findings
    }
}
