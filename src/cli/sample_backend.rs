//! `weir sample-backend`: the backend that the sample configuration talks to. It says what it was
//! asked, so that what policies did to a request can be seen.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::cli::{Outcome, complain, say};

/// Serves the backend that the sample configuration talks to.
#[derive(Debug, Args)]
pub struct SampleBackend {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

/// The most connections at one time.
const CONNECTIONS_MAX: usize = 256;
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// The largest body that is repeated, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a connection may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(75);

impl SampleBackend {
    /// Serves until the process is ended.
    pub fn run(&self) -> Outcome {
        let listener = match TcpListener::bind(self.listen) {
            Ok(listener) => listener,
            Err(error) => {
                complain(&format!("cannot listen on {}: {error}\n", self.listen));
                return Outcome::Failed;
            }
        };
        let address = listener.local_addr().unwrap_or(self.listen);
        say(&mut io::stdout().lock(), &format!("sample backend on http://{address}\n"));
        let connections = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming().flatten() {
            if CONNECTIONS_MAX <= connections.fetch_add(1, Ordering::Relaxed) {
                connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let counted = Arc::clone(&connections);
            let spawned = thread::Builder::new().spawn(move || {
                // A client that goes away is nothing to complain about.
                let _ = serve(&stream);
                counted.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_err() {
                connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
        Outcome::Fine
    }
}

/// One request, as it came.
struct Asked {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(asked) = next(stream, &mut buffer)? {
        let body = answer(&asked);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Powered-By: sample-backend\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let silent = asked.method == "HEAD";
        stream.write_all(head.as_bytes())?;
        if !silent {
            stream.write_all(body.as_bytes())?;
        }
    }
    Ok(())
}

/// Reads the next request; `None` at the end of the connection or of what is understood.
fn next(mut stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    let mut piece = [0_u8; 8 << 10];
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end;
        }
        let read = stream.read(&mut piece)?;
        if read == 0 || HEAD_BYTES_MAX < buffer.len() {
            return Ok(None);
        }
        buffer.extend_from_slice(piece.get(..read).unwrap_or_default());
    };
    let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).into_owned();
    buffer.drain(..end.saturating_add(4));
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = fields.iter().find(|(name, _value)| name == "content-length");
    let length = length.and_then(|(_name, value)| value.parse::<usize>().ok()).unwrap_or(0);
    while buffer.len() < length.min(BODY_BYTES_MAX) {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(None);
        }
        buffer.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    let body: Vec<u8> = buffer.drain(..length.min(buffer.len())).collect();
    Ok(Some(Asked { method: method.to_owned(), target: target.to_owned(), fields, body }))
}

/// What was asked, as JSON.
fn answer(asked: &Asked) -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        asked.fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let said = serde_json::json!({
        "backend": "sample",
        "method": asked.method,
        "target": asked.target,
        "headers": fields,
        "body": String::from_utf8_lossy(&asked.body),
    });
    serde_json::to_string_pretty(&said).unwrap_or_default() + "\n"
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
