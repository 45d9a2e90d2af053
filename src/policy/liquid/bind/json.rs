//! A body of JSON.

use std::sync::Arc;

use crate::expression::library::json;
use crate::expression::value::json::Json;
use crate::policy::liquid::Stop;
use crate::policy::liquid::datum::Datum;

/// The value of `text`.
pub(super) fn read(text: &str, parse_date: bool) -> Result<Datum, Stop> {
    let token =
        if parse_date { json::read::token(text) } else { json::read::token_as_written(text) };
    Ok(datum(&token?))
}

/// A token; how deep they nest is bounded where they are read.
pub(super) fn datum(token: &Json) -> Datum {
    match token {
        Json::Null => Datum::Nil,
        Json::Bool(flag) => Datum::Bool(*flag),
        Json::Int(number) => Datum::Int(*number),
        Json::Double(number) => Datum::Double(*number),
        Json::Decimal(number) => Datum::Decimal(*number),
        Json::String(text) => Datum::Text(Arc::clone(text)),
        Json::Date(date) => Datum::Date(*date),
        Json::Object(object) => {
            let members = object.members().into_iter();
            Datum::object(members.map(|(name, member)| (name, datum(&member))))
        }
        Json::Array(array) => Datum::list(array.items().iter().map(datum).collect()),
        other => json::text(other).map_or(Datum::Nil, Datum::text),
    }
}
