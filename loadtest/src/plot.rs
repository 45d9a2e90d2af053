//! Pictures of figures, as text of SVG: curves over an axis, and bars with whiskers.
//!
//! Each picture has its own background and follows the theme of whoever looks (light or dark), so that
//! it can be read on any page.

pub(crate) mod bars;
pub(crate) mod scale;

use self::scale::Scale;

/// The whole picture, and the part of it in which curves are.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 836.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 362.0;

/// Colours that can be told apart on both backgrounds, also by who sees no red or green.
const COLOURS: [&str; 8] =
    ["#0f7b6c", "#d9730d", "#2f6fd0", "#b0458f", "#8a8f98", "#c4a000", "#5b4fc4", "#c0392b"];

/// What all pictures share: fonts, and the two themes.
const STYLE: &str = "\
    text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:17px;font-weight:600}\
    .note{font-size:12px;fill:#59636e}.card{fill:#ffffff;stroke:#d1d9e0}.grid{stroke:#d1d9e0;stroke-width:1}\
    .axis{stroke:#59636e;stroke-width:1}.band{fill:#59636e;fill-opacity:.13}.mark{stroke:#1f2328;stroke-width:1.5;\
    stroke-dasharray:6 4;fill:none}.whisker{stroke:#1f2328;stroke-width:1.5}\
    @media (prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.card{fill:#0d1117;stroke:#3d444d}\
    .grid{stroke:#2a313c}.axis{stroke:#9198a1}.band{fill:#9198a1;fill-opacity:.2}.mark{stroke:#f0f6fc}\
    .whisker{stroke:#f0f6fc}}";

/// An axis.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What it shows, with its unit.
    pub(crate) label: String,
    /// From where to where.
    pub(crate) scale: Scale,
    /// Names at places of it, instead of figures.
    pub(crate) names: Vec<(f64, String)>,
}

/// Curves.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Above it.
    pub(crate) title: String,
    /// Below that, in small letters.
    pub(crate) note: String,
    /// To the right.
    pub(crate) x: Axis,
    /// Upwards.
    pub(crate) y: Axis,
    /// The curves, with their names.
    pub(crate) curves: Vec<(String, Vec<(f64, f64)>)>,
    /// Whether points are marked, because there are few.
    pub(crate) has_points: bool,
    /// A span of the horizontal axis that is shaded, with what it is.
    pub(crate) band: Option<(f64, f64, String)>,
    /// A height that is marked, with what it is.
    pub(crate) mark: Option<(f64, String)>,
}

impl Chart {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let mut svg = begin(&self.title, &self.note, HEIGHT);
        if let Some((from, to, label)) = &self.band {
            let (from, to) = (self.across(*from), self.across(*to));
            element(
                &mut svg,
                format!(
                    "<rect class=\"band\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"/>",
                    (to - from).max(0.0),
                    BOTTOM - TOP
                ),
            );
            text(&mut svg, ("note", "middle"), (f64::midpoint(from, to), TOP + 16.0), label);
        }
        self.axes(&mut svg);
        if let Some((height, label)) = &self.mark {
            let y = self.up(*height);
            element(&mut svg, line("mark", (LEFT, y), (RIGHT, y)));
            text(&mut svg, ("note", "end"), (RIGHT - 4.0, y - 6.0), label);
        }
        for ((_, points), colour) in self.curves.iter().zip(colours()) {
            self.curve(&mut svg, points, colour);
        }
        let names: Vec<&str> = self.curves.iter().map(|(name, _)| name.as_str()).collect();
        legend(&mut svg, &names);
        svg.push_str("</svg>\n");
        svg
    }

    fn axes(&self, svg: &mut String) {
        for (value, label) in self.y.ticks() {
            let y = self.up(value);
            element(svg, line("grid", (LEFT, y), (RIGHT, y)));
            text(svg, ("note", "end"), (LEFT - 8.0, y + 4.0), &label);
        }
        for (value, label) in self.x.ticks() {
            let x = self.across(value);
            element(svg, line("axis", (x, BOTTOM), (x, BOTTOM + 5.0)));
            text(svg, ("note", "middle"), (x, BOTTOM + 20.0), &label);
        }
        element(svg, line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM)));
        text(svg, ("note", "middle"), (f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0), &self.x.label);
        let middle = f64::midpoint(TOP, BOTTOM);
        element(
            svg,
            format!(
                "<text class=\"note\" text-anchor=\"middle\" transform=\"translate(20 {middle}) rotate(-90)\">{}</text>",
                escaped(&self.y.label)
            ),
        );
    }

    fn curve(&self, svg: &mut String, points: &[(f64, f64)], colour: &str) {
        let places: Vec<(f64, f64)> =
            points.iter().map(|(x, y)| (self.across(*x), self.up(*y))).collect();
        let list: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        element(
            svg,
            format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\"/>",
                list.join(" ")
            ),
        );
        for (x, y) in places.iter().filter(|_| self.has_points) {
            element(
                svg,
                format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"),
            );
        }
    }

    fn across(&self, value: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * self.x.scale.place(value)
    }

    fn up(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * self.y.scale.place(value)
    }
}

