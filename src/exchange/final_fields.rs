//! Fields of the final response, whoever makes it: the backend, a policy or a refusal.

use http::header::HeaderMap;
use http::{HeaderName, HeaderValue};

/// Fields that policies of the request want on the response that the client gets.
///
/// A limit knows what remains before there is a response, and a browser wants to be told that it
/// may read a refusal too: both are written when the last policy has run.
#[derive(Clone, Debug, Default)]
pub struct FinalFields(Vec<(HeaderName, Wanted)>);

#[derive(Clone, Debug)]
enum Wanted {
    /// The field has this value and no other.
    Value(HeaderValue),
    /// The field is a list, and this is one of its members.
    Member(HeaderValue),
}

impl FinalFields {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The final response has `name` with exactly this value.
    pub fn set(&mut self, name: &HeaderName, value: HeaderValue) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.clone(), Wanted::Value(value)));
    }

    /// The final response has `member` in the list `name`, beside what else is in it.
    pub fn add(&mut self, name: &HeaderName, member: HeaderValue) {
        self.0.push((name.clone(), Wanted::Member(member)));
    }

    /// Whether a policy set `name`.
    pub fn sets(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|(known, wanted)| known == name && matches!(wanted, Wanted::Value(_)))
    }

    /// The fields, each with its whole value: each replaces every value that a response with the
    /// fields `response` has of it.
    pub fn over(&self, response: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(self.0.len());
        for (name, wanted) in &self.0 {
            let known = fields.iter_mut().find(|(known, _)| known == name);
            let value = match (wanted, &known) {
                (Wanted::Value(value), _) => Some(value.clone()),
                (Wanted::Member(member), Some((_, list))) => with_member([list], member),
                (Wanted::Member(member), None) => with_member(response.get_all(name), member),
            };
            match (known, value) {
                (Some((_, slot)), Some(value)) => *slot = value,
                (None, Some(value)) => fields.push((name.clone(), value)),
                (_, None) => (),
            }
        }
        fields
    }
}

/// The list in `lines` with `member` in it, once.
fn with_member<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    member: &HeaderValue,
) -> Option<HeaderValue> {
    let split = |line: &'a HeaderValue| line.as_bytes().split(|byte| *byte == b',');
    let members = lines.into_iter().flat_map(split).map(<[u8]>::trim_ascii);
    let mut list: Vec<&[u8]> = members.filter(|member| !member.is_empty()).collect();
    if !list.iter().any(|known| known.eq_ignore_ascii_case(member.as_bytes())) {
        list.push(member.as_bytes());
    }
    // Values joined with commas are a value again.
    HeaderValue::from_bytes(&list.join(&b", "[..])).ok()
}

#[cfg(test)]
mod tests {
    use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, VARY};

    use super::*;

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    #[test]
    fn a_value_replaces_what_the_response_has_and_the_last_one_holds() {
        let mut fields = FinalFields::default();
        fields.set(&ACCESS_CONTROL_ALLOW_ORIGIN, value("https://a"));
        fields.set(&ACCESS_CONTROL_ALLOW_ORIGIN, value("https://b"));
        assert!(fields.sets(&ACCESS_CONTROL_ALLOW_ORIGIN) && !fields.sets(&VARY));
        let all = fields.over(&HeaderMap::new());
        assert_eq!(all, [(ACCESS_CONTROL_ALLOW_ORIGIN, value("https://b"))]);
    }

    #[test]
    fn a_list_keeps_its_members_and_gets_each_once() {
        let mut response = HeaderMap::new();
        response.append(VARY, value("accept, ORIGIN"));
        response.append(VARY, value("cookie"));
        let mut fields = FinalFields::default();
        for member in ["Origin", "Accept-Language", "accept-language"] {
            fields.add(&VARY, value(member));
        }
        let all = fields.over(&response);
        assert_eq!(all, [(VARY, value("accept, ORIGIN, cookie, Accept-Language"))]);
        assert_eq!(fields.over(&HeaderMap::new()), [(VARY, value("Origin, Accept-Language"))]);
    }
}
