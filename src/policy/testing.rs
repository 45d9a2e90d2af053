//! Runs policy documents in tests, with everything around them made up in memory.
//!
//! ```ignore
//! let run = Run::inbound(r#"<rate-limit calls="1" renewal-period="60" />"#);
//! assert_eq!(run.get("/x").subscription("s").go().status(), 200);
//! assert_eq!(run.get("/x").subscription("s").go().status(), 429);
//! ```
//!
//! A [`Run`] is a gateway with one operation and a backend that answers 200 with `ok`. Its counters
//! and caches last from request to request, and its clock moves only when it is told to.

#![expect(
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    reason = "a test that panics has failed, and one that drops a request does not compile"
)]

mod driver;
mod facts;
pub(in crate::policy) mod words;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::backend::{BaseUrl, Scheme};
use crate::cache::memory::{BYTES_MAX, Cache, ITEM_BYTES_MAX};
use crate::counters::memory::Memory;
use crate::exchange::cached::CachedResponse;
use crate::exchange::facts::Operation;
use crate::exchange::final_fields::FinalFields;
use crate::exchange::flight::Flights;
use crate::exchange::message::{Body, Headers, Original, Request as Message, Response};
use crate::exchange::pending::Pending;
use crate::exchange::trail::Trail;
use crate::exchange::{CacheOutcome, Exchange, LastError, Variables};
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::jwt::jwks::Published;
use crate::limit::concurrency::Concurrency;
use crate::policy::build::document::{Owner, build as build_document};
use crate::policy::build::references::References;
use crate::policy::cross_domain::flash::document;
use crate::policy::cross_domain::preflight;
use crate::policy::identity::asked::{Answer as Obtained, Token};
use crate::policy::machine::{Machine, Ran};
use crate::policy::markup::{self, NamedValues};
use crate::policy::operand::text_of;
use crate::policy::program::{Document, Program};
use crate::policy::{Failure, Scope};
use crate::route::template::Parameters;
use crate::time::Timestamp;

use driver::Driver;

/// What the gateway has instead of a global document.
const GLOBAL: &str = "<policies><backend><forward-request /></backend></policies>";

/// A gateway with one operation, and a backend made up.
#[derive(Debug)]
pub struct Run {
    program: Arc<Program>,
    counters: Memory,
    concurrency: Arc<Concurrency>,
    responses: Cache<Arc<CachedResponse>>,
    values: Cache<Value>,
    /// Values that are being made.
    flights: Arc<Flights>,
    now: Cell<Timestamp>,
    answers: RefCell<Vec<Result<Response, Failure>>>,
    /// What comes of asking for tokens of the gateway's own.
    tokens: RefCell<Vec<Obtained>>,
    /// What services answer that policies call.
    services: RefCell<Vec<Result<Response, Failure>>>,
    exchanges: Cell<u64>,
    is_out_of_touch: Cell<bool>,
    /// Whether a request may be forwarded once more.
    is_tried_again: Cell<bool>,
    /// What issuers have published, by the address of their document.
    published: RefCell<BTreeMap<Arc<str>, Published>>,
}

/// A request to a [`Run`], before it is made.
#[derive(Debug)]
pub struct Request<'a> {
    run: &'a Run,
    exchange: Exchange,
    /// The body of the request, until somebody wants it.
    on_the_wire: Bytes,
}

/// What came of a request.
#[derive(Debug)]
pub struct Outcome {
    /// The exchange at its end; the fields of its response are those that the client gets.
    pub exchange: Exchange,
    /// What the backend got: method and target.
    pub forwarded: Vec<String>,
    /// How long the run slept, each time.
    pub slept: Vec<Duration>,
    /// The steps that ran.
    pub ran: Vec<Ran>,
    /// What the machine asked for, in words, a line each.
    pub log: Vec<String>,
}

impl Run {
    /// A gateway with `xml` as the document of its product.
    pub fn of(xml: &str) -> Self {
        Self::scopes(&[(Scope::Product, xml)])
    }

