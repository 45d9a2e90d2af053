//! One connection: made, logged in, and tried out, before anybody relies on it.
//!
//! Its bytes are moved by whoever waits for its answers, in the same turn and not by a task of its
//! own: in a process that has too much to do each turn is waited for.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVersion};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::counters::redis::command::Writer;
use crate::counters::redis::name::Names;
use crate::counters::redis::script::Scripts;
use crate::counters::redis::settings::{Login, Place, Tls};
use crate::counters::redis::trouble::Trouble;
use crate::digest::digest;

/// How long it may take to connect, log in and try out; and how long a sentinel or a node of a
/// cluster may take to answer.
pub(super) const DIAL_MAX: Duration = Duration::from_secs(2);

/// How long the key lives that is written to find out whether writing is possible.
pub(super) const TRIAL_MILLIS: u64 = 10_000;

/// The first version that has all that is needed: `PEXPIREAT … NX`, and the time in scripts that
/// write.
const VERSION_MIN: u32 = 7;

/// A connection.
pub(super) struct Line {
    connection: MultiplexedConnection,
    /// What moves its bytes; none: the connection broke.
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Report {
    version: String,
    run_id: String,
    is_primary: bool,
    evicts: Option<String>,
    /// How many replicas are connected to it.
    pub(super) replicas: u32,
}

/// A connection to a primary that takes writes.
#[derive(Debug)]
pub(super) struct Primary {
    /// The connection.
    pub(super) line: Line,
    /// How orders are written on it.
    pub(super) writer: Writer,
    /// What is wrong with it, though it sells.
    pub(super) warning: Option<Trouble>,
}

impl Line {
    /// Connects to `place` and logs in.
    pub(super) async fn open(
        place: &Place,
        tls: Option<&Tls>,
        login: Option<&Login>,
    ) -> Result<Self, Trouble> {
        timeout(DIAL_MAX, Self::connect(place, tls, login)).await.unwrap_or(Err(Trouble::Silent))
    }

    async fn connect(
        place: &Place,
        tls: Option<&Tls>,
        login: Option<&Login>,
    ) -> Result<Self, Trouble> {
        let unreachable = |error: std::io::Error| Trouble::Unreachable(format!("{place}: {error}"));
        let stream =
            TcpStream::connect((place.host.as_str(), place.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        match tls {
            Some(tls) => Self::log_in(secure(stream, place, tls).await?, login).await,
            None => Self::log_in(stream, login).await,
        }
    }

    async fn log_in<S>(stream: S, login: Option<&Login>) -> Result<Self, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // `CLIENT SETINFO` would be one more thing to be allowed.
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(login) = login {
            info = info.set_password(login.password.reveal().map_err(Trouble::File)?);
            if let Some(user) = &login.user {
                info = info.set_username(user);
            }
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (connection, moves) = opened.map_err(|error| Trouble::of_client(&error))?;
        Ok(Self { connection, driver: Some(Box::pin(moves)) })
    }

    /// What the server says of itself.
    pub(super) async fn report(&mut self) -> Result<Report, Trouble> {
        match self.ask_one(&["INFO", "server", "replication", "memory"]).await {
            // Sections by the handful came with the version that is needed anyhow.
            Err(Trouble::Refused(said)) => Err(Trouble::TooOld(said)),
            info => Ok(Report::read(&text(&info?))),
        }
    }

    /// Sends all of `pipeline` and waits for its `answers`.
    pub(super) async fn ask(
        &mut self,
        pipeline: &Pipeline,
        answers: usize,
    ) -> Result<Vec<Value>, Trouble> {
        let mut answer = std::pin::pin!(ask(self.connection.clone(), pipeline, answers));
        poll_fn(|context| self.poll_with(context, |context| answer.as_mut().poll(context))).await
    }

    /// Looks with `look` for something that comes of this connection, and moves its bytes; an error
    /// if it broke before there was something.
    pub(super) fn poll_with<T>(
        &mut self,
        context: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<Result<T, Trouble>>,
    ) -> Poll<Result<T, Trouble>> {
        // What is to be sent is sent at once, and what has come is seen at once.
        if let Poll::Ready(found) = look(context) {
            return Poll::Ready(found);
        }
        let is_broken = self.poll_broken(context).is_ready();
        let found = look(context);
        if found.is_pending() && is_broken {
            return Poll::Ready(Err(Trouble::Unreachable("the connection broke".to_owned())));
        }
        found
    }

    /// Moves its bytes; ready when the connection broke.
    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.driver else { return Poll::Ready(()) };
        let moved = driver.as_mut().poll(context);
        if moved.is_ready() {
            self.driver = None;
        }
        moved
    }

    /// Asks one thing; no answer within [`DIAL_MAX`] is as bad as none.
    pub(super) async fn ask_one(&mut self, words: &[&str]) -> Result<Value, Trouble> {
        let mut pipeline = Pipeline::new();
        if let Some((name, arguments)) = words.split_first() {
            pipeline.cmd(name).arg(arguments);
        }
        let answers = timeout(DIAL_MAX, self.ask(&pipeline, 1)).await;
        match answers.unwrap_or(Err(Trouble::Silent))?.pop() {
            Some(Value::ServerError(error)) => {
                Err(Trouble::of_server(error.code(), error.details()))
            }
            Some(value) => Ok(value),
            None => Err(Trouble::Garbled),
        }
    }

    /// Another end of the same connection.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Line that is {}", if self.driver.is_some() { "open" } else { "broken" })
    }
}

/// Sends all of `pipeline` over `connection` and waits for its `answers`.
pub(super) async fn ask(
    mut connection: MultiplexedConnection,
    pipeline: &Pipeline,
    answers: usize,
) -> Result<Vec<Value>, Trouble> {
    let answered = connection.send_packed_commands(pipeline, 0, answers).await;
    answered.map_err(|error| Trouble::of_client(&error))
}

impl Primary {
    /// Makes sure that `line` leads to a primary that sells, and learns how to speak to it.
    pub(super) async fn on(line: Line, names: Names, scripts: Scripts) -> Result<Self, Trouble> {
        let tried = timeout(DIAL_MAX, Self::try_out(line, names, scripts)).await;
        tried.unwrap_or(Err(Trouble::Silent))
    }

