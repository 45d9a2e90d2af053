//! JSON, as Newtonsoft has it.

use super::check;

const JSON: &[(&str, &str)] = &[
    ("JObject.Parse(\"{\\\"a\\\":1}\")[\"a\"]", "1"),
    ("(int)JObject.Parse(\"{\\\"a\\\":1}\")[\"a\"] + 1", "2"),
    ("(string)JObject.Parse(\"{\\\"a\\\":1}\")[\"a\"]", "1"),
    ("JObject.Parse(\"{}\")[\"a\"] == null", "True"),
    ("JObject.Parse(\"{}\")[\"a\"]?.ToString() ?? \"none\"", "none"),
    ("JObject.Parse(\"{\\\"a\\\":null}\")[\"a\"] == null", "False"),
    ("JObject.Parse(\"{\\\"a\\\":null}\")[\"a\"].Type == JTokenType.Null", "True"),
    ("JObject.Parse(\"{\\\"a\\\":[1]}\")[\"a\"].Type", "Array"),
    ("(string)JObject.Parse(\"{\\\"a\\\":null}\")[\"a\"] ?? \"x\"", "x"),
    (
        "JObject.Parse(\"{\\\"a\\\":{\\\"b\\\":[1,2]}}\").SelectToken(\"a.b[1]\").ToObject<int>()",
        "2",
    ),
    ("JObject.Parse(\"{\\\"u\\\":{\\\"n\\\":7}}\")?[\"u\"]?[\"n\"]?.Value<int>() ?? 1", "7"),
    ("JObject.Parse(\"{}\")?[\"u\"]?[\"n\"]?.Value<int>() ?? 1", "1"),
    ("JObject.Parse(\"{\\\"s\\\":true}\")[\"s\"]?.Value<bool>() != true", "False"),
    ("JObject.Parse(\"{}\")[\"s\"]?.Value<bool>() == true", "False"),
    ("JObject.Parse(\"{\\\"n\\\":5}\").Value<int?>(\"x\") ?? -1", "-1"),
    ("JObject.Parse(\"{\\\"n\\\":5}\").Value<string>(\"n\")", "5"),
    ("JArray.Parse(\"[1,2,3]\").Count", "3"),
    ("JArray.Parse(\"[1,2,3]\").Sum(t => (int)t)", "6"),
    (
        "JArray.Parse(\"[{\\\"n\\\":\\\"a\\\"}]\").FirstOrDefault(o => o[\"n\"]?.Value<string>() == \"a\") != null",
        "True",
    ),
    ("((JObject)JArray.Parse(\"[{\\\"n\\\":5}]\")[0]).Value<int>(\"n\")", "5"),
    (
        "new JObject(new JProperty(\"a\", 1), new JProperty(\"b\", new JArray(\"x\", \"y\"))).ToString(Formatting.None)",
        "{\"a\":1,\"b\":[\"x\",\"y\"]}",
    ),
    (
        "new JObject { [\"a\"] = 1, [\"b\"] = null }.ToString(Newtonsoft.Json.Formatting.None)",
        "{\"a\":1,\"b\":null}",
    ),
    ("new JObject { { \"a\", \"x\" }, { \"d\", DateTime.MinValue } }[\"a\"]", "x"),
    ("new JArray { 1, \"a\" }.Count", "2"),
    ("new JArray(1, 2).Contains(1)", "True"),
    (
        "@{ var o = new JObject(); o[\"a\"] = 1; o[\"b\"] = new JObject(); o[\"b\"][\"c\"] = true; return o.ToString(Formatting.None); }",
        "{\"a\":1,\"b\":{\"c\":true}}",
    ),
    (
        "@{ var o = JObject.Parse(\"{\\\"n\\\":1}\"); o[\"n\"] = (int)o[\"n\"] + 1; return o[\"n\"]; }",
        "2",
    ),
    ("@{ var a = new JArray(); a.Add(\"x\"); a.Add(new JObject()); return a.Count; }", "2"),
    (
        "@{ var o = new JObject(); o.Add(\"a\", 1); o.Add(new JProperty(\"b\", 2)); o.Remove(\"a\"); return o.ToString(Formatting.None); }",
        "{\"b\":2}",
    ),
    (
        "@{ var s = \"\"; foreach (var p in JObject.Parse(\"{\\\"a\\\":1}\")) s += p.Key + p.Value; return s; }",
        "a1",
    ),
    (
        "@{ var s = \"\"; foreach (var p in JObject.Parse(\"{\\\"a\\\":1}\").Properties()) s += p.Name + p.Value; return s; }",
        "a1",
    ),
    ("@{ var s = 0; foreach (int i in JArray.Parse(\"[1,2]\")) s += i; return s; }", "3"),
    ("@{ var t = JToken.Parse(\"[1]\"); return t is JArray a ? a.Count : 0; }", "1"),
    ("JsonConvert.SerializeObject(new { a = 1, b = new[] { \"x\" } })", "{\"a\":1,\"b\":[\"x\"]}"),
    ("JsonConvert.SerializeObject(new Dictionary<string, int> { { \"a\", 1 } })", "{\"a\":1}"),
    ("JsonConvert.DeserializeObject<JObject>(\"{\\\"a\\\":1}\")[\"a\"]", "1"),
    ("JsonConvert.DeserializeObject<List<string>>(\"[\\\"a\\\"]\")[0]", "a"),
    (
        "JsonConvert.DeserializeObject<Dictionary<string, string>>(\"{\\\"a\\\":\\\"b\\\"}\")[\"a\"]",
        "b",
    ),
    ("JObject.FromObject(new { a = 1 }).ToString(Formatting.None)", "{\"a\":1}"),
    ("new JValue(5).Value", "5"),
    (
        "(JArray)JToken.Parse(\"{}\")",
        "throws InvalidCastException: Unable to cast object of type 'Newtonsoft.Json.Linq.JObject' to type 'JArray'.",
    ),
    (
        "JObject.Parse(\"{\\\"a\\\":\\\"x\\\"}\")[\"a\"].Value<int>()",
        "throws FormatException: Input string was not in a correct format.",
    ),
];

#[test]
fn json_behaves_as_newtonsoft_does() {
    check(JSON);
}