    /// A gateway whose product has these policies in `inbound`, and inherits the rest.
    pub fn inbound(policies: &str) -> Self {
        Self::of(&around(&format!("<inbound>{policies}</inbound><outbound><base /></outbound>")))
    }

    /// A gateway whose product has these policies in `inbound` and those in `outbound`.
    pub fn both(inbound: &str, outbound: &str) -> Self {
        let sections = format!("<inbound>{inbound}</inbound><outbound>{outbound}</outbound>");
        Self::of(&around(&sections))
    }

    /// A gateway with these documents, one a scope, from the narrowest to the widest. The global
    /// one forwards unless it is given.
    pub fn scopes(documents: &[(Scope, &str)]) -> Self {
        let mut built: Vec<_> = documents
            .iter()
            .map(|(scope, xml)| {
                let (document, faults) = build(*scope, xml);
                assert!(faults.is_empty(), "{}", lines(&faults).join("\n"));
                document
            })
            .collect();
        if documents.iter().all(|(scope, _)| *scope != Scope::Global) {
            built.push(build(Scope::Global, GLOBAL).0);
        }
        Self::running(Program::compose(&built.iter().collect::<Vec<_>>()))
    }

    /// A gateway with this program.
    pub fn running(program: Program) -> Self {
        Self {
            program: Arc::new(program),
            counters: Memory::new(),
            concurrency: Arc::new(Concurrency::default()),
            responses: Cache::new(BYTES_MAX, ITEM_BYTES_MAX),
            values: Cache::new(BYTES_MAX, ITEM_BYTES_MAX),
            flights: Arc::default(),
            now: Cell::new(Timestamp::from_micros(1_800_000_000_000_000)),
            answers: RefCell::new(Vec::new()),
            tokens: RefCell::new(Vec::new()),
            services: RefCell::new(Vec::new()),
            exchanges: Cell::new(0),
            is_out_of_touch: Cell::new(false),
            is_tried_again: Cell::new(true),
            published: RefCell::default(),
        }
    }

    /// What is wrong with these policies in the `inbound` section of a product: a line each.
    pub fn faults(policies: &str) -> Vec<String> {
        Self::faults_of(Scope::Product, &around(&format!("<inbound>{policies}</inbound>")))
    }

    /// What is wrong with the document `xml` of that scope: a line each.
    pub fn faults_of(scope: Scope, xml: &str) -> Vec<String> {
        lines(&build(scope, xml).1)
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Lets time pass.
    pub fn pass(&self, span: Duration) {
        self.now.set(self.now.get() + span);
    }

    /// The backend answers this next, and goes on with `ok` when it has given all such answers.
    pub fn answers(&self, status: u16, fields: &[(&str, &str)], body: &str) {
        self.answers.borrow_mut().push(Ok(response(status, fields, body)));
    }

    /// The backend cannot be reached next, or does not answer in time, as `failure` says.
    pub fn fails(&self, failure: Failure) {
        self.answers.borrow_mut().push(Err(failure));
    }

    /// A service that a policy calls answers this next.
    pub fn service_answers(&self, status: u16, fields: &[(&str, &str)], body: &str) {
        self.services.borrow_mut().push(Ok(response(status, fields, body)));
    }

    /// A service that a policy calls does not answer next, as `failure` says.
    pub fn service_fails(&self, failure: Failure) {
        self.services.borrow_mut().push(Err(failure));
    }

    /// This comes next of asking for a token of the gateway's own.
    pub fn obtains(&self, answer: Obtained) {
        self.tokens.borrow_mut().push(answer);
    }

    /// A GET request.
    pub fn get(&self, target: &str) -> Request<'_> {
        self.request("GET", target)
    }

