//! A big configuration as a folder: what a company with ten thousand APIs would write.
//!
//! Each API has a file of its own with five operations; most policies stand inline, every fifth
//! API's in a file; ten APIs are a product; subscriptions and users stand in some hundred files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// APIs in one folder of files, and in one product.
const APIS_IN_FOLDER: usize = 100;
const APIS_IN_PRODUCT: usize = 10;
/// Products, subscriptions and users in one file.
const PRODUCTS_IN_FILE: usize = 10;
const SUBSCRIPTIONS_IN_FILE: usize = 250;
const USERS_IN_FILE: usize = 250;
/// Subscriptions of one user.
const SUBSCRIPTIONS_OF_USER: usize = 5;
/// Every so many APIs, the policy of one is a file.
const POLICY_FILE_EVERY: usize = 5;
/// What policies may refer to.
const NAMED_VALUES: usize = 200;
const FRAGMENTS: usize = 20;
const BACKENDS: usize = 50;

/// How big it is.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Size {
    /// APIs of five operations each.
    pub(crate) apis: usize,
    /// Subscriptions with two keys each.
    pub(crate) subscriptions: usize,
}

/// The key of subscription `number`.
pub(crate) fn key(number: usize) -> String {
    format!("key-{number:08}-0123456789abcdef")
}

/// Writes all of it into `folder`; requests go to `upstream`.
pub(crate) fn write(folder: &Path, size: Size, upstream: &str) -> io::Result<()> {
    for name in ["apis", "policies", "products", "subscriptions", "users"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::write(folder.join("gateway.yaml"), gateway(upstream))?;
    for number in 0..size.apis {
        write_api(folder, number, "first", upstream)?;
    }
    let files = |items: usize, of: usize| items.div_ceil(of);
    let products = files(size.apis, APIS_IN_PRODUCT);
    for file in 0..files(products, PRODUCTS_IN_FILE) {
        let items = members(file, PRODUCTS_IN_FILE, products);
        let text: String = items.map(|product| self::product(product, size.apis)).collect();
        let path = folder.join(format!("products/products-{file:04}.yaml"));
        fs::write(path, format!("products:\n{text}"))?;
    }
    for file in 0..files(size.subscriptions, SUBSCRIPTIONS_IN_FILE) {
        let items = members(file, SUBSCRIPTIONS_IN_FILE, size.subscriptions);
        let text: String = items.map(|it| subscription(it, products, size.apis)).collect();
        let path = folder.join(format!("subscriptions/subscriptions-{file:04}.yaml"));
        fs::write(path, format!("subscriptions:\n{text}"))?;
    }
    let users = files(size.subscriptions, SUBSCRIPTIONS_OF_USER);
    for file in 0..files(users, USERS_IN_FILE) {
        let text: String = members(file, USERS_IN_FILE, users).map(user).collect();
        fs::write(folder.join(format!("users/users-{file:04}.yaml")), format!("users:\n{text}"))?;
    }
    Ok(())
}

/// Writes API `number`, whose first operation answers with `word`, as an editor does: beside, and
/// then in its place.
pub(crate) fn write_api(
    folder: &Path,
    number: usize,
    word: &str,
    upstream: &str,
) -> io::Result<()> {
    let inner = folder.join(format!("apis/{:03}", number / APIS_IN_FOLDER));
    fs::create_dir_all(&inner)?;
    let in_file = number.is_multiple_of(POLICY_FILE_EVERY);
    if in_file {
        let path = folder.join(format!("policies/api-{number:05}.xml"));
        if !path.exists() {
            fs::write(path, API_POLICY.replace("{n}", &number.to_string()))?;
        }
    }
    let policy = if in_file {
        format!("policies/api-{number:05}.xml")
    } else {
        format!("|\n{}", indented(&API_POLICY.replace("{n}", &number.to_string()), 6))
    };
    let mut text = format!(
        "apis:\n  - id: api-{number:05}\n    name: The API number {number}\n    path: api-{number:05}\n    \
         serviceUrl: http://{upstream}/api-{number:05}\n    policy: {}\n    operations:\n",
        policy.trim_end(),
    );
    for (id, method, template, policy) in OPERATIONS {
        let policy = policy.replace("{word}", word).replace("{n}", &number.to_string());
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "      - id: {id}\n        name: To {id}\n        method: {method}\n        \
             urlTemplate: {template}\n"
        );
        if !policy.is_empty() {
            let _ = write!(text, "        policy: |\n{}", indented(&policy, 10));
        }
    }
    let path = inner.join(format!("api-{number:05}.yaml"));
    let beside = path.with_extension("new");
    fs::write(&beside, text)?;
    fs::rename(beside, path)
}

fn members(file: usize, of: usize, all: usize) -> std::ops::Range<usize> {
    let start = file * of;
    start..(start + of).min(all)
}

fn indented(text: &str, by: usize) -> String {
    text.trim().lines().fold(String::new(), |mut out, line| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "{:by$}{line}", "");
        out
    })
}

