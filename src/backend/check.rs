//! Checks of a backend's health: what is asked, how often, and what follows from what was found.
//!
//! A check is a request of the gateway's own that no client waits for. The first one decides; from
//! then on it takes several in a row to change what is known, so that one lost packet changes nothing.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How a backend's health is checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What is asked.
    pub ask: Ask,
    /// How long after one check the next begins.
    pub interval: Duration,
    /// How long one may take, connection and all.
    pub timeout: Duration,
    /// So many in a row that fail, and it cannot serve.
    pub unhealthy_after: u32,
    /// So many in a row that do not, and it can serve again.
    pub healthy_after: u32,
}

/// What a backend is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ask {
    /// For a connection, over TLS where it speaks that.
    Tcp,
    /// For a response to GET.
    Http {
        /// Path and query, as they are sent.
        target: String,
        /// The statuses that are well.
        statuses: Vec<RangeInclusive<u16>>,
    },
    /// For the health of a service, by the protocol of gRPC (`grpc.health.v1.Health/Check`).
    Grpc {
        /// Which; empty: the server as a whole.
        service: String,
    },
}

/// What the checks so far have shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Series {
    is_ailing: bool,
    /// Whether any check is over.
    is_begun: bool,
    /// The last ones in a row that found otherwise.
    against: u32,
}

impl Ask {
    /// What is sent, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http { .. } => "http",
            Self::Grpc { .. } => "grpc",
        }
    }
}

impl Series {
    /// Whether the backend cannot serve.
    pub const fn is_ailing(self) -> bool {
        self.is_ailing
    }

    /// Whether any check is over.
    pub const fn is_begun(self) -> bool {
        self.is_begun
    }

    /// One more check is over. Whether that changes anything.
    pub fn found(&mut self, is_well: bool, check: &Check) -> bool {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if is_well != self.is_ailing {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.is_ailing { check.healthy_after } else { check.unhealthy_after };
        let decides = is_first || needed <= self.against;
        if decides {
            self.is_ailing = !is_well;
            self.against = 0;
        }
        decides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Check {
        Check {
            ask: Ask::Tcp,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }

    #[test]
    fn it_takes_several_in_a_row_to_change_what_is_known() {
        let (check, mut series) = (check(), Series::default());
        assert!(!series.found(true, &check) && series.is_begun());
        let news: Vec<bool> = [false, false, true, false, false, false, false]
            .map(|it| series.found(it, &check))
            .into();
        assert_eq!(news, [false, false, false, false, false, true, false]);
        assert!(series.is_ailing());
        let news = [true, false, true, true, true].map(|it| series.found(it, &check));
        assert_eq!(news, [false, false, false, true, false]);
        assert!(!series.is_ailing());
    }

    #[test]
    fn the_first_one_decides() {
        let (check, mut series) = (check(), Series::default());
        assert!(!series.is_begun() && !series.is_ailing());
        assert!(series.found(false, &check) && series.is_ailing());
    }
}
