//! `log-to-eventhub`: an event for whoever looks at requests later.
//!
//! The event is queued in memory and sent in the background: an event hub that is slow or away
//! slows no request, and fails none. What the queue has no room for is dropped, and counted.
//!
//! A message longer than [`MESSAGE_BYTES_MAX`] is cut there, as API Management does, between two
//! characters; a partition key longer than [`PARTITION_KEY_CHARACTERS_MAX`] too, so that equal keys
//! still lead to one partition. An empty partition key is none. A message of nothing is an event
//! with nothing in it. Only `logger-id` that an expression makes can name a logger that is not
//! there: that is an error of the request, as for backends.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::backend::event_hub::EventHub;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;

/// The longest message, in bytes: 200 KB.
pub const MESSAGE_BYTES_MAX: usize = 200 << 10;
/// The longest partition key, in characters.
pub const PARTITION_KEY_CHARACTERS_MAX: usize = 128;
/// The highest number of a partition.
const PARTITION_MAX: u64 = 2_047;

/// Every logger, by id.
pub type Loggers = BTreeMap<Arc<str>, Arc<EventHub>>;

/// An event, ready to be sent.
#[derive(Clone, Debug)]
pub struct HubEvent {
    /// The logger.
    pub logger: Arc<str>,
    /// Where that leads.
    pub hub: Arc<EventHub>,
    /// To which partition.
    pub partition: Partition,
    /// The message.
    pub text: Arc<str>,
}

/// To which partition an event goes.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Partition {
    /// To any.
    Any,
    /// To that one.
    Number(u64),
    /// To the one of this key.
    Key(Arc<str>),
}

/// `log-to-eventhub`.
#[derive(Clone, Debug)]
pub struct LogToEventHub {
    logger: Operand<Arc<str>>,
    loggers: Arc<Loggers>,
    partition: To,
    message: Operand<Arc<str>>,
}

#[derive(Clone, Debug)]
enum To {
    Fixed(Partition),
    Key(Operand<Arc<str>>),
}

pub(in crate::policy) fn log_to_eventhub(builder: &mut Builder<'_>, element: &Element) {
    let logger = builder.attribute::<Arc<str>>(element, "logger-id");
    let place = element.attribute("logger-id").map(|id| id.value.place());
    if let (Some(id), Some(place)) = (logger.as_ref().and_then(Operand::constant), place) {
        builder.references.knows_logger(id, &place, builder.faults);
    }
    let partition = partition(builder, element);
    let is_empty = element.elements().next().is_none()
        && element.texts().all(|text| text.as_str().trim().is_empty());
    if is_empty {
        let message = "`log-to-eventhub` has no message";
        builder.fault(element, message, "put the message between its tags: text, or @(…)");
        return;
    }
    let text = element.text_content().unwrap_or_else(|| element.inner_markup());
    let message = builder.operand::<Arc<str>>(&text, "the message");
    if let (Some(logger), Some(partition), Some(message)) = (logger, partition, message) {
        let loggers = Arc::clone(&builder.references.loggers);
        let policy = LogToEventHub { logger, loggers, partition, message };
        builder.push(element, Action::LogToEventHub(Box::new(policy)));
    }
}

fn partition(builder: &mut Builder<'_>, element: &Element) -> Option<To> {
    match (element.attribute("partition-id"), element.attribute("partition-key")) {
        (Some(_), Some(_)) => {
            let message = "`partition-id` and `partition-key` are both given";
            builder.fault(element, message, "keep one of the two");
            None
        }
        (None, None) => Some(To::Fixed(Partition::Any)),
        (Some(id), None) => {
            let place = id.value.place();
            let number = builder.literal::<u64>(element, "partition-id")?;
            if PARTITION_MAX < number {
                let fault = Fault::new(place, format!("`partition-id` is {number}"));
                let remedy = format!("give the number of a partition, from 0 to {PARTITION_MAX}");
                builder.faults.push(fault.mend(remedy));
            }
            Some(To::Fixed(Partition::Number(number)))
        }
        (None, Some(key)) => {
            let place = key.value.place();
            let key = builder.attribute::<Arc<str>>(element, "partition-key")?;
            if let Some(text) = key.constant()
                && PARTITION_KEY_CHARACTERS_MAX < text.chars().count()
            {
                let message = "`partition-key` is too long".to_owned();
                let remedy = format!("give at most {PARTITION_KEY_CHARACTERS_MAX} characters");
                builder.faults.push(Fault::new(place, message).mend(remedy));
            }
            Some(To::Key(key))
        }
    }
}

impl LogToEventHub {
    /// Makes the event.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let wanted = self.logger.get(exchange)?;
        let (logger, hub) = self.loggers.get_key_value(&wanted).ok_or_else(|| {
            Failure::value(format!("there is no logger {}", self.logger.shown(&wanted)))
        })?;
        let partition = match &self.partition {
            To::Fixed(partition) => partition.clone(),
            To::Key(key) => of_key(&key.get(exchange)?),
        };
        let text = cut(self.message.get(exchange)?);
        let (logger, hub) = (Arc::clone(logger), Arc::clone(hub));
        Ok(Flow::Ask(Effect::Emit(Box::new(HubEvent { logger, hub, partition, text }))))
    }
}

fn of_key(key: &str) -> Partition {
    if key.is_empty() {
        return Partition::Any;
    }
    match key.char_indices().nth(PARTITION_KEY_CHARACTERS_MAX) {
        Some((end, _)) => Partition::Key(Arc::from(key.get(..end).unwrap_or(key))),
        None => Partition::Key(Arc::from(key)),
    }
}

/// The message, or its beginning.
fn cut(text: Arc<str>) -> Arc<str> {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(MESSAGE_BYTES_MAX);
    text.get(..end).map_or(Arc::clone(&text), Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_two_characters() {
        let long = format!("{}é!", "x".repeat(MESSAGE_BYTES_MAX - 1));
        assert_eq!(cut(Arc::from(long)).len(), MESSAGE_BYTES_MAX - 1);
        let fits = "x".repeat(MESSAGE_BYTES_MAX);
        assert_eq!(cut(Arc::from(fits.as_str())).len(), MESSAGE_BYTES_MAX);
        assert_eq!(of_key(""), Partition::Any);
        let Partition::Key(key) = of_key(&"é".repeat(129)) else { panic!() };
        assert_eq!(key.chars().count(), PARTITION_KEY_CHARACTERS_MAX);
    }
}