    async fn try_out(mut line: Line, names: Names, scripts: Scripts) -> Result<Self, Trouble> {
        let report = line.report().await?;
        report.check()?;

        let mut trial = Pipeline::new();
        let name = names.trial();
        trial.cmd("SET").arg(&name).arg(0).arg("PX").arg(TRIAL_MILLIS);
        trial.cmd("INCREX").arg(&name).arg("BYINT").arg(1).arg("PX").arg(TRIAL_MILLIS).arg("ENX");
        let answers = line.ask(&trial, 2).await?;
        if let Some(Value::ServerError(error)) = answers.first() {
            return Err(Trouble::of_server(error.code(), error.details()));
        }
        let has_increx = matches!(
            answers.get(1),
            Some(Value::Array(numbers)) if matches!(numbers.as_slice(), [Value::Int(1), Value::Int(1)])
        );
        let writer = Writer { names, scripts, run: report.run(), has_increx };
        Ok(Self { line, writer, warning: report.evicts.map(Trouble::Evicts) })
    }
}

impl Report {
    fn read(info: &str) -> Self {
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        let policy = field("maxmemory_policy");
        let may_evict = field("maxmemory") != "0" && policy != "noeviction" && !policy.is_empty();
        Self {
            version: field("redis_version"),
            run_id: field("run_id"),
            is_primary: field("role") == "master",
            evicts: may_evict.then_some(policy),
            replicas: field("connected_slaves").parse().unwrap_or(0),
        }
    }

    fn check(&self) -> Result<(), Trouble> {
        let major = self.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < VERSION_MIN) || self.run_id.is_empty() {
            return Err(Trouble::TooOld(self.version.clone()));
        }
        if self.is_primary { Ok(()) } else { Err(Trouble::NotPrimary) }
    }

    /// Which life of which server this is. (The replication id would not do: it changes while a
    /// primary lives, and then two replicas would take each other for being lost.)
    pub(super) fn run(&self) -> u64 {
        let digest = digest([&self.run_id]);
        digest.iter().take(8).fold(0, |run, byte| (run << 8) | u64::from(*byte))
    }
}

async fn secure(
    stream: TcpStream,
    place: &Place,
    tls: &Tls,
) -> Result<SslStream<TcpStream>, Trouble> {
    let failed = |error: openssl::error::ErrorStack| Trouble::Tls(error.to_string());
    let connector = connector(tls)?;
    let ssl = connector.configure().and_then(|ssl| ssl.into_ssl(&place.host)).map_err(failed)?;
    let mut stream = SslStream::new(ssl, stream).map_err(failed)?;
    let shaken = Pin::new(&mut stream).connect().await;
    shaken.map_err(|error| Trouble::Tls(format!("{place}: {error}")))?;
    Ok(stream)
}

fn connector(tls: &Tls) -> Result<SslConnector, Trouble> {
    let failed = |error: openssl::error::ErrorStack| Trouble::Tls(error.to_string());
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(failed)?;
    if let Some(ca) = &tls.ca {
        // Theirs alone: the connector has already taken the machine's list.
        let store = openssl::x509::store::X509StoreBuilder::new().map_err(failed)?;
        builder.set_cert_store(store.build());
        builder.set_ca_file(ca).map_err(|error| file("CA", ca, &error))?;
    }
    if let Some((certificate, key)) = &tls.own {
        builder
            .set_certificate_chain_file(certificate)
            .map_err(|error| file("client certificate", certificate, &error))?;
        builder
            .set_private_key_file(key, SslFiletype::PEM)
            .map_err(|error| file("client key", key, &error))?;
    }
    Ok(builder.build())
}

fn file(what: &str, path: &std::path::Path, error: &openssl::error::ErrorStack) -> Trouble {
    let reason = error.errors().first().and_then(openssl::error::Error::reason);
    let reason = reason.unwrap_or("it cannot be read");
    Trouble::File(format!("the file {} ({what} for Redis) is not usable: {reason}", path.display()))
}

/// What an answer says, if it is text.
pub(super) fn text(value: &Value) -> String {
    if let Value::BulkString(bytes) = value {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.2.4\r\nrun_id:abc\r\n\r\n# Replication\r\n\
        role:master\r\n# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n";

    #[test]
    fn a_primary_that_is_new_enough_will_do() {
        let report = Report::read(INFO);
        assert_eq!(report.check(), Ok(()));
        assert_eq!(report.evicts, None);
        assert_ne!(report.run(), Report::read(&INFO.replace("abc", "abd")).run());
    }

    #[test]
    fn a_replica_and_an_old_server_will_not() {
        let with = |from: &str, to: &str| Report::read(&INFO.replace(from, to));
        assert_eq!(with("role:master", "role:slave").check(), Err(Trouble::NotPrimary));
        assert_eq!(with("7.2.4", "6.2.1").check(), Err(Trouble::TooOld("6.2.1".to_owned())));
        assert_eq!(Report::read("").check(), Err(Trouble::TooOld(String::new())));
    }

    #[test]
    fn counters_that_may_be_evicted_are_a_warning() {
        let report = Report::read(&INFO.replace("maxmemory:0", "maxmemory:100"));
        assert_eq!(report.evicts, Some("allkeys-lru".to_owned()));
    }
}
