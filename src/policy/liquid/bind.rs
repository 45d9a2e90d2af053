//! What a template sees: `body` and `context`.

mod json;
mod xml;

use std::sync::Arc;

use http::header::CONTENT_TYPE;

use super::Stop;
use super::datum::Datum;
use super::syntax::{Block, Chain, Condition, Loop, Manner, Offset, Operand, Part, Step};
use crate::exchange::Exchange;
use crate::expression::scope::{BodyRead, ContextMember, Scope, Side as Spoken, UrlSide};
use crate::expression::value::Value;
use crate::expression::value::moment::DateTime;
use crate::policy::Side;
use crate::policy::convert::{is_json, is_xml};

/// What a template reads, known when it is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reads {
    /// `body`.
    pub body: bool,
    /// `context`.
    pub context: bool,
}

/// Which body `body` is, and how it is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Body {
    /// Whose; none where there is no body to see.
    pub side: Option<Side>,
    /// `xsi-nil="null"`: an element that says it is nil is nothing, not an empty text.
    pub nil_is_null: bool,
    /// `parse-date`: texts of JSON that look like dates are dates.
    pub parse_date: bool,
}

/// What names in a template stand for.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) body: Datum,
    pub(super) context: Datum,
    pub(super) now: DateTime,
}

/// Binds what `reads` says.
pub(super) fn bound(reads: Reads, body: Body, exchange: &mut Exchange) -> Result<Bound, Stop> {
    let now = DateTime::from_unix_micros(exchange.now.micros());
    let context = if reads.context { context(exchange) } else { Datum::Nil };
    let body = if reads.body { body.read(exchange)? } else { Datum::Nil };
    Ok(Bound { body, context, now })
}

impl Body {
    fn read(self, exchange: &mut Exchange) -> Result<Datum, Stop> {
        let Some(side) = self.side else { return Ok(Datum::Nil) };
        let (spoken, headers) = match side {
            Side::Request => (Spoken::Request, Some(&exchange.request.headers)),
            Side::Response => (Spoken::Response, exchange.response.as_ref().map(|it| &it.headers)),
        };
        let kind = headers.and_then(|headers| headers.text(&CONTENT_TYPE)).unwrap_or_default();
        let (has_json, has_xml) = (is_json(kind), is_xml(kind));
        let bytes = match exchange.body(spoken, true) {
            BodyRead::Bytes(bytes) if !bytes.is_empty() && (has_json || has_xml) => bytes,
            BodyRead::Refused(why) => return Err(Stop::Failed(why.to_string())),
            BodyRead::Bytes(_) | BodyRead::Absent => return Ok(Datum::Nil),
        };
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_other| Stop::Failed("the body is no UTF-8".to_owned()))?;
        let text = text.trim_start_matches('\u{feff}');
        if has_json { json::read(text, self.parse_date) } else { xml::read(text, self.nil_is_null) }
    }
}

/// `context`.
fn context(exchange: &mut Exchange) -> Datum {
    let variables = exchange.variables.iter();
    let variables: Vec<(Arc<str>, Datum)> =
        variables.map(|(name, value)| (Arc::clone(name), of_value(value))).collect();
    object([
        ("Request", request(exchange)),
        ("Response", response(exchange)),
        ("Variables", Datum::object(variables)),
    ])
}

fn request(exchange: &mut Exchange) -> Datum {
    use ContextMember as M;
    let backend = [M::UrlScheme, M::UrlHost, M::UrlPort, M::UrlPath, M::UrlQueryString];
    let original = [
        M::OriginalUrlScheme,
        M::OriginalUrlHost,
        M::OriginalUrlPort,
        M::OriginalUrlPath,
        M::OriginalUrlQueryString,
    ];
    let has_body = exchange.member(M::RequestBody).is_null();
    let mut matched: Vec<(Arc<str>, Datum)> = Vec::new();
    exchange.matched_parameters(&mut |name, value| {
        matched.push((Arc::from(name), Datum::text(value)));
    });
    object([
        ("Url", url(exchange, backend, UrlSide::Backend)),
        ("OriginalUrl", url(exchange, original, UrlSide::Original)),
        ("Method", of_value(&exchange.member(M::RequestMethod))),
        ("OriginalMethod", Datum::text(exchange.original.method.as_str())),
        ("IpAddress", of_value(&exchange.member(M::RequestIpAddress))),
        ("MatchedParameters", Datum::object(matched)),
        ("HasBody", Datum::Bool(!has_body)),
        ("ClientCertificates", Datum::list(Vec::new())),
        ("Headers", headers(exchange, Spoken::Request)),
    ])
}

fn response(exchange: &mut Exchange) -> Datum {
    if exchange.response.is_none() {
        return Datum::Nil;
    }
    object([
        ("StatusCode", of_value(&exchange.member(ContextMember::ResponseStatusCode))),
        ("StatusReason", of_value(&exchange.member(ContextMember::ResponseStatusReason))),
        ("Method", of_value(&exchange.member(ContextMember::RequestMethod))),
        ("Headers", headers(exchange, Spoken::Response)),
    ])
}

