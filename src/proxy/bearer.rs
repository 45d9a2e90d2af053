//! Tokens of the gateway itself, for whoever is shown one: policies that ask, and backends whose
//! credentials say so.

use http::HeaderValue;

use crate::backend::Backend;
use crate::policy::Failure;
use crate::policy::identity::asked::{Answer, Asked};
use crate::policy::identity::bearer;
use crate::proxy::{Gateway, Run};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The token that is asked for: it is kept until it is old, so that nearly nobody waits for it.
pub async fn obtain(gateway: &Gateway, asked: &Asked, now: Timestamp) -> Answer {
    match gateway.identities.at_once(asked, now) {
        Some(answer) => answer,
        None => Box::pin(gateway.identities.obtain(asked, now)).await,
    }
}

/// Whether the backend whose turn it is wants to know who the gateway is.
pub fn is_wanted(run: &Run) -> bool {
    run.exchange.backend.as_ref().is_some_and(|backend| backend.token.is_some())
}

/// Gets the token for the backend whose turn it is.
pub async fn get(gateway: &Gateway, run: &mut Run) -> Result<(), Failure> {
    run.bearer = None;
    let Some(backend) = run.exchange.backend.clone() else { return Ok(()) };
    let Some((token, field)) = of(gateway, &backend, run.exchange.now).await? else {
        return Ok(());
    };
    // Nothing that is told of this exchange may have it.
    run.exchange.pending.tokens.push(token);
    run.bearer = Some(field);
    Ok(())
}

/// The token that `backend` is shown, and `Authorization` with it, if it is shown one.
pub async fn of(
    gateway: &Gateway,
    backend: &Backend,
    now: Timestamp,
) -> Result<Option<(Secret, HeaderValue)>, Failure> {
    let Some(asked) = &backend.token else { return Ok(None) };
    let token = obtain(gateway, asked, now).await?.text;
    let field = bearer(&token)?;
    Ok(Some((token, field)))
}

/// What `Authorization` says to the backend, if it is shown a token. It is that backend's alone: where a
/// redirect leads away from it, nobody is shown any.
pub fn shown(run: &Run) -> Option<&HeaderValue> {
    run.bearer.as_ref().filter(|_field| is_wanted(run))
}
