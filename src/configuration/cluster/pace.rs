//! Time as a cluster needs it: asked for, and waited for. All that a cluster awaits is this and its
//! store, so that a test can be both.

use std::time::Duration;

use async_trait::async_trait;

use crate::time::Clock;

/// Time that can be waited for.
#[async_trait]
pub trait Pace: Clock {
    /// Waits for `span`.
    async fn sleep(&self, span: Duration);
}

/// What `work` comes to, if it does within `span`.
pub(super) async fn within<T>(
    pace: &dyn Pace,
    span: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = pace.sleep(span) => None,
    }
}
