//! Forms that real policy documents are full of.

use std::sync::Arc;

use super::request::Request;
use super::{Value, outcome_on};
use crate::expression::library::{json, token};
use crate::expression::value::message::Response;

/// A token with `sub`, `roles` and `exp`, signed by nobody.
const TOKEN: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEiLCJyb2xlcyI6WyJhIiwiYiJdLCJhdWQiOiJhcGkiLCJleHAiOjE3MDY2OTY0MzB9.";

const FORMS: &[(&str, &str)] = &[
    ("((Jwt)context.Variables[\"jwt\"]).Claims[\"roles\"].Contains(\"b\")", "True"),
    ("((Jwt)context.Variables[\"jwt\"]).Claims.GetValueOrDefault(\"roles\", \"\")", "a,b"),
    (
        "((Jwt)context.Variables[\"jwt\"]).Claims.GetValueOrDefault(\"x\", new string[0]).Length",
        "0",
    ),
    (
        "((Jwt)context.Variables[\"jwt\"]).Subject + ((Jwt)context.Variables[\"jwt\"]).Audiences[0]",
        "adaapi",
    ),
    (
        "context.Request.Headers.GetValueOrDefault(\"X-Token\", \"\").AsJwt()?.Claims.GetValueOrDefault(\"sub\", \"none\") ?? \"no\"",
        "ada",
    ),
    (
        "@{ Jwt jwt; if (context.Request.Headers.GetValueOrDefault(\"X-Token\", \"\").TryParseJwt(out jwt)) { return jwt.Subject; } return null; }",
        "ada",
    ),
    (
        "context.Request.Headers.GetValueOrDefault(\"x\", \"a b\").Split(' ').LastOrDefault()?.AsJwt()?.Subject",
        "null",
    ),
    (
        "((IResponse)context.Variables[\"answer\"]).StatusCode >= 200 && ((IResponse)context.Variables[\"answer\"]).StatusCode < 300",
        "True",
    ),
    ("((IResponse)context.Variables[\"answer\"]).Body.As<JObject>()[\"active\"]", "True"),
    (
        "(bool)((IResponse)context.Variables[\"answer\"]).Body.As<JObject>()[\"active\"] == true",
        "True",
    ),
    (
        "((IResponse)context.Variables[\"answer\"]).Headers.GetValueOrDefault(\"x-a\", \"none\")",
        "1,2",
    ),
    ("context.Variables.GetValueOrDefault<IResponse>(\"answer\").Body.As<string>().Length", "15"),
    ("(string)((JObject)context.Variables[\"object\"])[\"name\"]", "Ada"),
    ("((JObject)context.Variables[\"object\"])[\"deep\"][\"er\"].ToString()", "x"),
    (
        "((JObject)context.Variables[\"object\"])[\"deep\"]?[\"none\"]?[\"x\"]?.ToString() ?? \"d\"",
        "d",
    ),
    ("(context.Variables[\"object\"] as JObject)?[\"name\"]", "Ada"),
    ("context.Variables.GetValueOrDefault<JObject>(\"object\")[\"n\"].Value<int>() + 1", "6"),
    (
        "@{ var s = \"\"; foreach (JObject o in (JArray)((JObject)context.Variables[\"object\"])[\"list\"]) { s += o.Value<string>(\"k\"); } return s; }",
        "ab",
    ),
    (
        "@{ foreach (var o in ((JObject)context.Variables[\"object\"])[\"list\"]) { if ((string)o[\"k\"] == \"b\") { return (int)o[\"v\"]; } } return 0; }",
        "2",
    ),
    (
        "((JArray)((JObject)context.Variables[\"object\"])[\"list\"]).Where(t => (string)t[\"k\"] == \"b\").FirstOrDefault()?[\"v\"]",
        "2",
    ),
    (
        "((JObject)context.Variables[\"object\"])[\"list\"].Children<JObject>().Select(o => o[\"k\"].Value<string>()).Aggregate((a, b) => a + b)",
        "ab",
    ),
    (
        "string.Join(\",\", ((JObject)context.Variables[\"object\"]).Properties().Select(p => p.Name))",
        "name,n,deep,list",
    ),
    ("((JObject)context.Variables[\"object\"]).SelectTokens(\"$.list[*].k\").Count()", "2"),
    ("((JObject)context.Variables[\"object\"])[\"list\"].ToObject<JArray>().Count", "2"),
    ("JArray.Parse(\"[\\\"a\\\"]\").ToObject<List<string>>().First()", "a"),
    ("JArray.Parse(\"[\\\"a\\\"]\").ToObject<string[]>()[0]", "a"),
    ("JArray.FromObject(new[] { 1, 2 }).Count", "2"),
    (
        "context.Request.Headers.Where(h => h.Key.StartsWith(\"X-\")).ToDictionary(h => h.Key, h => string.Join(\",\", h.Value)).Count",
        "2",
    ),
    (
        "JsonConvert.SerializeObject(context.Request.Headers.Where(h => h.Key == \"Host\").ToDictionary(h => h.Key, h => h.Value))",
        "{\"Host\":[\"api.contoso.com\"]}",
    ),
    ("context.Request.Headers[\"Accept\"].First()", "text/plain"),
    (
        "context.Request.Headers.TryGetValue(\"Host\", out var hosts) ? hosts[0] : \"\"",
        "api.contoso.com",
    ),
    ("(context.Request.Body?.As<string>(preserveContent: true) ?? \"\").Length", "41"),
    ("context.Request.Url.Query.ContainsKey(\"x\")", "True"),
    ("context.Request.Certificate == null || !context.Request.Certificate.Verify()", "True"),
    ("Convert.ToInt32(context.Variables[\"number\"]) * 2", "10"),
    (
        "context.Variables[\"number\"].ToString() + context.Variables[\"flag\"].ToString().ToLower()",
        "5true",
    ),
    ("context.Variables[\"text\"].Equals(\"hello\")", "True"),
    ("((string)context.Variables[\"text\"]).Substring(0, 2)", "he"),
    ("(context.Variables.ContainsKey(\"x\") ? (int)context.Variables[\"x\"] : 0) + 1", "1"),
    ("string.Format(\"{0:yyyy-MM}/{1}\", DateTime.UtcNow, context.Api.Id)", "2024-01/api-1"),
    ("(long)(DateTime.UtcNow - new DateTime(1970, 1, 1)).TotalSeconds", "1706696430"),
    ("DateTime.UtcNow.Subtract(new DateTime(1970, 1, 1)).TotalDays > 19000", "True"),
    (
        "BitConverter.ToUInt32(System.Net.IPAddress.Parse(\"10.0.0.1\").GetAddressBytes().Reverse().ToArray(), 0)",
        "167772161",
    ),
    (
        "@{ uint ip = 0xC0A80101; uint mask = ~0u << (32 - 24); return ((ip & mask) == (0xC0A80100 & mask)) + \" \" + (mask >> 8); }",
        "True 16777215",
    ),
    (
        "@{ byte[] key = Convert.FromBase64String(\"AAECAwQFBgcICQoLDA0ODw==\"); var c = Encoding.UTF8.GetBytes(\"secret\").Encrypt(\"Aes\", key, key); return Encoding.UTF8.GetString(c.Decrypt(\"Aes\", key, key)); }",
        "secret",
    ),
    (
        "@{ byte[] a = new byte[4]; Array.Copy(Encoding.UTF8.GetBytes(\"abcd\"), 1, a, 0, 2); return Convert.ToBase64String(a); }",
        "YmMAAA==",
    ),
    (
        "@{ using (var h = new HMACSHA256(Encoding.UTF8.GetBytes(\"key\"))) { return BitConverter.ToString(h.ComputeHash(Encoding.UTF8.GetBytes(\"x\"))).Replace(\"-\", \"\").ToLower().Substring(0, 8); } }",
        "4fc3b7ea",
    ),
    (
        "@{ var o = new JObject(); o[\"a\"] = context.Variables.GetValueOrDefault<string>(\"missing\"); return o.ToString(Newtonsoft.Json.Formatting.None); }",
        "{\"a\":null}",
    ),
    (
        "new JObject(new JProperty(\"d\", DateTime.UtcNow), new JProperty(\"g\", context.RequestId), new JProperty(\"n\", null)).ToString(Formatting.None)",
        "{\"d\":\"2024-01-31T10:20:30Z\",\"g\":\"01234567-89ab-cdef-0123-456789abcdef\",\"n\":null}",
    ),
    (
        "new JObject(new JProperty(\"a\", new[] { \"x\", \"y\" })).ToString(Formatting.None)",
        "{\"a\":[\"x\",\"y\"]}",
    ),
    (
        "@{ var l = new List<string>(); foreach (var c in context.Request.Headers) { l.Add(c.Key + \":\" + c.Value.Length); } return string.Join(\";\", l.OrderBy(x => x).Take(2)); }",
        "Accept:2;Authorization:1",
    ),
    ("new[] { 408, 429, 500 }.Contains(context.Response.StatusCode)", "True"),
    ("new List<int>() { 408, 429 }.Any(code => code == context.Response.StatusCode)", "True"),
    (
        "Regex.Match(context.Request.Url.Path, @\"^/orders/(?<id>\\d+)$\", RegexOptions.IgnoreCase).Groups[\"id\"]?.Value",
        "7",
    ),
    (
        "XElement.Parse(\"<a><b>1</b><b>2</b></a>\").Descendants(\"b\").Select(b => (int)b).Sum()",
        "3",
    ),
    (
        "new XElement(\"a\", new XAttribute(\"x\", 1), new XElement(\"b\", \"t\")).ToString(SaveOptions.DisableFormatting)",
        "<a x=\"1\"><b>t</b></a>",
    ),
    ("Uri.IsWellFormedUriString(\"https://a.b\", UriKind.Absolute)", "True"),
    (
        "@{ return context.Api.ServiceUrl == null ? \"none\" : context.Api.ServiceUrl.ToString(); }",
        "none",
    ),
    (
        "@{ string[] allowed = \"a, b\".Split(','); return allowed.Select(x => x.Trim()).Contains(\"b\") ? 1 : 0; }",
        "1",
    ),
    (
        "@{ var random = new Random(context.RequestId.GetHashCode()); return random.Next(5, 6); }",
        "5",
    ),
    (
        "@{ try { var o = JObject.Parse(\"not json\"); return o.ToString(); } catch (JsonReaderException) { return \"bad\"; } }",
        "bad",
    ),
    (
        "@{ var errors = new List<string>(); if (string.IsNullOrEmpty(context.Request.Headers.GetValueOrDefault(\"zz\"))) errors.Add(\"zz\"); return errors.Any() ? string.Join(\",\", errors) : \"ok\"; }",
        "zz",
    ),
];

#[test]
fn forms_of_real_documents_give_what_they_give_in_azure() {
    let mut failed = Vec::new();
    for (text, expected) in FORMS {
        let text = if text.starts_with("@{") { (*text).to_owned() } else { format!("@({text})") };
        let found = outcome_on(&text, &mut request());
        if found != *expected {
            failed.push(format!("{text}\n  gives    {found}\n  expected {expected}"));
        }
    }
    assert!(failed.is_empty(), "{}\n{} rows", failed.join("\n"), failed.len());
}

fn request() -> Request {
    let mut request = Request::default();
    request.headers.push(("X-Token".to_owned(), TOKEN.to_owned()));
    let object =
        r#"{"name":"Ada","n":5,"deep":{"er":"x"},"list":[{"k":"a","v":1},{"k":"b","v":2}]}"#;
    let answer =
        Response::new(200, "OK", [("X-A", "1"), ("X-A", "2")], Some(r#"{"active":true}"#.into()));
    request.variables.push(("jwt".to_owned(), Value::Jwt(Arc::new(token::jwt(TOKEN).unwrap()))));
    request.variables.push(("object".to_owned(), json::read::token(object).unwrap().into()));
    request.variables.push(("answer".to_owned(), answer.unwrap().into()));
    request
}