fn gateway(upstream: &str) -> String {
    let mut text = format!(
        "gateway:\n  id: big\n  location: somewhere\npolicy: |\n{}namedValues:\n",
        indented(GLOBAL_POLICY, 2)
    );
    for number in 0..NAMED_VALUES {
        let _ = write!(text, "  - name: value-{number}\n    value: the value {number}\n");
    }
    text.push_str("fragments:\n");
    for number in 0..FRAGMENTS {
        let fragment = FRAGMENT.replace("{n}", &number.to_string());
        let _ =
            write!(text, "  - id: fragment-{number}\n    policy: |\n{}", indented(&fragment, 6));
    }
    text.push_str("backends:\n");
    for number in 0..BACKENDS {
        let _ = write!(text, "  - id: backend-{number}\n    url: http://{upstream}/{number}\n");
    }
    text
}

fn product(number: usize, apis: usize) -> String {
    let members = members(number, APIS_IN_PRODUCT, apis);
    let members: Vec<String> = members.map(|api| format!("api-{api:05}")).collect();
    format!(
        "  - id: product-{number:04}\n    name: Product {number}\n    apis: [{}]\n    \
         groups: [developers]\n    policy: |\n{}",
        members.join(", "),
        indented(PRODUCT_POLICY, 6),
    )
}

fn subscription(number: usize, products: usize, apis: usize) -> String {
    let scope = if number % 10 == 9 {
        format!("/apis/api-{:05}", number % apis)
    } else {
        format!("/products/product-{:04}", number % products)
    };
    format!(
        "  - id: subscription-{number:06}\n    name: Subscription {number}\n    scope: {scope}\n    \
         user: user-{:06}\n    createdDate: 2026-01-31\n    primaryKey: {}\n    secondaryKey: second-{}\n",
        number / SUBSCRIPTIONS_OF_USER,
        key(number),
        key(number),
    )
}

fn user(number: usize) -> String {
    format!(
        "  - id: user-{number:06}\n    email: user-{number}@example.com\n    firstName: Jane\n    \
         lastName: Doe {number}\n    groups: [developers]\n"
    )
}

const GLOBAL_POLICY: &str = r#"
<policies>
  <inbound>
    <set-header name="X-Gateway" exists-action="override"><value>big</value></set-header>
  </inbound>
  <backend><forward-request timeout="30" /></backend>
  <outbound />
  <on-error />
</policies>
"#;

const FRAGMENT: &str = r#"
<fragment>
  <set-header name="X-Fragment-{n}" exists-action="override"><value>{{value-{n}}}</value></set-header>
</fragment>
"#;

const PRODUCT_POLICY: &str = r#"
<policies>
  <inbound>
    <base />
    <rate-limit calls="100000" renewal-period="60" />
    <set-header name="X-Product" exists-action="override"><value>@(context.Product.Name)</value></set-header>
  </inbound>
  <backend><base /></backend>
  <outbound><base /></outbound>
  <on-error><base /></on-error>
</policies>
"#;

const API_POLICY: &str = r#"
<policies>
  <inbound>
    <base />
    <set-header name="X-Api" exists-action="override"><value>{{value-7}} {n}</value></set-header>
    <include-fragment fragment-id="fragment-3" />
    <choose>
      <when condition="@(context.Request.Headers.GetValueOrDefault("X-Tier", "standard") == "gold")">
        <set-query-parameter name="tier" exists-action="override"><value>gold</value></set-query-parameter>
      </when>
      <otherwise>
        <set-header name="X-Tier" exists-action="override"><value>standard</value></set-header>
      </otherwise>
    </choose>
  </inbound>
  <backend><base /></backend>
  <outbound>
    <base />
    <set-header name="X-Powered-By" exists-action="delete" />
  </outbound>
  <on-error>
    <base />
    <set-header name="X-Failed" exists-action="override"><value>@(context.LastError.Reason)</value></set-header>
  </on-error>
</policies>
"#;

const READ_POLICY: &str = r#"
<policies>
  <inbound>
    <base />
    <set-header name="X-Caller" exists-action="override"><value>@(context.Subscription.Id)</value></set-header>
    <set-variable name="started" value="@(context.Timestamp.ToString())" />
  </inbound>
  <backend><base /></backend>
  <outbound>
    <base />
    <set-header name="X-Started" exists-action="override"><value>@((string)context.Variables["started"])</value></set-header>
  </outbound>
  <on-error><base /></on-error>
</policies>
"#;

const WRITE_POLICY: &str = r#"
<policies>
  <inbound>
    <base />
    <rate-limit-by-key calls="1000" renewal-period="60" counter-key="@(context.Subscription.Id + "-write")" />
    <set-backend-service backend-id="backend-7" />
    <rewrite-uri template="/stored/{id}" />
  </inbound>
  <backend><base /></backend>
  <outbound><base /></outbound>
  <on-error><base /></on-error>
</policies>
"#;

const WORD_POLICY: &str = r#"
<policies>
  <inbound>
    <base />
    <return-response>
      <set-status code="200" reason="OK" />
      <set-body>{word}</set-body>
    </return-response>
  </inbound>
  <backend><base /></backend>
  <outbound><base /></outbound>
  <on-error><base /></on-error>
</policies>
"#;

/// Id, method, template and policy of the operations of each API.
const OPERATIONS: [(&str, &str, &str, &str); 5] = [
    ("word", "GET", "/word", WORD_POLICY),
    ("list", "GET", "/items", READ_POLICY),
    ("read", "GET", "/items/{id}", ""),
    ("write", "PUT", "/items/{id}", WRITE_POLICY),
    ("remove", "DELETE", "/items/{id}", ""),
];
