//! A server that has `INCREX`, which no server has that can be installed here: it stands in front of
//! a real Redis, passes everything on, and carries out that one command as Redis 8.8 and Valkey 9.2
//! document it.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use redis::{Parser, Value};

use super::redis::{Redis, Talk, text};

/// How the command is had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Increx {
    /// It answers with the new value and what was added.
    Pair,
    /// As Valkey first had it: it answers with the new value, ...
    Value,
    /// ... and does not know `ENX`.
    WithoutEnx,
}

/// The server. It ends with the tests.
pub(crate) struct WithIncrex {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    used: Arc<AtomicU64>,
}

impl WithIncrex {
    /// One in front of `redis`.
    pub(crate) fn before(redis: &Redis, increx: Increx) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let used = Arc::new(AtomicU64::new(0));
        let (count, behind) = (Arc::clone(&used), redis.address);
        // What it does for one is not to be seen half done by another.
        let turn = Arc::new(Mutex::new(()));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, turn) = (Arc::clone(&count), Arc::clone(&turn));
                thread::spawn(move || serve(stream, &mut Talk::to(behind), increx, &count, &turn));
            }
        });
        Self { address, used }
    }

    /// How often the command was used.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Answers what comes over `stream` until it ends.
fn serve(stream: TcpStream, talk: &mut Talk, increx: Increx, used: &AtomicU64, turn: &Mutex<()>) {
    stream.set_nodelay(true).expect("a socket");
    let (mut reader, mut parser) = (BufReader::new(stream), Parser::new());
    while let Ok(Value::Array(words)) = parser.parse_value(&mut reader) {
        let words: Vec<_> = words.iter().map(text).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let alone = turn.lock().expect("nobody panicked");
        let answer = match words.as_slice() {
            ["INCREX", key, options @ ..] => {
                used.fetch_add(1, Ordering::Relaxed);
                carry_out(talk, increx, key, options)
            }
            _ => written(&talk.ask(&words)),
        };
        drop(alone);
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// `INCREX key [BYINT n] [PX ms | PXAT ms] [ENX]`, the options in any order.
fn carry_out(talk: &mut Talk, increx: Increx, key: &str, options: &[&str]) -> String {
    let (mut step, mut expires, mut enx) = (1_i64, None, false);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number = || options.next().and_then(|text| text.parse::<i64>().ok());
        match (*option, increx) {
            ("BYINT", _) => step = number().expect("a number"),
            ("PX", _) => expires = Some(("PEXPIRE", number().expect("a number"))),
            ("PXAT", _) => expires = Some(("PEXPIREAT", number().expect("a number"))),
            ("ENX", Increx::Pair | Increx::Value) => enx = true,
            _ => return "-ERR syntax error\r\n".to_owned(),
        }
    }
    let kept = talk.ask(&["GET", key]);
    let now = if kept == Value::Nil { 0 } else { text(&kept).parse::<i64>().expect("a number") };
    if now.checked_add(step).is_none() {
        return format!("*2\r\n:{now}\r\n:0\r\n");
    }
    let Value::Int(value) = talk.ask(&["INCRBY", key, &step.to_string()]) else {
        return "-WRONGTYPE of another kind\r\n".to_owned();
    };
    if let Some((command, at)) = expires {
        let at = at.to_string();
        let words = [command, key, &at, "NX"];
        talk.ask(if enx { &words } else { &words[..3] });
    }
    match increx {
        Increx::Pair => format!("*2\r\n:{value}\r\n:{step}\r\n"),
        Increx::Value | Increx::WithoutEnx => format!(":{value}\r\n"),
    }
}

/// An answer as a server writes it.
fn written(value: &Value) -> String {
    if let Value::Int(number) = value {
        format!(":{number}\r\n")
    } else if let Value::BulkString(_) = value {
        let text = text(value);
        format!("${}\r\n{text}\r\n", text.len())
    } else if let Value::Array(values) = value {
        let all: String = values.iter().map(written).collect();
        format!("*{}\r\n{all}", values.len())
    } else if let Value::ServerError(error) = value {
        format!("-{} {}\r\n", error.code(), error.details().unwrap_or_default())
    } else if let Value::SimpleString(text) = value {
        format!("+{text}\r\n")
    } else if *value == Value::Okay {
        "+OK\r\n".to_owned()
    } else {
        assert_eq!(*value, Value::Nil, "nothing else is asked for");
        "$-1\r\n".to_owned()
    }
}