    /// A request for `target`: path and query.
    pub fn request(&self, method: &str, target: &str) -> Request<'_> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = self.exchanges.get() + 1;
        self.exchanges.set(number);
        let method: Method = method.parse().unwrap();
        let exchange = Exchange {
            id: u128::from(number),
            started: self.now.get(),
            now: self.now.get(),
            deployment: Arc::default(),
            client: Some(IpAddr::from([192, 0, 2, 1])),
            certificate: None,
            original: Original {
                method: method.clone(),
                scheme: Scheme::Https,
                host: "gateway.example".to_owned(),
                port: 443,
                path: path.to_owned(),
                query: query.to_owned(),
            },
            request: Message {
                method,
                base: Arc::new(BaseUrl::parse("http://backend.example").unwrap()),
                tail: path.to_owned(),
                query: query.to_owned(),
                headers: Headers::default(),
                body: Body::None,
            },
            response: None,
            api: Some(Arc::new(facts::api())),
            operation: Some(Arc::new(facts::operation())),
            product: Some(Arc::new(facts::product())),
            subscription: None,
            key: None,
            user: None,
            parameters: Parameters::default(),
            variables: Variables::default(),
            backend: None,
            choice: None,
            identity: None,
            last_error: None,
            final_fields: FinalFields::default(),
            pending: Pending::default(),
            bandwidth: Vec::new(),
            metering: None,
            samples: Vec::new(),
            is_forwarded: false,
            proxy: None,
            is_target_secret: false,
            trail: Trail::default(),
            traces: Vec::new(),
            inspection: None,
            cache: CacheOutcome::None,
            refusal: None,
            random: number,
        };
        Request { run: self, exchange, on_the_wire: Bytes::new() }
    }

    /// From now on the issuer of the document at `url` has these keys.
    pub fn publish(&self, url: &str, published: Published) {
        self.published.borrow_mut().insert(Arc::from(url), published);
    }

    /// From now on nobody can ask the counters.
    pub fn lose_touch(&self) {
        self.is_out_of_touch.set(true);
    }

    /// The next answer of a service.
    fn service(&self) -> Result<Response, Failure> {
        let mut answers = self.services.borrow_mut();
        if answers.is_empty() { Ok(response(200, &[], "ok")) } else { answers.remove(0) }
    }

    /// The next token of the gateway's own.
    fn token(&self) -> Obtained {
        let mut tokens = self.tokens.borrow_mut();
        if tokens.is_empty() { Ok(Token::plain("own-token")) } else { tokens.remove(0) }
    }

    /// From here on no request is forwarded once more.
    pub fn has_tried_enough(&self) {
        self.is_tried_again.set(false);
    }

    /// The next answer of the backend.
    fn backend(&self) -> Result<Response, Failure> {
        let mut answers = self.answers.borrow_mut();
        if answers.is_empty() { Ok(response(200, &[], "ok")) } else { answers.remove(0) }
    }
}

