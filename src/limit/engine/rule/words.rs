//! What a limit promises, in words.

use std::time::Duration;

use super::{Certainty, Late, Loss, Rule, Shape};

impl Rule {
    /// The bound in words.
    pub fn bound_in_words(&self) -> String {
        let most = self.bound();
        let window = match self.shape {
            Shape::Sliding { period } => format!("{most} in any {}", words(period)),
            Shape::Bucket { period, .. } => {
                format!("{most} at once and {} per {}", self.limit, words(period))
            }
            Shape::Quota { period: Duration::ZERO, .. } => format!("{most} in all"),
            Shape::Fixed { period, .. } | Shape::Quota { period, .. } => {
                format!("{most} per {}", words(period))
            }
        };
        let lost = match (self.loss, self.certainty) {
            (Loss::Open, _) => "without limit while Redis is down",
            (Loss::Closed, _) => "nothing while Redis is down",
            (Loss::LocalShare, Certainty::Exact) => "also when Redis is down",
            (Loss::LocalShare, Certainty::Fast { .. }) => {
                "up to twice that in a window in which Redis does not answer a replica"
            }
        };
        let late = match self.late {
            Late::Refuse => String::new(),
            Late::Admit => format!(", and whoever has waited {} in vain", words(self.max_wait)),
        };
        format!("at most {window}, {lost}{late}")
    }
}

fn words(period: Duration) -> String {
    if period.subsec_nanos() == 0 {
        format!("{} s", period.as_secs())
    } else {
        format!("{} ms", period.as_millis())
    }
}
