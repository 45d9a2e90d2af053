//! What operators change while the gateway runs: one line of the event log for each change.

use std::net::SocketAddr;

/// The most characters that are written of what an operator says of itself.
const NAME_LENGTH_MAX: usize = 128;

/// Who changes something.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// Where the request came from.
    pub peer: Option<SocketAddr>,
    /// The program, as it calls itself.
    pub agent: String,
    /// The person, as the program says; nobody has checked it.
    pub operator: String,
}

/// One change.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What was done.
    pub what: &'static str,
    /// To what.
    pub subject: &'a str,
    /// What it was before.
    pub before: &'a str,
    /// What it is now, or why it is as it was.
    pub after: &'a str,
    /// Whether it was done.
    pub is_done: bool,
}

impl Who {
    /// Somebody at `peer` who calls itself so.
    pub fn new(peer: Option<SocketAddr>, agent: &str, operator: &str) -> Self {
        let cut = |text: &str| text.chars().take(NAME_LENGTH_MAX).collect();
        Self { peer, agent: cut(agent), operator: cut(operator) }
    }

    /// Writes down that this one did, or tried to do, `change`.
    pub fn changes(&self, change: Change<'_>) {
        let peer = self.peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
        let Change { what, subject, before, after, is_done } = change;
        let (agent, operator) = (&self.agent, &self.operator);
        tracing::info!(
            audit = true,
            peer,
            agent = ?agent,
            operator = ?operator,
            what,
            subject,
            before,
            after,
            done = is_done,
            "an operator changes something"
        );
    }
}
