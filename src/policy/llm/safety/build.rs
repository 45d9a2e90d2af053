//! `llm-content-safety`, read from its element.

use std::sync::Arc;

use super::{CHARACTERS_MAX, ContentSafety, Harm, Levels, SEVERITY_MAX};
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::fault::Fault;
use crate::policy::Side;
use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::{Action, Needs};

const HARMS: [&str; 4] = ["Hate", "SelfHarm", "Sexual", "Violence"];
const LEVELS: [&str; 2] = ["FourSeverityLevels", "EightSeverityLevels"];

fn one_of<const N: usize>(text: &str, known: [&'static str; N]) -> Option<&'static str> {
    known.into_iter().find(|known| known.eq_ignore_ascii_case(text.trim()))
}

impl Term for Harm {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        one_of(text, HARMS).map(Self).ok_or("`Hate`, `SelfHarm`, `Sexual` or `Violence`")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for Levels {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        one_of(text, LEVELS).map(Self).ok_or("`FourSeverityLevels` or `EightSeverityLevels`")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

pub(in crate::policy) fn build(builder: &mut Builder<'_>, element: &Element) {
    let backend = builder.attribute::<Arc<str>>(element, "backend-id");
    let known = backend.as_ref().and_then(Operand::constant).zip(element.value("backend-id"));
    if let Some((text, id)) = known {
        builder.references.knows_backend(text, &id.place(), builder.faults);
    }
    let shields = builder.attribute::<bool>(element, "shield-prompt");
    let completions = builder.attribute(element, "enforce-on-completions");
    let window = number(builder, element, "window-size", (1, CHARACTERS_MAX));
    let overlap = number(builder, element, "window-overlap-size", (0, CHARACTERS_MAX));
    overlaps(builder, element, (window.as_ref(), overlap.as_ref()));
    let side = builder.section.side();
    let shields_nothing =
        side == Side::Response || shields.as_ref().is_none_or(|it| it.constant() == Some(&false));
    let (levels, categories) = categories(builder, element);
    let blocklists = blocklists(builder, element);
    let is_empty = |name| {
        element.element(name).is_none_or(|inside: &Element| inside.elements().next().is_none())
    };
    if shields_nothing && is_empty("categories") && is_empty("blocklists") {
        let message = format!("`{}` looks for nothing", element.name);
        let remedy = "add <categories>, <blocklists>, or in inbound shield-prompt=\"true\"";
        builder.fault(element, message, remedy);
    }
    let Some(backend) = backend else { return };
    let reads = match side {
        Side::Request => Needs { request_body: true, ..Needs::default() },
        Side::Response => Needs { response_body: true, response: true, ..Needs::default() },
    };
    let needs = builder.needs().and(reads);
    let policy = ContentSafety {
        backend,
        backends: Arc::clone(&builder.references.backends),
        shields,
        completions,
        window,
        overlap,
        levels,
        categories,
        blocklists,
        side,
    };
    builder.push_with(element, Action::ContentSafety(Box::new(policy)), needs);
}

type Categories = (Option<Operand<Levels>>, Vec<(Operand<Harm>, Operand<u64>)>);

fn categories(builder: &mut Builder<'_>, element: &Element) -> Categories {
    let (mut levels, mut categories) = (None, Vec::new());
    for inside in element.elements().filter(|child| child.name.as_ref() == "categories") {
        levels = builder.attribute(inside, "output-type").or(levels);
        for category in inside.elements() {
            let name = builder.attribute(category, "name");
            let threshold = number(builder, category, "threshold", (0, SEVERITY_MAX));
            categories.extend(name.zip(threshold));
        }
    }
    (levels, categories)
}

fn blocklists(builder: &mut Builder<'_>, element: &Element) -> Vec<Operand<Arc<str>>> {
    let mut blocklists = Vec::new();
    for inside in element.elements().filter(|child| child.name.as_ref() == "blocklists") {
        for id in inside.elements() {
            blocklists.extend(builder.content_operand(id, "the id of a blocklist"));
        }
    }
    blocklists
}

/// Reads the attribute `name`, a number in `range` where it is known.
fn number(
    builder: &mut Builder<'_>,
    element: &Element,
    name: &str,
    range: (usize, usize),
) -> Option<Operand<u64>> {
    let operand = builder.attribute::<u64>(element, name)?;
    if let (Some(value), Some(text)) = (operand.constant(), element.value(name))
        && within(*value, range).is_none()
    {
        let fault = Fault::new(text.place(), format!("`{name}` is {value}")).wide(text.width());
        let (min, max) = range;
        builder.faults.push(fault.mend(format!("give a number from {min} to {max}")));
    }
    Some(operand)
}

pub(super) fn within(value: u64, (min, max): (usize, usize)) -> Option<usize> {
    usize::try_from(value).ok().filter(|value| (min..=max).contains(value))
}

/// Reports an overlap that is none.
fn overlaps(
    builder: &mut Builder<'_>,
    element: &Element,
    (window, overlap): (Option<&Operand<u64>>, Option<&Operand<u64>>),
) {
    let known = |operand: Option<&Operand<u64>>| operand.and_then(Operand::constant).copied();
    let has = |name| element.attribute(name).is_some();
    if has("window-overlap-size") && !has("window-size") {
        let message = "`window-overlap-size` says nothing without `window-size`";
        builder.fault(element, message, "add window-size=\"…\", or take it out");
    } else if let (Some(window), Some(overlap)) = (known(window), known(overlap))
        && window <= overlap
    {
        let message = format!("windows of {window} characters cannot share {overlap}");
        builder.fault(element, message, "make `window-overlap-size` smaller than `window-size`");
    }
}
