//! Gets a token for an authorization: for the gateway itself, or by what somebody's consent gave.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn;
use tokio::time::sleep;

use super::ask::{ANSWER_BYTES_MAX, Asker, NoToken, assertion, read};
use super::form::Form;
use super::grant::{Given, Nothing};
use super::kept::Record;
use crate::backend::authorization::Authorization;
use crate::backend::principal::Proof;
use crate::caller::fetch::{Ask, Wanted};
use crate::policy::identity::asked::Token;
use crate::secret::Secret;
use crate::time::{Clock as _, Timestamp};

/// How long a token is good of which nothing says so: some providers give tokens that do not end.
const LIFE_USUAL: Duration = Duration::from_hours(1);
/// How often is looked whether somebody else has got the token.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How often: for longer than a claim lasts, and its successor's.
const LOOKS_MAX: u32 = 120;
/// How often a token that was got is tried to be remembered before it counts unremembered.
const REMEMBER_MAX: u32 = 20;
/// What a provider says of a refresh token that is good no more (RFC 6749, section 5.2).
const NO_GRANT: &str = "invalid_grant";

impl Asker {
    /// The token for `own`, and how long it is good.
    pub(super) async fn authorized(
        self: Arc<Self>,
        own: &Arc<Authorization>,
    ) -> Result<(Token, Duration), NoToken> {
        let Some(first) = &own.refresh_token else {
            let _turn = self.turn().await;
            let given = self.exchanged(own, None, self.clock.now()).await?;
            return Ok((given.token, given.life));
        };
        let print = own.consent();
        for _look in 0..LOOKS_MAX {
            let (known, changed) = self.shelf.get(&print).await?;
            let record = known.unwrap_or_else(|| Record::first(first));
            if let Some(fresh) = record.fresh(self.clock.now()) {
                return Ok(fresh);
            }
            if record.is_claimed(self.clock.now()) {
                sleep(LOOK_INTERVAL).await;
                continue;
            }
            // Before it is claimed: a claim does not last for ever.
            let _turn = self.turn().await;
            let now = self.clock.now();
            let claimed = record.claimed(now);
            if self.shelf.put(&print, &claimed, changed).await? {
                let (asker, own) = (Arc::clone(&self), Arc::clone(own));
                #[expect(
                    clippy::disallowed_methods,
                    reason = "what the provider gives must be remembered, whatever becomes of \
                              whoever waits for it; fetching and remembering end by themselves"
                )]
                let renewing =
                    spawn(async move { asker.renewed(&own, (&print, claimed), now).await });
                return renewing.await.unwrap_or(Err(NoToken::Claimed));
            }
        }
        Err(NoToken::Claimed)
    }

    /// Gets the token that `claimed` says is being got.
    async fn renewed(
        &self,
        own: &Authorization,
        (print, claimed): (&[u8; 32], Record),
        now: Timestamp,
    ) -> Result<(Token, Duration), NoToken> {
        match self.exchanged(own, Some(&claimed.refresh()), now).await {
            Ok(Given { token, life, refresh }) => {
                let record = claimed.after(&token, refresh, (now, life));
                self.remember(own, (print, &record)).await;
                Ok((token, life))
            }
            Err(none) => {
                self.release((print, &claimed)).await;
                if let NoToken::Nothing(place, Nothing::Refused(status, told)) = &none
                    && told.contains(NO_GRANT)
                {
                    let why = Nothing::Refused(*status, told.clone());
                    return Err(NoToken::Revoked(place.clone(), why));
                }
                Err(none)
            }
        }
    }

    /// Lets others try. Where that cannot be written the claim ends by itself, and where it has ended
    /// already somebody else's stands there.
    async fn release(&self, (print, claimed): (&[u8; 32], &Record)) {
        if let Ok((Some(known), changed)) = self.shelf.get(print).await
            && known.is_same_claim(claimed)
        {
            let _ = self.shelf.put(print, &known.released(), changed).await;
        }
    }

    /// Writes `record`, whoever has written meanwhile: the one before it is worth nothing any more.
    async fn remember(&self, own: &Authorization, (print, record): (&[u8; 32], &Record)) {
        let mut trouble = None;
        for _try in 0..REMEMBER_MAX {
            let put = match self.shelf.get(print).await {
                Ok((_before, changed)) => self.shelf.put(print, record, changed).await,
                Err(unkept) => Err(unkept),
            };
            match put {
                Ok(true) => return,
                Ok(false) => (),
                Err(unkept) => trouble = Some(unkept.to_string()),
            }
            sleep(LOOK_INTERVAL).await;
        }
        let trouble = trouble.unwrap_or_else(|| "others write it all the time".to_owned());
        tracing::error!(
            authorization = own.name(),
            trouble,
            "what the provider gave cannot be remembered: should it have replaced the refresh token, \
             a new consent is needed"
        );
    }

    /// What the provider gives for `refresh`, or to the gateway itself.
    async fn exchanged(
        &self,
        own: &Authorization,
        refresh: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Given, NoToken> {
        let kind = if refresh.is_some() { "refresh_token" } else { "client_credentials" };
        let mut form = Form::asking(kind);
        form.add("refresh_token", refresh.map_or("", Secret::expose));
        form.add("scope", &own.scope);
        for (name, value) in &own.parameters {
            form.add(name, value);
        }
        let mut request = match &own.proof {
            Proof::Secret(secret) if own.in_form => form.with_secret_inside(&own.client_id, secret),
            Proof::Secret(secret) => form.with_secret(&own.client_id, secret),
            Proof::TokenFile(path) => form.with_assertion(&own.client_id, assertion(path).await?),
        };
        request.hidden.extend(refresh.cloned());
        let ask = Ask::Form(&request.form, request.authorization.as_ref());
        let wanted = Wanted { url: &own.endpoint, ca: None, bytes_max: ANSWER_BYTES_MAX };
        let answer = self.fetcher.fetch(wanted, ask, now).await;
        read(own.endpoint.to_string(), answer, &request.hidden, Some(LIFE_USUAL), now)
    }
}
