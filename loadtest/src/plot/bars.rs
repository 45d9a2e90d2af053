//! Horizontal bars in groups, with whiskers from the least to the greatest, and a line at one.

use super::scale::Scale;
use super::{begin, colours, element, legend, line, text};
use crate::statistics::{Spread, float};

const LEFT: f64 = 190.0;
const RIGHT: f64 = 790.0;
const TOP: f64 = 92.0;
const BAR: f64 = 13.0;
const BETWEEN_GROUPS: f64 = 16.0;
/// Below the bars: figures and the label.
const FOOT: f64 = 60.0;

/// Bars in groups: each group has a bar for each name.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    /// Above it.
    pub(crate) title: String,
    /// Below that, in small letters.
    pub(crate) note: String,
    /// What the lengths are.
    pub(crate) label: String,
    /// The names of the bars of a group.
    pub(crate) names: Vec<String>,
    /// The groups: a bar that is not there has no spread.
    pub(crate) groups: Vec<(String, Vec<Option<Spread>>)>,
}

impl Bars {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let group = BAR * float(self.names.len()) + BETWEEN_GROUPS;
        let bottom = TOP + group * float(self.groups.len());
        let mut svg = begin(&self.title, &self.note, bottom + FOOT);
        let all = self.groups.iter().flat_map(|(_, bars)| bars.iter().flatten());
        let most = all.map(|spread| spread.max).fold(1.0, f64::max);
        let scale = Scale::linear(0.0, most);
        let across = |value: f64| LEFT + (RIGHT - LEFT) * scale.place(value);
        for (value, label) in scale.ticks() {
            element(&mut svg, line("grid", (across(value), TOP), (across(value), bottom)));
            text(&mut svg, ("note", "middle"), (across(value), bottom + 18.0), &label);
        }
        text(
            &mut svg,
            ("note", "middle"),
            (f64::midpoint(LEFT, RIGHT), bottom + 40.0),
            &self.label,
        );
        let mut top = TOP + BETWEEN_GROUPS / 2.0;
        for (name, bars) in &self.groups {
            let middle = top + (group - BETWEEN_GROUPS) / 2.0 + 4.0;
            text(&mut svg, ("note", "end"), (LEFT - 10.0, middle), name);
            for (at, (bar, colour)) in bars.iter().zip(colours()).enumerate() {
                let y = top + BAR * float(at);
                let Some(Spread { median, min, max }) = *bar else { continue };
                element(
                    &mut svg,
                    format!(
                        "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                        across(median) - LEFT,
                        BAR - 2.0
                    ),
                );
                let y = y + BAR / 2.0 - 1.0;
                element(&mut svg, line("whisker", (across(min), y), (across(max), y)));
                for end in [min, max] {
                    element(
                        &mut svg,
                        line("whisker", (across(end), y - 3.0), (across(end), y + 3.0)),
                    );
                }
                text(
                    &mut svg,
                    ("note", "start"),
                    (across(max) + 6.0, y + 4.0),
                    &format!("{median:.2}"),
                );
            }
            top += group;
        }
        element(&mut svg, line("mark", (across(1.0), TOP), (across(1.0), bottom)));
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        legend(&mut svg, &names);
        svg.push_str("</svg>\n");
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::Bars;
    use crate::plot::tests::parse;
    use crate::statistics::Spread;

    #[test]
    fn bars_are_well_formed_and_a_missing_one_leaves_its_place() {
        let spread = Spread::of([0.8, 1.0, 1.3]);
        let bars = Bars {
            title: "Ratios".to_owned(),
            note: "three rounds".to_owned(),
            label: "over bare Pingora".to_owned(),
            names: vec!["CPU".to_owned(), "p99".to_owned()],
            groups: vec![
                ("nginx".to_owned(), vec![spread, None]),
                ("weir".to_owned(), vec![spread; 2]),
            ],
        };
        let svg = bars.svg();
        let seen = parse(&svg).unwrap();
        // The background, two colours of the legend, three bars.
        assert_eq!(seen.iter().filter(|name| *name == "rect").count(), 6);
        assert!(svg.contains("over bare Pingora") && svg.contains("1.00"));
    }
}
