//! Small things that replicas keep for each other in the Redis of their limits, beside the counters.
//!
//! A [`Drawer`] is a connection for one errand: what is in it is rare, and no way of a request. All of
//! it lies on the primary of lane 0, and it asks for nothing that counters do not need to be allowed. Each
//! answer has two seconds.

use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::timeout;

use crate::counters::redis::dial::{DIAL_MAX, Line};
use crate::counters::redis::find::Finder;
use crate::counters::redis::name::Names;
use crate::counters::redis::settings::Settings;
use crate::counters::redis::trouble::Trouble;

/// A connection for one errand.
#[derive(Debug)]
pub struct Drawer {
    line: Line,
    names: Names,
}

/// What a table holds under one name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What is there.
    pub value: String,
}

impl Drawer {
    /// Connects to the Redis of `settings`.
    pub async fn open(settings: &Settings) -> Result<Self, Trouble> {
        let (_place, primary) = Finder::new(settings.clone(), 0).find().await?;
        Ok(Self { line: primary.line, names: Names::new(&settings.prefix, 0) })
    }

    /// What all replicas agree that `key` is: what the first of them put there.
    pub async fn agree(&mut self, key: &str, own: &str) -> Result<Vec<u8>, Trouble> {
        let name = self.names.kept(key);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("SET").arg(&name).arg(own).arg("NX");
        pipeline.cmd("GET").arg(&name);
        bytes(self.ask(&pipeline, 2).await?.pop())?.ok_or(Trouble::Garbled)
    }

    /// Keeps `value` under `key` for `life`.
    pub async fn put(&mut self, key: &str, value: &str, life: Duration) -> Result<(), Trouble> {
        let mut pipeline = Pipeline::new();
        let (name, millis) = (self.names.kept(key), millis(life));
        pipeline.cmd("SET").arg(name).arg(value).arg("PX").arg(millis);
        self.ask(&pipeline, 1).await.map(drop)
    }

    /// What is kept under `key`.
    pub async fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("GET").arg(self.names.kept(key));
        bytes(self.ask(&pipeline, 1).await?.pop())
    }

    /// Puts `value` into the table `key`, in place of the oldest once there are `most`; all of it ends
    /// `life` after the last.
    pub async fn file(
        &mut self,
        key: &str,
        value: &str,
        (most, life): (usize, Duration),
    ) -> Result<(), Trouble> {
        let (name, numbers) = (self.names.kept(key), self.names.kept(&format!("{key}:number")));
        let mut next = Pipeline::new();
        next.cmd("INCRBY").arg(&numbers).arg(1);
        let Some(Value::Int(number)) = self.ask(&next, 1).await?.pop() else {
            return Err(Trouble::Garbled);
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HSET").arg(&name).arg(number.rem_euclid(most)).arg(value);
        pipeline.cmd("PEXPIRE").arg(&name).arg(millis(life));
        self.ask(&pipeline, 2).await.map(drop)
    }

    /// All that the table `key` holds, in no order.
    pub async fn filed(&mut self, key: &str) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HGETALL").arg(self.names.kept(key));
        let Some(Value::Array(all)) = self.ask(&pipeline, 1).await?.pop() else {
            return Err(Trouble::Garbled);
        };
        // Names and values in turn.
        let values = all.into_iter().skip(1).step_by(2);
        Ok(values.filter_map(|value| bytes(Some(value)).ok().flatten()).collect())
    }

    /// The time there, in microseconds since the epoch, and all that the table `key` holds, by name.
    pub async fn table(&mut self, key: &str) -> Result<(u64, Vec<Entry>), Trouble> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("TIME");
        pipeline.cmd("HGETALL").arg(self.names.kept(key));
        let answers: [Value; 2] =
            self.ask(&pipeline, 2).await?.try_into().map_err(|_other| Trouble::Garbled)?;
        let [Value::Array(time), Value::Array(all)] = answers else {
            return Err(Trouble::Garbled);
        };
        let text = |value: Value| Some(String::from_utf8(bytes(Some(value)).ok()??).ok());
        let mut time = time.into_iter().map(|part| text(part)??.parse::<u64>().ok());
        let (Some(Some(seconds)), Some(Some(micros))) = (time.next(), time.next()) else {
            return Err(Trouble::Garbled);
        };
        let mut words = all.into_iter().map(text);
        let mut entries = Vec::new();
        while let (Some(Some(name)), Some(Some(value))) = (words.next(), words.next()) {
            // What is no text is not of ours.
            entries.extend(name.zip(value).map(|(name, value)| Entry { name, value }));
        }
        Ok((seconds.saturating_mul(1_000_000).saturating_add(micros), entries))
    }

    /// Puts entries into the table `key`, and takes others away; all of it ends `life` after the last.
    pub async fn write(
        &mut self,
        key: &str,
        (put, taken): (&[Entry], &[String]),
        life: Duration,
    ) -> Result<(), Trouble> {
        let (name, mut pipeline, mut answers) = (self.names.kept(key), Pipeline::new(), 0_usize);
        if !put.is_empty() {
            let command = pipeline.cmd("HSET").arg(&name);
            for Entry { name, value } in put {
                command.arg(name).arg(value);
            }
            pipeline.cmd("PEXPIRE").arg(&name).arg(millis(life));
            answers = answers.saturating_add(2);
        }
        if !taken.is_empty() {
            pipeline.cmd("HDEL").arg(&name).arg(taken);
            answers = answers.saturating_add(1);
        }
        if answers == 0 { Ok(()) } else { self.ask(&pipeline, answers).await.map(drop) }
    }

    async fn ask(&mut self, pipeline: &Pipeline, answers: usize) -> Result<Vec<Value>, Trouble> {
        let asked = timeout(DIAL_MAX, self.line.ask(pipeline, answers)).await;
        let answered = asked.unwrap_or(Err(Trouble::Silent))?;
        for answer in &answered {
            if let Value::ServerError(error) = answer {
                return Err(Trouble::of_server(error.code(), error.details()));
            }
        }
        Ok(answered)
    }
}

fn bytes(answer: Option<Value>) -> Result<Option<Vec<u8>>, Trouble> {
    match answer {
        Some(Value::BulkString(bytes)) => Ok(Some(bytes)),
        Some(Value::Nil) => Ok(None),
        _ => Err(Trouble::Garbled),
    }
}

fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX)
}
