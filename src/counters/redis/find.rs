//! Where the primary of a lane is: a name that leads there, sentinels, or the nodes of a cluster.

use std::collections::VecDeque;
use std::time::Duration;

use redis::Value;
use tokio::time::timeout;

use crate::counters::redis::confirm::Way;
use crate::counters::redis::dial::{Line, Primary, text};
use crate::counters::redis::name::Names;
use crate::counters::redis::script::Scripts;
use crate::counters::redis::settings::{PLACES_MAX, Place, Settings, Topology};
use crate::counters::redis::trouble::Trouble;

/// How long one sentinel may take to answer, connecting included: often the one on the machine of
/// the lost primary is lost too, and the others wait for it.
const SENTINEL_MAX: Duration = Duration::from_millis(300);

/// How many nodes of a cluster are kept in mind.
const NODES_MAX: usize = 2 * PLACES_MAX;

/// Finds the primary of one lane.
#[derive(Debug)]
pub(super) struct Finder {
    settings: Settings,
    names: Names,
    scripts: Scripts,
    /// Open connections to sentinels, in the order of the settings.
    sentinels: Vec<Option<Line>>,
    /// Nodes of the cluster, the one that knew last in front.
    nodes: VecDeque<Place>,
}

/// The primary that a sentinel names, and the number of the failover that made it one.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Named {
    place: Place,
    epoch: u64,
}

impl Finder {
    /// Finds the primary of `lane`.
    pub(super) fn new(settings: Settings, lane: u16) -> Self {
        let nodes = match &settings.topology {
            Topology::Cluster(seeds) => seeds.iter().cloned().collect(),
            Topology::Single(_) | Topology::Sentinel { .. } => VecDeque::new(),
        };
        let sentinels = match &settings.topology {
            Topology::Sentinel { sentinels, .. } => sentinels.iter().map(|_| None).collect(),
            Topology::Single(_) | Topology::Cluster(_) => Vec::new(),
        };
        let names = Names::new(&settings.prefix, lane);
        Self { settings, names, scripts: Scripts::default(), sentinels, nodes }
    }

    /// Connects to the primary, if there is one that sells; says where it is, too.
    pub(super) async fn find(&mut self) -> Result<(Place, Primary), Trouble> {
        let place = match &self.settings.topology {
            Topology::Single(place) => place.clone(),
            Topology::Sentinel { .. } => self.named().await?,
            Topology::Cluster(_) => self.node().await?,
        };
        let (tls, login) = (self.settings.tls.as_ref(), self.settings.login.as_ref());
        let (names, scripts) = (self.names.clone(), self.scripts.clone());
        let primary = match Line::open(&place, tls, login).await {
            Ok(line) => Primary::on(line, names, scripts).await,
            Err(trouble) => Err(trouble),
        };
        if primary.is_err() && !self.nodes.is_empty() {
            // Who sent us there knows no better; next time another one is asked.
            self.nodes.rotate_left(1);
        }
        Ok((place, primary?))
    }

    /// How to get to the primary at `place` a second time.
    pub(super) fn way_to(&self, place: &Place) -> Way {
        let (tls, login) = (self.settings.tls.clone(), self.settings.login.clone());
        Way { place: place.clone(), tls, login }
    }

    /// Whether somebody may know of another primary while the connection to this one still works:
    /// a primary that lost its sentinels goes on selling and does not know.
    pub(super) fn is_watched(&self) -> bool {
        !self.sentinels.is_empty()
    }

    /// Whether the sentinels name another primary than the one at `place`.
    pub(super) async fn has_moved(&mut self, place: &Place) -> bool {
        self.named().await.is_ok_and(|named| named != *place)
    }

    /// What the sentinels say, the newest word of all that answer. One that was cut off knows
    /// nothing of the last failover, so the first to answer is not believed.
    async fn named(&mut self) -> Result<Place, Trouble> {
        let Topology::Sentinel { name, sentinels, login } = &self.settings.topology else {
            return Err(Trouble::Garbled);
        };
        let tls = self.settings.tls.as_ref();
        let mut newest: Option<Named> = None;
        let mut refused = None;
        for (place, line) in sentinels.iter().zip(&mut self.sentinels) {
            let asked = async {
                if line.is_none() {
                    *line = Some(Line::open(place, tls, login.as_ref()).await?);
                }
                let open = line.as_mut().ok_or(Trouble::Silent)?;
                open.ask_one(&["SENTINEL", "MASTER", name]).await
            };
            let answer = timeout(SENTINEL_MAX, asked).await.unwrap_or(Err(Trouble::Silent));
            match answer.map(|answer| Named::read(&answer)) {
                Ok(Some(named)) if newest.as_ref().is_none_or(|old| old.epoch < named.epoch) => {
                    newest = Some(named);
                }
                Ok(_) | Err(Trouble::Refused(_)) => {}
                Err(trouble) => {
                    *line = None;
                    refused = Some(trouble);
                }
            }
        }
        let no_name = || refused.unwrap_or_else(|| Trouble::NoPrimaryNamed(name.clone()));
        newest.map(|named| named.place).ok_or_else(no_name)
    }

