//! The forms that policies use most, as each of the three writes them.

/// One form. Where another language has no word for it, it is left out.
pub struct Form {
    pub name: &'static str,
    pub weir: &'static str,
    pub cel: Option<&'static str>,
    pub rhai: Option<&'static str>,
}

const fn form(
    name: &'static str,
    weir: &'static str,
    cel: &'static str,
    rhai: &'static str,
) -> Form {
    Form { name, weir, cel: Some(cel), rhai: Some(rhai) }
}

pub const FORMS: &[Form] = &[
    form(
        "[\"key\"] of JSON",
        "@(((JObject)context.Variables[\"json\"])[\"name\"])",
        "variables[\"json\"][\"name\"]",
        "variables[\"json\"][\"name\"]",
    ),
    form(
        "context.Variables[\"x\"]",
        "@(context.Variables[\"text\"])",
        "variables[\"text\"]",
        "variables[\"text\"]",
    ),
    form(
        "(string)context.Variables[\"x\"]",
        "@((string)context.Variables[\"text\"])",
        "string(variables[\"text\"])",
        "variables[\"text\"].to_string()",
    ),
    form(
        ".ToString()",
        "@(context.Variables[\"number\"].ToString())",
        "string(variables[\"number\"])",
        "variables[\"number\"].to_string()",
    ),
    form(
        "GetValueOrDefault<T>(\"x\", d)",
        "@(context.Variables.GetValueOrDefault<string>(\"missing\", \"d\"))",
        "\"missing\" in variables ? variables[\"missing\"] : \"d\"",
        "variables[\"missing\"] ?? \"d\"",
    ),
    form(
        "var x = ...; return ...;",
        "@{ var x = (int)context.Variables[\"number\"]; return x + 1; }",
        "variables[\"number\"] + 1",
        "let x = variables[\"number\"]; x + 1",
    ),
    form(
        "$\"{...}/{...}\"",
        "@($\"{context.Variables[\"text\"]}/{context.Request.Method}\")",
        "variables[\"text\"] + \"/\" + request[\"method\"]",
        "`${variables[\"text\"]}/${request[\"method\"]}`",
    ),
    form(
        "(JObject)context.Variables[\"x\"]",
        "@((JObject)context.Variables[\"json\"])",
        "variables[\"json\"]",
        "variables[\"json\"]",
    ),
    form(
        "if (...) { ... }",
        "@{ if ((int)context.Variables[\"number\"] > 3) { return \"a\"; } return \"b\"; }",
        "variables[\"number\"] > 3 ? \"a\" : \"b\"",
        "if variables[\"number\"] > 3 { \"a\" } else { \"b\" }",
    ),
    form(
        "(int)context.Variables[\"x\"]",
        "@((int)context.Variables[\"number\"])",
        "int(variables[\"number\"])",
        "variables[\"number\"]",
    ),
    form(
        "==",
        "@(context.Request.Method == \"GET\")",
        "request[\"method\"] == \"GET\"",
        "request[\"method\"] == \"GET\"",
    ),
    form(
        "&& || !",
        "@(context.Request.Method == \"GET\" && !((bool)context.Variables[\"flag\"]) || (int)context.Variables[\"number\"] == 5)",
        "request[\"method\"] == \"GET\" && !variables[\"flag\"] || variables[\"number\"] == 5",
        "request[\"method\"] == \"GET\" && !variables[\"flag\"] || variables[\"number\"] == 5",
    ),
    form(
        "+ of strings",
        "@(\"key-\" + context.Request.Method + \"-\" + (string)context.Variables[\"text\"])",
        "\"key-\" + request[\"method\"] + \"-\" + variables[\"text\"]",
        "\"key-\" + request[\"method\"] + \"-\" + variables[\"text\"]",
    ),
    form(
        "context.LastError.Source",
        "@(context.LastError.Source)",
        "last_error[\"source\"]",
        "last_error[\"source\"]",
    ),
    form(
        ".Contains(s)",
        "@(((string)context.Variables[\"text\"]).Contains(\"ell\"))",
        "variables[\"text\"].contains(\"ell\")",
        "variables[\"text\"].contains(\"ell\")",
    ),
    form(
        "context.Subscription.Id",
        "@(context.Subscription.Id)",
        "subscription[\"id\"]",
        "subscription[\"id\"]",
    ),
    form("string.Empty", "@(string.Empty)", "\"\"", "\"\""),
    form(
        "int.Parse",
        "@(int.Parse((string)context.Variables[\"digits\"]))",
        "int(variables[\"digits\"])",
        "parse_int(variables[\"digits\"])",
    ),
    form(
        "c ? a : b",
        "@((bool)context.Variables[\"flag\"] ? 1 : 2)",
        "variables[\"flag\"] ? 1 : 2",
        "if variables[\"flag\"] { 1 } else { 2 }",
    ),
    form(
        "Headers.GetValueOrDefault(\"h\", d)",
        "@(context.Request.Headers.GetValueOrDefault(\"Accept\", \"\"))",
        "\"Accept\" in headers ? headers[\"Accept\"] : \"\"",
        "headers[\"Accept\"] ?? \"\"",
    ),
    form(
        ".Split(c)[i]",
        "@(((string)context.Variables[\"path\"]).Split('/')[1])",
        "variables[\"path\"].split(\"/\")[1]",
        "variables[\"path\"].split(\"/\")[1]",
    ),
    form(
        "x => ... with Any",
        "@(((JArray)((JObject)context.Variables[\"json\"])[\"list\"]).Any(x => (int)x > 2))",
        "variables[\"json\"][\"list\"].exists(x, x > 2)",
        "variables[\"json\"][\"list\"].some(|x| x > 2)",
    ),
];
