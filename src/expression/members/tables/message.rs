//! Responses, bodies, tokens and credentials.

use std::sync::Arc;

use super::super::arguments::{Outcome, at, map, method, method_with, property, text};
use super::super::{Call, Member};
use super::lookup::shape;
use crate::expression::library::xml::change;
use crate::expression::library::{message, token, web};
use crate::expression::value::Value;
use crate::expression::value::xml::Xml;

pub(super) const MESSAGE: &[Member] = &[
    property("StatusCode", "int", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::Int(i32::from(response.status))),
        other => Err(other.refused("IResponse")),
    }),
    property("StatusReason", "string", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::String(Arc::clone(&response.reason))),
        other => Err(other.refused("IResponse")),
    }),
    property("Headers", "Dictionary<string, string[]>", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::Map(Arc::clone(&response.headers))),
        other => Err(other.refused("IResponse")),
    }),
    property("Body", "IMessageBody", |v| match at(v, 0) {
        Value::Response(response) => Ok(Value::from(response.body.clone())),
        other => Err(other.refused("IResponse")),
    }),
];

/// What was read of a body; a tree of XML takes many times its text.
pub(super) fn charged(value: Value, call: &mut Call<'_, '_>) -> Outcome {
    if let Value::Xml(Xml::Node(node)) = &value {
        call.made(change::tree_bytes(node))?;
    }
    Ok(value)
}

pub(super) const BODY: &[Member] = &[
    method_with("As<X>", "bool preserveContent = false", "X", |call| {
        let shape = shape(call.wanted())?;
        match call.argument(0) {
            Value::Body(body) => charged(message::body_as(body, shape)?, call),
            other => Err(other.refused("IMessageBody")),
        }
    }),
    method_with(
        "AsFormUrlEncodedContent",
        "bool preserveContent = false",
        "Dictionary<string, List<string>>",
        |call| match call.argument(0) {
            Value::Body(body) => message::body_as_form(body),
            other => Err(other.refused("IMessageBody")),
        },
    ),
];

macro_rules! jwt {
    ($name:literal, $result:literal, $field:ident) => {
        property($name, $result, |v| match at(v, 0) {
            Value::Jwt(jwt) => Ok(Value::from(jwt.$field.clone())),
            other => Err(other.refused("Jwt")),
        })
    };
}

pub(super) const JWT: &[Member] = &[
    jwt!("Id", "string", id),
    jwt!("Algorithm", "string", algorithm),
    jwt!("Type", "string", kind),
    jwt!("Issuer", "string", issuer),
    jwt!("Subject", "string", subject),
    jwt!("ExpirationTime", "DateTime?", expires),
    jwt!("NotBefore", "DateTime?", not_before),
    jwt!("IssuedAt", "DateTime?", issued),
    property("Audiences", "string[]", |v| match at(v, 0) {
        Value::Jwt(jwt) => Ok(token::audiences(jwt)),
        other => Err(other.refused("Jwt")),
    }),
    property("Claims", "Dictionary<string, string[]>", |v| match at(v, 0) {
        Value::Jwt(jwt) => Ok(Value::Map(Arc::clone(&jwt.claims))),
        other => Err(other.refused("Jwt")),
    }),
];

pub(super) const BASIC: &[Member] = &[
    property("UserId", "string", |v| basic(v, false)),
    property("Username", "string", |v| basic(v, false)),
    property("Password", "string", |v| basic(v, true)),
];

fn basic(arguments: &[Value], password: bool) -> Outcome {
    match at(arguments, 0) {
        Value::BasicCredentials(credentials) => {
            let text = if password { &credentials.password } else { &credentials.user };
            Ok(Value::String(Arc::clone(text)))
        }
        other => Err(other.refused("BasicAuthCredentials")),
    }
}

/// `GetValueOrDefault` of claims and of a response's headers, which joins, and what makes text of
/// a dictionary.
pub(super) const STRING_LISTS: &[Member] = &[
    method("GetValueOrDefault", "string key", "string", |v| {
        message::joined(map(v, 0)?, text(v, 1)?, Value::Null)
    })
    .effect(),
    method("GetValueOrDefault", "string key, string defaultValue", "string", |v| {
        message::joined(map(v, 0)?, text(v, 1)?, at(v, 2).clone())
    })
    .effect(),
];

pub(super) const TEXT_OF_MAP: &[Member] = &[
    method("ToQueryString", "", "string", |v| web::to_query(map(v, 0)?).map(Value::from)),
    method("ToFormUrlEncodedContent", "", "byte[]", |v| web::to_form(map(v, 0)?).map(Value::from)),
];
