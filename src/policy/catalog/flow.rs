//! Policies that decide which others run.

use super::{
    ANYWHERE, Attribute, Build, Content, EVERY_SCOPE, Part, Policy, optional, part, required,
};
use crate::policy::{Section, flow};

const CONDITION: Attribute =
    required("condition", "Decides whether its policies run: `true` or `false`.").computed();

/// `choose`.
pub const CHOOSE: Policy = Policy {
    name: "choose",
    says: "Runs the policies of the first `when` whose condition holds, else those of `otherwise`.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[],
    content: Content::Elements(BRANCHES),
    differs: &[],
    build: Build::Steps(flow::choose),
};

const BRANCHES: &[Part] = &[
    part("when", "One or more. Conditions after the first that holds are not evaluated.")
        .with(&[CONDITION])
        .holding(Content::Policies),
    part("otherwise", "At most one, and last.").holding(Content::Policies),
];

/// `retry`.
pub const RETRY: Policy = Policy {
    name: "retry",
    says: "Runs its policies once, and again while the condition holds, with pauses between. With \
           `interval` alone the pauses are all alike, with `delta` they grow by it each time, with \
           `max-interval` besides they double.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("condition", "While this holds, the policies run again.").computed(),
        required("count", "How often they run again at most: 1 to 50.").computed(),
        required("interval", "The pause, in seconds; five minutes at most.").computed(),
        optional("max-interval", "The longest pause, in seconds. Needs `delta`.").computed(),
        optional("delta", "By how many seconds pauses grow.").computed(),
        optional("first-fast-retry", "Whether there is no pause before the first retry.")
            .computed()
            .usual("false"),
    ],
    content: Content::Policies,
    differs: &[
        "Growing pauses are `interval` + 0, 1, 3, 7, … times `delta`, each spread by up to a fifth: \
         the first retry waits for `interval`, as the examples of API Management have it.",
        "Where `forward-request` inside fails, the condition decides as well: it sees the answer \
         that the client would get (500 if the backend cannot be reached) and `context.LastError`. \
         If nothing runs again, on-error does. Any other policy that fails ends the loop.",
        "What timed out may have been done by the backend all the same: a condition that asks for \
         500 has a POST done again. A body that was passed on while it arrived is not there a \
         second time, and nothing is sent in its place: then the request fails with the reason \
         `RequestBodyGone`, unless `buffer-request-body` keeps it.",
        "Of a hundred requests to a backend, twenty at most are forwarded once more (ten a second in any \
         case, and a hundred at once after a quiet time), so that retries do not make an outage worse. \
         Beyond that the loop ends with what it has. `limits.retryPercent` sets it.",
    ],
    build: Build::Steps(flow::retry),
};

/// `limit-concurrency`.
pub const LIMIT_CONCURRENCY: Policy = Policy {
    name: "limit-concurrency",
    says: "Lets so many requests with one key into its policies at a time; the next is refused at \
           once, with 429.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("key", "Whose requests are counted together.").computed(),
        required("max-count", "How many may be inside at once."),
    ],
    content: Content::Policies,
    differs: &[
        "With a Redis the count is of all replicas together; a place of a replica that died is \
         given back (see [limits](limits.md)).",
    ],
    build: Build::Steps(flow::limit_concurrency),
};

/// `include-fragment`.
pub const INCLUDE_FRAGMENT: Policy = Policy {
    name: "include-fragment",
    says: "Stands for the policies of a fragment, as if they were written here.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[required("fragment-id", "The id of the fragment.")],
    content: Content::Nothing,
    differs: &["Fragments may include others, eight deep, but not themselves."],
    build: Build::Steps(flow::include_fragment),
};

/// `wait`.
pub const WAIT: Policy = Policy {
    name: "wait",
    says: "Runs several policies at the same time, and waits for all of them or for the first that \
           ends; what the others asked for is then given up.",
    sections: &[Section::Inbound, Section::Backend, Section::Outbound],
    scopes: EVERY_SCOPE,
    attributes: &[optional("for", "`all` or `any`.").computed().usual("all")],
    content: Content::Elements(AT_ONCE),
    differs: &[
        "Between two calls only one of the policies runs, so that they may share variables.",
        "One that fails fails the request, and the others are given up; one whose error is ignored \
         has ended.",
        "A branch of `choose` may hold other policies, but none that forwards, counts, holds a place \
         or answers out of a cache, and no `wait` and no `<base />`. There are at most 64 at a time.",
    ],
    build: Build::Steps(flow::wait::wait),
};

const AT_ONCE: &[Part] = &[
    part("send-request", "As it stands elsewhere; any number.").holding(Content::Unread),
    part("cache-lookup-value", "As it stands elsewhere; any number.").holding(Content::Unread),
    part("choose", "As it stands elsewhere; any number.").holding(Content::Unread),
];