impl Axis {
    fn ticks(&self) -> Vec<(f64, String)> {
        if self.names.is_empty() { self.scale.ticks() } else { self.names.clone() }
    }
}

/// The colours, again and again.
fn colours() -> impl Iterator<Item = &'static str> {
    COLOURS.into_iter().cycle()
}

/// The beginning of a picture: its size, its style, its title.
fn begin(title: &str, note: &str, height: f64) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n",
        escaped(title)
    );
    element(
        &mut svg,
        format!(
            "<rect class=\"card\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>",
            WIDTH - 1.0,
            height - 1.0
        ),
    );
    text(&mut svg, ("title", "start"), (20.0, 30.0), title);
    text(&mut svg, ("note", "start"), (20.0, 50.0), note);
    svg
}

/// What the colours mean, in a row below the title.
fn legend(svg: &mut String, names: &[&str]) {
    let mut x = 20.0;
    for (name, colour) in names.iter().zip(colours()) {
        element(
            svg,
            format!(
                "<rect x=\"{x:.1}\" y=\"60\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/>"
            ),
        );
        text(svg, ("note", "start"), (x + 17.0, 71.0), name);
        // As wide as such letters are, about.
        x += 36.0 + 7.0 * crate::statistics::float(name.chars().count());
    }
}

fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
}

fn text(svg: &mut String, (class, anchor): (&str, &str), (x, y): (f64, f64), words: &str) {
    element(
        svg,
        format!(
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(words)
        ),
    );
}

fn element(svg: &mut String, element: String) {
    svg.extend([element, "\n".to_owned()]);
}

/// Words as they may stand in XML.
fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::scale::Scale;
    use super::{Axis, Chart};

    /// Reads a document as far as its form goes: one element around everything, what is opened is
    /// closed, values are quoted, `&` and `<` only where they may stand. Names of the elements in it.
    pub(crate) fn parse(document: &str) -> Result<Vec<String>, String> {
        let (mut open, mut seen) = (Vec::new(), Vec::new());
        let mut rest = document.trim();
        while let Some((words, more)) = rest.split_once('<') {
            for entity in words.split('&').skip(1) {
                let known =
                    ["amp;", "lt;", "gt;", "quot;"].iter().any(|one| entity.starts_with(one));
                known.then_some(()).ok_or(format!("& in {words}"))?;
            }
            let (tag, after) = more.split_once('>').ok_or("a tag that does not end")?;
            if let Some(name) = tag.strip_prefix('/') {
                let opened: Option<String> = open.pop();
                (opened.as_deref() == Some(name)).then_some(()).ok_or(format!("/{name}"))?;
            } else {
                let name = tag.trim_end_matches('/').split(' ').next().unwrap().to_owned();
                let quotes = tag.matches('"').count();
                let values = tag.split('"').step_by(2).map(|part| part.matches('=').count());
                let values: usize = values.sum();
                (quotes == values * 2).then_some(()).ok_or(format!("quotes in {tag}"))?;
                (!open.is_empty() || seen.is_empty()).then_some(()).ok_or("two roots")?;
                if !tag.ends_with('/') {
                    open.push(name.clone());
                }
                seen.push(name);
            }
            rest = after;
        }
        if open.is_empty() && rest.is_empty() { Ok(seen) } else { Err(format!("{open:?} {rest}")) }
    }

    #[test]
    fn a_chart_is_well_formed_and_says_what_it_shows() {
        let axis = |label: &str, scale| Axis { label: label.to_owned(), scale, names: Vec::new() };
        let svg = Chart {
            title: "Less < more & \"so on\"".to_owned(),
            note: String::new(),
            x: axis("time, s", Scale::linear(0.0, 10.0)),
            y: axis("latency, ms", Scale::log(0.3, 40.0)),
            curves: vec![("weir".to_owned(), vec![(0.0, 0.5), (10.0, 30.0)])],
            has_points: true,
            band: Some((2.0, 4.0, "Redis is gone".to_owned())),
            mark: Some((10.0, "limit".to_owned())),
        }
        .svg();
        let seen = parse(&svg).unwrap();
        assert_eq!(seen.iter().filter(|name| *name == "circle").count(), 2);
        for words in [
            "time, s",
            "latency, ms",
            "weir",
            "Redis is gone",
            "Less &lt; more &amp; &quot;so on&quot;",
        ] {
            assert!(svg.contains(words), "{words}");
        }
        assert!(svg.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn the_reader_finds_what_is_not_well_formed() {
        for wrong in ["<a><b></a>", "<a>&</a>", "<a x=1/>", "<a/><b/>", "<a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("<a x=\"1\"><b/>&lt;</a>").unwrap(), ["a", "b"]);
    }
}
