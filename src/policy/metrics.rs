//! Policies that measure: `emit-metric`, `llm-emit-token-metric`, `azure-openai-emit-token-metric`.
//!
//! A sample is left in the exchange; whoever ends it hands it to those who are scraped. What a
//! dimension says of a client is cut and covered as the keys of limits are, so no secret of a request
//! becomes a label.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::exchange::sample::{SAMPLES_MAX, Sample, Series};
use crate::exchange::secrets::HIDDEN;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::limits::shown;
use crate::policy::llm::metering;
use crate::policy::machine::Flow;
use crate::policy::markup::{Element, Text};
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::{Action, Needs};

/// The most dimensions of one metric that have a value of their own.
const CUSTOM_MAX: usize = 10;
/// The namespace, unless the policy gives one.
const NAMESPACE: &str = "API Management";

/// `emit-metric`.
#[derive(Clone, Debug)]
pub struct EmitMetric {
    name: Arc<str>,
    value: Option<Operand<Number>>,
    labels: Labels,
}

/// `llm-emit-token-metric`.
#[derive(Clone, Debug)]
pub struct EmitTokenMetric {
    labels: Labels,
}

/// Namespace and dimensions.
#[derive(Clone, Debug)]
struct Labels {
    namespace: Arc<str>,
    dimensions: Vec<Dimension>,
}

/// What tells samples apart.
#[derive(Clone, Debug)]
struct Dimension {
    name: Operand<Arc<str>>,
    /// None: what the name stands for.
    value: Option<Operand<Arc<str>>>,
}

/// What dimensions without a value stand for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Usual {
    Api,
    Operation,
    Product,
    User,
    Subscription,
    Location,
    Gateway,
    Backend,
}

const USUAL: [(&str, Usual); 8] = [
    ("API ID", Usual::Api),
    ("Operation ID", Usual::Operation),
    ("Product ID", Usual::Product),
    ("User ID", Usual::User),
    ("Subscription ID", Usual::Subscription),
    ("Location", Usual::Location),
    ("Gateway ID", Usual::Gateway),
    ("Backend ID", Usual::Backend),
];

/// A number that can be summed up.
#[derive(Clone, Copy, Debug)]
struct Number(f64);

impl Term for Number {
    const EXPECTED: Expected = Expected::Double;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(Self).ok_or("a number")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

pub(super) fn emit_metric(builder: &mut Builder<'_>, element: &Element) {
    let name = builder.literal(element, "name");
    let value = builder.attribute(element, "value");
    let labels = Labels::read(builder, element);
    if let Some(name) = name {
        let metric = EmitMetric { name, value, labels };
        builder.push(element, Action::EmitMetric(Box::new(metric)));
    }
}

pub(super) fn emit_token_metric(builder: &mut Builder<'_>, element: &Element) {
    let labels = Labels::read(builder, element);
    let needs = builder.needs().and(Needs { request_body: true, ..Needs::default() });
    let metric = EmitTokenMetric { labels };
    builder.push_with(element, Action::EmitTokenMetric(Box::new(metric)), needs);
}

impl Labels {
    fn read(builder: &mut Builder<'_>, element: &Element) -> Self {
        let namespace = builder.literal(element, "namespace");
        let mut dimensions: Vec<Dimension> = Vec::new();
        for child in element.elements().filter(|child| child.name.as_ref() == "dimension") {
            let Some(name) = builder.attribute::<Arc<str>>(child, "name") else { continue };
            let value = child.value("value").and_then(|text| {
                let value = builder.attribute(child, "value")?;
                Some(if text.is_secret() { Operand::Constant(Arc::from(HIDDEN)) } else { value })
            });
            if let Some(name) = name.constant() {
                let known = dimensions.iter().filter_map(|known| known.name.constant());
                if known.into_iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    let message = format!("the dimension `{name}` stands here a second time");
                    builder.fault(child, message, "keep one of the two");
                } else if child.value("value").is_none() && usual(name).is_none() {
                    wrong_name(builder, child, name);
                }
            }
            dimensions.push(Dimension { name, value });
        }
        let custom = element.elements().filter(|child| child.value("value").is_some()).count();
        if element.element("dimension").is_none() {
            let message = format!("`{}` has no `dimension`", element.name);
            builder.fault(element, message, "add <dimension name=\"API ID\" />");
        } else if CUSTOM_MAX < custom {
            let message =
                format!("`{}` has {custom} dimensions with a value of their own", element.name);
            let remedy = format!("keep {CUSTOM_MAX} of them");
            builder.fault(element, message, &remedy);
        }
        Self { namespace: namespace.unwrap_or_else(|| Arc::from(NAMESPACE)), dimensions }
    }

    fn series(&self, exchange: &mut Exchange) -> Result<Series, Failure> {
        let mut dimensions = Vec::with_capacity(self.dimensions.len());
        for Dimension { name, value } in &self.dimensions {
            let name = name.get(exchange)?;
            let text = if let Some(value) = value {
                value.get(exchange)?
            } else if let Some(usual) = usual(&name) {
                usual.of(exchange)
            } else {
                let name = shown(&name, exchange);
                return Err(Failure::value(format!("the dimension {name} has no value")));
            };
            dimensions.push((shown(&name, exchange), shown(&text, exchange)));
        }
        let namespace = Arc::clone(&self.namespace);
        Ok(Series { namespace, dimensions: dimensions.into() })
    }
}

fn wrong_name(builder: &mut Builder<'_>, element: &Element, name: &str) {
    let names: Vec<_> = USUAL.iter().map(|(name, _)| format!("`{name}`")).collect();
    let place = element.value("name").map_or_else(|| element.place.clone(), Text::place);
    let fault = Fault::new(place, format!("the dimension `{name}` has no value"));
    let remedy = format!("add value=\"…\"; only these go without: {}", names.join(", "));
    builder.faults.push(fault.wide(name.len()).mend(remedy));
}

/// What a dimension of this name stands for, if it needs no value. Names ignore case.
fn usual(name: &str) -> Option<Usual> {
    let found = USUAL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    found.map(|(_, usual)| *usual)
}

impl Usual {
    /// What it is for this exchange; empty where there is nothing.
    fn of(self, exchange: &Exchange) -> Arc<str> {
        let id = match self {
            Self::Api => exchange.api.as_ref().map(|api| &api.id),
            Self::Operation => exchange.operation.as_ref().map(|operation| &operation.id),
            Self::Product => exchange.product.as_ref().map(|product| &product.id),
            Self::User => exchange.user.as_ref().map(|user| &user.id),
            Self::Subscription => exchange.subscription.as_ref().map(|known| &known.id),
            Self::Location => Some(&exchange.deployment.region),
            Self::Gateway => Some(&exchange.deployment.gateway_id),
            Self::Backend => exchange.backend.as_ref().map(|backend| &backend.id),
        };
        id.map_or_else(|| Arc::from(""), Arc::clone)
    }
}

impl EmitMetric {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let value = match &self.value {
            Some(value) => value.get(exchange)?.0,
            None => 1.0,
        };
        let series = self.labels.series(exchange)?;
        if exchange.samples.len() < SAMPLES_MAX {
            exchange.samples.push(Sample { name: Arc::clone(&self.name), value, series });
        }
        Ok(Flow::Next)
    }
}

impl EmitTokenMetric {
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let series = self.labels.series(exchange)?;
        let wanted = &mut metering(exchange).series;
        if wanted.len() < SAMPLES_MAX {
            wanted.push(series);
        }
        Ok(Flow::Next)
    }
}