impl Request<'_> {
    /// With this field beside those it has.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        let mut map = self.exchange.request.headers.map().clone();
        map.append(name, HeaderValue::from_str(value).unwrap());
        self.exchange.request.headers = Headers::received(map);
        self
    }

    /// With this body.
    pub fn body(mut self, body: &str) -> Self {
        self.exchange.request.body = Body::Bytes(Bytes::copy_from_slice(body.as_bytes()));
        self
    }

    /// With this body, which stays on the wire until a policy or the backend wants it.
    pub fn streamed(mut self, body: &str) -> Self {
        self.exchange.request.body = Body::Waiting;
        self.on_the_wire = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    /// Inspected: what was kept is in the exchange of the outcome.
    pub fn inspected(mut self) -> Self {
        self.exchange.inspection = Some(Box::default());
        self
    }

    /// With a key of the subscription `id`, which began at the Unix epoch.
    pub fn subscription(mut self, id: &str) -> Self {
        let subscription = facts::subscription(id);
        self.exchange.key = Some(Arc::clone(&subscription.primary_key));
        self.exchange.subscription = Some(Arc::new(subscription));
        self
    }

    /// In the name of the user `id`, a member of `groups`.
    pub fn user(mut self, id: &str, groups: &[&str]) -> Self {
        self.exchange.user = Some(Arc::new(facts::user(id, groups)));
        self
    }

    /// From this address; an unreadable one is none.
    pub fn client(mut self, address: &str) -> Self {
        self.exchange.client = address.parse().ok();
        self
    }

    /// To the operation `id`.
    pub fn operation(mut self, id: &str) -> Self {
        let called = Operation { id: id.into(), name: id.into(), ..facts::operation() };
        self.exchange.operation = Some(Arc::new(called));
        self
    }

    /// With the exchange changed by `change`.
    pub fn with(mut self, change: impl FnOnce(&mut Exchange)) -> Self {
        change(&mut self.exchange);
        self
    }

    /// Makes the request.
    pub fn go(self) -> Outcome {
        self.start().0
    }

    /// Makes the request; it is under way as long as the machine lives.
    pub fn start(self) -> (Outcome, Machine) {
        let mut machine = Machine::new(Arc::clone(&self.run.program));
        machine.record();
        let mut driver = Driver {
            run: self.run,
            machine,
            outcome: Outcome {
                exchange: self.exchange,
                forwarded: Vec::new(),
                slept: Vec::new(),
                ran: Vec::new(),
                log: Vec::new(),
            },
            together: VecDeque::new(),
            request_bytes: self.on_the_wire.len(),
            request_on_the_wire: self.on_the_wire,
            on_the_wire: Bytes::new(),
        };
        driver.go();
        (driver.outcome, driver.machine)
    }

    /// Lets `cors` answer the request before anything else; none if it does not.
    pub fn preflight(mut self) -> Option<Outcome> {
        let answered = preflight(&self.run.program, &mut self.exchange);
        answered.map(|_asked| answered_before(self.exchange, "answer the preflight"))
    }

    /// Lets `cross-domain` answer the request before anything else; none if it does not.
    pub fn document(mut self) -> Option<Outcome> {
        let answered = document(&self.run.program, &mut self.exchange);
        answered.map(|_asked| answered_before(self.exchange, "serve the document"))
    }
}

impl Outcome {
    /// The response.
    pub fn response(&self) -> &Response {
        self.exchange.response.as_ref().expect("there is a response")
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.response().status.as_u16()
    }

    /// The first value of its field `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response().headers.map().get(name).map(|value| value.to_str().unwrap())
    }

    /// Its body.
    pub fn body(&self) -> &str {
        self.response().body.bytes().map_or("", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    /// The variable `name` as text.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.exchange
            .variables
            .get(name)
            .and_then(|value| text_of(value).ok())
            .map(|text| text.to_string())
    }

    /// What went wrong last.
    pub fn error(&self) -> &LastError {
        self.exchange.last_error.as_ref().expect("something went wrong")
    }

    /// The reason of what went wrong last; empty if nothing did.
    pub fn reason(&self) -> &'static str {
        self.exchange.last_error.as_ref().map_or("", |error| error.reason)
    }
}

/// What came of a request that no program ran for.
fn answered_before(exchange: Exchange, log: &str) -> Outcome {
    let (forwarded, slept, ran) = (Vec::new(), Vec::new(), Vec::new());
    Outcome { exchange, forwarded, slept, ran, log: vec![log.to_owned()] }
}

/// A document with `sections` and everything else inherited.
fn around(sections: &str) -> String {
    let rest = ["backend", "outbound", "on-error"]
        .into_iter()
        .filter(|name| !sections.contains(&format!("<{name}>")))
        .map(|name| format!("<{name}><base /></{name}>"));
    format!("<policies>{sections}{}</policies>", rest.collect::<String>())
}

fn build(scope: Scope, xml: &str) -> (Document, Vec<Fault>) {
    let reading = markup::read(&Arc::from("policy.xml"), xml, &NamedValues::default());
    let mut faults = reading.faults;
    let name = format!("{scope} test");
    let owner = Owner { scope, name: &name };
    let root = reading.root.unwrap_or_else(|| panic!("{}", lines(&faults).join("\n")));
    let document = build_document(&root, owner, &References::default(), &mut faults);
    (document, faults)
}

fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn response(status: u16, fields: &[(&str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        phrase: None,
        headers: Headers::received(map),
        body: Body::Bytes(Bytes::copy_from_slice(body.as_bytes())),
    }
}
