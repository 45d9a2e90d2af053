//! Keeps what secret named values put into a document out of the faults about it.

use crate::exchange::secrets::HIDDEN;
use crate::fault::{Fault, Place};
use crate::policy::markup::{Element, Node, Text};

/// Takes the secret texts of `element`, and of all that is in it, out of `faults`.
pub(super) fn hide(element: &Element, faults: &mut [Fault]) {
    if faults.is_empty() {
        return;
    }
    let mut secrets = Vec::new();
    collect(element, &mut secrets);
    // A secret may be a part of a longer one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for fault in faults {
        for secret in &secrets {
            fault.message = fault.message.replace(secret, HIDDEN);
            fault.remedy = fault.remedy.take().map(|remedy| remedy.replace(secret, HIDDEN));
        }
    }
}

/// What is said of an expression that a secret is part of: no more, for what is wrong may be the
/// secret itself.
pub(super) fn wrong_expression(place: Place) -> Fault {
    let fault = Fault::new(place, "an expression that a secret named value is part of is wrong");
    fault.mend("try it with a plain named value to see what is wrong")
}

/// The same of a template.
pub(super) fn wrong_template(place: Place) -> Fault {
    let fault = Fault::new(place, "a template that a secret named value is part of is wrong");
    fault.mend("try it with a plain named value to see what is wrong")
}

fn collect<'a>(element: &'a Element, secrets: &mut Vec<&'a str>) {
    let mut keep = |text: &'a Text| {
        let shown = text.as_str().trim();
        if text.is_secret() && !shown.is_empty() {
            secrets.push(shown);
        }
    };
    element.attributes.iter().for_each(|attribute| keep(&attribute.value));
    element.texts().for_each(&mut keep);
    for node in &element.content {
        if let Node::Element(child) = node {
            collect(child, secrets);
        }
    }
}