    /// The node that serves the slot of the lane, as the first node says that answers.
    async fn node(&mut self) -> Result<Place, Trouble> {
        let slot = self.names.slot();
        let mut last = Trouble::NoNodeForSlot(slot);
        for _ in 0..self.nodes.len() {
            let Some(place) = self.nodes.front().cloned() else { break };
            match slots_of(&self.settings, &place).await {
                Ok(slots) => {
                    let found = primary_of(&slots, slot, &place);
                    self.note(&slots, &place);
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
                Err(trouble) => last = trouble,
            }
            self.nodes.rotate_left(1);
        }
        Err(last)
    }

    /// Remembers the nodes that are named, for the day when the named ones are gone.
    fn note(&mut self, slots: &Value, asked: &Place) {
        for place in ranges(slots).flat_map(|range| nodes(range, asked)) {
            if self.nodes.len() < NODES_MAX && !self.nodes.contains(&place) {
                self.nodes.push_back(place);
            }
        }
    }
}

async fn slots_of(settings: &Settings, place: &Place) -> Result<Value, Trouble> {
    let (tls, login) = (settings.tls.as_ref(), settings.login.as_ref());
    Line::open(place, tls, login).await?.ask_one(&["CLUSTER", "SLOTS"]).await
}

impl Named {
    /// Reads the answer to `SENTINEL MASTER`: names and values in turn.
    fn read(answer: &Value) -> Option<Self> {
        let words = list(answer)?;
        let field = |name: &str| {
            let mut pairs = words.chunks_exact(2);
            let found = pairs.find(|pair| pair.first().map(text).as_deref() == Some(name))?;
            found.last().map(text)
        };
        let host = field("ip").filter(|host| !host.is_empty())?;
        let place = Place { host, port: field("port")?.parse().ok()? };
        Some(Self { place, epoch: field("config-epoch")?.parse().ok()? })
    }
}

/// The parts of an answer to `CLUSTER SLOTS`: first slot, last slot, nodes, the primary first.
fn ranges(slots: &Value) -> impl Iterator<Item = &[Value]> {
    list(slots).unwrap_or_default().iter().filter_map(list)
}

fn list(value: &Value) -> Option<&[Value]> {
    if let Value::Array(values) = value { Some(values) } else { None }
}

fn nodes<'a>(range: &'a [Value], asked: &'a Place) -> impl Iterator<Item = Place> + 'a {
    range.iter().skip(2).filter_map(move |node| {
        let node = list(node)?;
        let Some(Value::Int(port)) = node.get(1) else { return None };
        let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
        // A node that does not know its own name means the one that it was asked by.
        let host = node.first().map(text).filter(|host| !host.is_empty() && host != "?");
        Some(Place { host: host.unwrap_or_else(|| asked.host.clone()), port })
    })
}

fn primary_of(slots: &Value, slot: u16, asked: &Place) -> Option<Place> {
    let slot = i64::from(slot);
    let range = ranges(slots).find(|range| {
        matches!(range, [Value::Int(first), Value::Int(last), ..] if (*first..=*last).contains(&slot))
    })?;
    nodes(range, asked).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect())
    }

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![Value::BulkString(host.as_bytes().to_vec()), Value::Int(port)])
    }

    #[test]
    fn a_sentinel_names_a_primary() {
        let answer = words(&["name", "ip", "ip", "10.0.0.1", "port", "7", "config-epoch", "12"]);
        let place = Place { host: "10.0.0.1".to_owned(), port: 7 };
        assert_eq!(Named::read(&answer), Some(Named { place, epoch: 12 }));
        assert_eq!(Named::read(&words(&["ip", "a"])), None);
        assert_eq!(Named::read(&Value::Nil), None);
    }

    #[test]
    fn a_cluster_names_the_primary_of_a_slot() {
        let range = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let slots = Value::Array(vec![
            range(0, 100, vec![node("a", 1), node("b", 2)]),
            range(101, 200, vec![node("", 3)]),
        ]);
        let asked = Place { host: "seed".to_owned(), port: 9 };
        let at = |host: &str, port| Some(Place { host: host.to_owned(), port });
        assert_eq!(primary_of(&slots, 100, &asked), at("a", 1));
        assert_eq!(primary_of(&slots, 101, &asked), at("seed", 3));
        assert_eq!(primary_of(&slots, 201, &asked), None);
        assert_eq!(primary_of(&Value::Nil, 1, &asked), None);
    }
}