fn url(exchange: &mut Exchange, members: [ContextMember; 5], side: UrlSide) -> Datum {
    let [scheme, host, port, path, query_string] =
        members.map(|member| of_value(&exchange.member(member)));
    let mut query: Vec<(Arc<str>, Datum)> = Vec::new();
    exchange.query(side, &mut |name, value| gather(&mut query, name, value));
    let is_usual = matches!(
        (&*scheme.shown(), &port),
        ("http" | "ws", Datum::Int(80)) | ("https" | "wss", Datum::Int(443))
    );
    let port_text = if is_usual { String::new() } else { format!(":{}", port.shown()) };
    let whole = format!(
        "{}://{}{port_text}{}{}",
        scheme.shown(),
        host.shown(),
        path.shown(),
        query_string.shown()
    );
    object([
        ("Scheme", scheme),
        ("Host", host),
        ("Port", port),
        ("Path", path),
        ("Query", Datum::object(query)),
        ("QueryString", query_string),
        ("ToUri", Datum::text(&whole)),
        ("ToString", Datum::text(&whole)),
    ])
}

fn headers(exchange: &Exchange, side: Spoken) -> Datum {
    let mut lines: Vec<(Arc<str>, Datum)> = Vec::new();
    exchange.headers(side, &mut |name, value| gather(&mut lines, name, value));
    Datum::object(lines)
}

/// Adds a value; several of one name, which follow each other, are joined with commas.
fn gather(known: &mut Vec<(Arc<str>, Datum)>, name: &str, value: &str) {
    match known.last_mut() {
        Some((last, joined)) if &**last == name => {
            *joined = Datum::text([&*joined.shown(), ",", value].concat());
        }
        _ => known.push((Arc::from(name), Datum::text(value))),
    }
}

fn object<const N: usize>(members: [(&str, Datum); N]) -> Datum {
    Datum::object(members.into_iter().map(|(name, member)| (Arc::from(name), member)))
}

/// A value of an expression.
fn of_value(value: &Value) -> Datum {
    match value {
        Value::Null => Datum::Nil,
        Value::Bool(flag) => Datum::Bool(*flag),
        Value::Byte(_) | Value::Int(_) | Value::UInt(_) | Value::Long(_) => {
            value.long().map_or(Datum::Nil, Datum::Int)
        }
        Value::Double(number) => Datum::Double(*number),
        Value::Decimal(number) => Datum::Decimal(*number),
        Value::String(text) => Datum::Text(Arc::clone(text)),
        Value::DateTime(moment) => Datum::Date(*moment),
        Value::Json(token) => json::datum(token),
        // What a list holds is shown, not looked into: it may hold itself.
        Value::List(list) => {
            let shown = |item: &Value| match item {
                Value::List(_) => Datum::text(item.type_name()),
                item => of_value(item),
            };
            Datum::list(list.snapshot().iter().map(shown).collect())
        }
        other => crate::policy::operand::text_of(other).map_or(Datum::Nil, Datum::Text),
    }
}

impl Reads {
    /// What the parts of `block` read.
    pub(super) fn of(block: &Block) -> Self {
        let mut reads = Self::default();
        reads.block(block);
        reads
    }

    fn block(&mut self, block: &Block) {
        for part in block {
            match part {
                Part::Output(chain) | Part::Assign(_, chain) => self.chain(chain),
                Part::Capture(_, inner) | Part::IfChanged(_, inner) => self.block(inner),
                Part::If(choice) => {
                    for (condition, inner) in &choice.branches {
                        self.condition(condition);
                        self.block(inner);
                    }
                    self.block(&choice.otherwise);
                }
                Part::Case(case) => {
                    self.operand(&case.subject);
                    for (values, inner) in &case.branches {
                        for value in values {
                            self.operand(value);
                        }
                        self.block(inner);
                    }
                    self.block(&case.otherwise);
                }
                Part::Loop(looped) => self.looped(looped),
                Part::Cycle(_, values) => {
                    for value in values {
                        self.operand(value);
                    }
                }
                Part::Text(_)
                | Part::Increment(_)
                | Part::Decrement(_)
                | Part::Break
                | Part::Continue => (),
            }
        }
    }

    fn looped(&mut self, looped: &Loop) {
        self.operand(&looped.over);
        let mut options: Vec<&Operand> = looped.limit.iter().collect();
        if let Some(Offset::After(offset)) = &looped.offset {
            options.push(offset);
        }
        if let Manner::Table(Some(columns)) = &looped.manner {
            options.push(columns);
        }
        for option in options {
            self.operand(option);
        }
        self.block(&looped.body);
        self.block(&looped.otherwise);
    }

    fn chain(&mut self, chain: &Chain) {
        self.operand(&chain.head);
        let given = chain.filters.iter().flat_map(|call| &call.arguments);
        for given in given {
            self.operand(given);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Holds(operand) => self.operand(operand),
            Condition::Compares(left, _, right) => {
                self.operand(left);
                self.operand(right);
            }
            Condition::Both(pair) | Condition::Either(pair) => {
                self.condition(&pair.0);
                self.condition(&pair.1);
            }
            Condition::Not(inner) => self.condition(inner),
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Path(root, steps) => {
                self.body |= &**root == "body";
                self.context |= &**root == "context";
                for step in steps {
                    if let Step::At(inner) = step {
                        self.operand(inner);
                    }
                }
            }
            Operand::Range(ends) => {
                self.operand(&ends.0);
                self.operand(&ends.1);
            }
            Operand::Constant(_) | Operand::Empty => (),
        }
    }
}

/// A body of JSON.
pub(super) fn json_body(text: &str) -> Result<Datum, Stop> {
    json::read(text, true)
}

/// A body of XML, for tests.
#[cfg(test)]
pub(super) fn xml_body(text: &str, nil_is_null: bool) -> Result<Datum, Stop> {
    xml::read(text, nil_is_null)
}
