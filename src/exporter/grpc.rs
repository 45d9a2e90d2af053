//! OTLP over gRPC.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tokio::time::timeout;
use tonic::client::Grpc as Client;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::backend::Scheme;
use crate::exporter::way::{Collector, Outcome, Signal};
use crate::rpc::dial::{Address, dial};

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Speaks gRPC with a collector.
pub struct Grpc {
    pub(super) collector: Arc<Collector>,
    channel: Option<Channel>,
}

/// Messages that are bytes already.
#[derive(Default)]
struct Written;

impl Grpc {
    pub(super) const fn new(collector: Arc<Collector>) -> Self {
        Self { collector, channel: None }
    }

    pub(super) async fn send(&mut self, signal: Signal, body: &[u8]) -> Outcome {
        let most = self.collector.time_max;
        let body = Bytes::copy_from_slice(body);
        let sent = timeout(most, self.within(signal, body)).await;
        sent.unwrap_or_else(|_late| {
            // Perhaps the connection is dead and nobody said so.
            self.channel = None;
            Outcome::Later(None, format!("there is no answer within {most:?}"))
        })
    }

    async fn within(&mut self, signal: Signal, body: Bytes) -> Outcome {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => match self.dial().await {
                Ok(channel) => self.channel.insert(channel).clone(),
                Err(why) => return Outcome::Later(None, why),
            },
        };
        let mut request = Request::new(body);
        for (name, value) in &self.collector.headers {
            let name = MetadataKey::from_bytes(name.as_bytes());
            let value = MetadataValue::try_from(value.expose());
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(true);
                request.metadata_mut().insert(name, value);
            }
        }
        let mut client = Client::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        if let Err(error) = client.ready().await {
            self.channel = None;
            return Outcome::Later(None, error.to_string());
        }
        match client.unary(request, method(signal), Written).await {
            Ok(response) => Outcome::of(response.get_ref()),
            // What broke on the way is no word of the collector's.
            Err(status) if std::error::Error::source(&status).is_some() => {
                self.channel = None;
                Outcome::Later(None, format!("the connection broke: {}", status.message()))
            }
            Err(status) => judged(&status),
        }
    }

    async fn dial(&self) -> Result<Channel, String> {
        let Collector { url, ca, time_max, .. } = &*self.collector;
        let address = Address::new(&url.host, url.port, url.scheme == Scheme::Https);
        dial(&address, ca.as_ref(), *time_max).await.map_err(|error| error.to_string())
    }
}

fn method(signal: Signal) -> PathAndQuery {
    PathAndQuery::from_static(match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    })
}

/// Which statuses mean later, and which never (OTLP specification, "Failures").
fn judged(status: &Status) -> Outcome {
    let why = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Outcome::Later(None, why),
        // With details it says when there is room again; without, that it never will be, but a
        // collector that is merely full says so, too: it is asked again.
        Code::ResourceExhausted => Outcome::Later(Some(Duration::ZERO), why),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => Outcome::Refused(why),
    }
}

impl Codec for Written {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Written {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl Decoder for Written {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again() {
        assert!(matches!(judged(&Status::unavailable("x")), Outcome::Later(..)));
        assert!(matches!(judged(&Status::resource_exhausted("x")), Outcome::Later(..)));
        assert!(matches!(judged(&Status::unauthenticated("x")), Outcome::Refused(_)));
    }
}
