//! Who may call what, as it is written: products, subscriptions, users, groups.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretValue;
use crate::configuration::yaml::{Block, Placed};

/// APIs that are offered together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Product {
    /// Names the product.
    pub id: Placed<String>,
    /// The name to show; the id if nothing is written.
    pub name: Option<String>,
    /// Shown to policies; published if nothing is written.
    pub state: Option<ProductState>,
    /// Whether callers need a key; true if nothing is written. A product without is open.
    pub subscription_required: Option<bool>,
    /// Shown to policies.
    #[serde(default)]
    pub approval_required: bool,
    /// Shown to policies.
    pub subscriptions_limit: Option<u32>,
    /// Ids of its APIs.
    #[serde(default)]
    pub apis: Vec<Placed<String>>,
    /// Ids of the groups that see it.
    #[serde(default)]
    pub groups: Vec<Placed<String>>,
    /// The policy document of the product: XML inline, or the path of its file.
    pub policy: Option<Block>,
}

/// Whether a product is published.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum ProductState {
    /// It is.
    Published,
    /// It is not.
    NotPublished,
}

/// Two keys and what they open.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscription {
    /// Names the subscription.
    pub id: Placed<String>,
    /// The name to show; the id if nothing is written.
    pub name: Option<String>,
    /// What the keys open: `/products/{id}`, `/apis/{id}`, or `/apis` for all.
    pub scope: Placed<String>,
    /// Id of the user it belongs to.
    pub user: Option<Placed<String>>,
    /// Only an active one opens anything; active if nothing is written.
    pub state: Option<SubscriptionState>,
    /// The first key; one of the two is needed.
    pub primary_key: Option<SecretValue>,
    /// The second key.
    pub secondary_key: Option<SecretValue>,
    /// A date such as `2026-01-31` or `2026-01-31T12:00:00Z`.
    pub created_date: Option<Placed<String>>,
    /// For policies, and where quotas begin to count their periods. It opens nothing: the state
    /// does.
    pub start_date: Option<Placed<String>>,
    /// For policies. It closes nothing: the state does.
    pub expiration_date: Option<Placed<String>>,
    /// Whether its keys may ask for a trace with `Ocp-Apim-Trace`, where the setting
    /// `inspector.legacy` is on.
    #[serde(default)]
    pub allow_tracing: bool,
}

/// State of a subscription.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionState {
    /// Its keys work.
    Active,
    /// Stopped for a while.
    Suspended,
    /// Asked for, not approved yet.
    Submitted,
    /// Asked for and refused.
    Rejected,
    /// Ended by its owner.
    Cancelled,
    /// Ended by time.
    Expired,
}

/// A user, as far as policies see one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// Names the user.
    pub id: Placed<String>,
    /// Address.
    pub email: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Anything.
    pub note: Option<String>,
    /// A date such as `2026-01-31` or `2026-01-31T12:00:00Z`.
    pub registration_date: Option<Placed<String>>,
    /// Ids of the user's groups.
    #[serde(default)]
    pub groups: Vec<Placed<String>>,
    /// Who vouches for the user.
    #[serde(default)]
    pub identities: Vec<Identity>,
}

/// A user's identity at a provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The provider's id of the user.
    pub id: String,
    /// The provider.
    pub provider: String,
}

/// A group of users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// Names the group.
    pub id: Placed<String>,
    /// The name to show; the id if nothing is written.
    pub name: Option<String>,
}
