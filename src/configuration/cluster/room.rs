//! How a leader that cannot reach its control plane makes room for a replica that can.
//!
//! 1. A leader without a stream for [`Terms::cut_off`](super::Terms::cut_off) says so beside how it
//!    is doing. Until then nobody does anything: a control plane that is restarted, or asks all to
//!    come back later, is no reason for another leader.
//! 2. The others then try whether they reach it, one after the other as dice fall, and most not at
//!    all once one of them has: it costs the control plane a connection, and no stream.
//! 3. As soon as one says that it does, the leader ends its term, in a transaction as fenced as all
//!    that it writes, and does not campaign before another leads or [`REST`] is over. Who does not
//!    reach the control plane lets those go first that do.
//!
//! Where nobody reaches it, nobody says so, and the leader goes on leading. What ends the time
//! without a stream is what a try finds out, so that two that both fail do not take turns.

use std::time::Duration;

use super::lead::Term;
use super::pace::within;
use super::publication::{Failed, Press};
use super::record::{LEADER, Member};
use super::session::Leader;
use super::store::Write;
use super::{Cluster, Standing};

/// How long at most a leader that made room waits for another one. It is far longer than a hint
/// takes; if whoever was to lead has died meanwhile, nobody leads for so long.
const REST: Duration = Duration::from_secs(20);
/// How often it looks meanwhile whether another leads.
const REST_LOOK: Duration = Duration::from_secs(1);
/// How long at most who does not reach the control plane lets others go first.
const LET_OTHERS: Duration = Duration::from_secs(5);
/// The longest pause before the first try, and before any.
const TRY_PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));
/// How long a try may take.
const TRY_TIME_MAX: Duration = Duration::from_secs(30);

impl Standing {
    /// Whether the leader, another replica, waits for one that reaches the control plane.
    fn seeks_another(&self) -> bool {
        let is_it = |member: &Member| Some(&member.replica) == self.leader.as_ref();
        !self.is_leading && self.members.iter().any(|member| is_it(member) && member.gives_way)
    }
}

impl Cluster {
    /// Ends the term if this leader has been cut off for long and another replica is not.
    pub(super) async fn make_room(
        &self,
        term: &mut Term<'_>,
        press: Press<'_>,
        members: &[Member],
    ) -> Result<(), Failed> {
        let since = self.source.cut_off();
        let gives_way = since.is_some_and(|since| self.terms.cut_off <= press.now.since(since));
        self.note_way(gives_way);
        let can = |member: &&Member| member.replica != self.replica && member.reaches;
        let Some(other) = members.iter().find(can).filter(|_other| gives_way) else {
            return Ok(());
        };
        tracing::warn!(
            other = other.replica,
            "this replica cannot reach the control plane, and another can: it makes room"
        );
        // From before the question: it may be done although there is no answer.
        term.makes_room = true;
        press.write(&[], &[Write::Remove(LEADER.to_owned())]).await?;
        Err(Failed::Deposed)
    }

    /// Notes whether this replica leads and waits for another one that could.
    pub(super) fn note_way(&self, gives_way: bool) {
        if self.status.now().gives_way != gives_way {
            self.status.change(|state| state.gives_way = gives_way);
        }
    }

    /// Lets others campaign, after this replica made room.
    pub(super) async fn rest(&self, own: &Leader) {
        self.note(|standing| standing.leader = None);
        let begun = self.clock.now();
        let half = REST.checked_div(2).unwrap_or(REST);
        let rest = half.saturating_add(self.dice.part_of(half));
        while self.standing.borrow().leader.is_none() && self.clock.now().since(begun) < rest {
            self.clock.sleep(REST_LOOK).await;
            // Without an answer nothing is known, and it is asked again.
            if let Ok((Some(_epoch), _revision)) = self.who_leads(own).await {
                // A campaign of before got through just now.
                return;
            }
        }
    }

    /// Lets those campaign first that reach the control plane, if the last leader did not and this
    /// replica does not either.
    pub(super) async fn let_others(&self) {
        if self.standing.borrow().seeks_another() && !self.status.now().reaches {
            let least = LET_OTHERS.checked_div(4).unwrap_or(LET_OTHERS);
            let more = self.dice.part_of(LET_OTHERS.saturating_sub(least));
            self.clock.sleep(least.saturating_add(more)).await;
        }
    }

    /// Finds out whether the control plane is reached from here, while a leader wants to know.
    /// Never returns.
    pub(super) async fn try_source(&self) {
        let mut standing = self.standing.subscribe();
        let mut failures = 0_u32;
        loop {
            if !standing.borrow_and_update().seeks_another() {
                failures = 0;
                self.note_reach(false);
                // Its sender is ours.
                let _ = standing.wait_for(Standing::seeks_another).await;
            }
            let (first, longest) = TRY_PAUSE;
            let pause = first.saturating_mul(2_u32.saturating_pow(failures.min(16)));
            self.clock.sleep(self.dice.part_of(pause.min(longest))).await;
            let is_found = {
                let standing = standing.borrow();
                let other = |member: &Member| member.replica != self.replica && member.reaches;
                !standing.seeks_another() || standing.members.iter().any(other)
            };
            if is_found && !self.status.now().reaches {
                continue;
            }
            let reaches = within(&*self.clock, TRY_TIME_MAX, self.source.is_in_reach()).await;
            let reaches = reaches.unwrap_or(false);
            self.note_reach(reaches);
            failures = if reaches { 0 } else { failures.saturating_add(1) };
        }
    }

    fn note_reach(&self, reaches: bool) {
        if self.status.now().reaches != reaches {
            self.status.change(|state| state.reaches = reaches);
        }
    }
}
