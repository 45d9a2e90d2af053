//! From figures to places on an axis, evenly or by powers of ten, and the figures that are written
//! beside it.

/// An axis asks for about so many figures.
const TICKS: f64 = 5.0;

/// From where to where, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Scale {
    /// Evenly from `low` to `high` or further, to where a figure stands.
    pub(crate) fn linear(low: f64, high: f64) -> Self {
        let step = step((high - low).max(f64::MIN_POSITIVE));
        Self { low, high: low + ((high - low) / step).ceil().max(1.0) * step, is_log: false }
    }

    /// Evenly from `low` to `high`, no further.
    pub(crate) fn exact(low: f64, high: f64) -> Self {
        Self { low, high, is_log: false }
    }

    /// By powers of ten, from one that is not above `low` to one that is not below `high`.
    pub(crate) fn log(low: f64, high: f64) -> Self {
        let low = 10_f64.powf(low.max(f64::MIN_POSITIVE).log10().floor());
        let high = 10_f64.powf(high.max(low * 10.0).log10().ceil());
        Self { low, high, is_log: true }
    }

    /// Where a figure stands: 0 is the beginning, 1 the end. What lies outside stands at the edge.
    pub(crate) fn place(self, value: f64) -> f64 {
        let place = if self.is_log {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The figures beside it, and how they are written.
    pub(crate) fn ticks(self) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        let step = step(self.high - self.low);
        let mut value = self.low;
        // A scale never has more than some tens.
        while value <= self.high * (1.0 + 1e-9) && ticks.len() < 100 {
            ticks.push((value, written(value)));
            value = if self.is_log { value * 10.0 } else { value + step };
        }
        ticks
    }
}

/// A round step that divides `span` into about as many parts as there are to be.
fn step(span: f64) -> f64 {
    let rough = span / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| rough <= *step).unwrap_or(power * 10.0)
}

/// A figure without digits that say nothing.
fn written(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::Scale;

    fn ticks(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, written)| written).collect()
    }

    #[test]
    fn a_log_scale_gives_each_power_of_ten_the_same_room() {
        let scale = Scale::log(0.2, 80.0);
        assert_eq!(ticks(scale), ["0.1", "1", "10", "100"]);
        assert!((scale.place(1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert!((scale.place(10.0) - 2.0 / 3.0).abs() < 1e-9);
        assert!((scale.place(0.0)).abs() < 1e-9, "nothing is below the edge");
    }

    #[test]
    fn a_linear_scale_ends_where_a_figure_stands() {
        let scale = Scale::linear(0.0, 930.0);
        assert_eq!(ticks(scale), ["0", "200", "400", "600", "800", "1000"]);
        assert!((scale.place(500.0) - 0.5).abs() < 1e-9);
        assert_eq!(ticks(Scale::linear(0.0, 1.3)).last().unwrap(), "1.5");
    }

    #[test]
    fn nothing_to_show_is_no_reason_to_fail() {
        assert!(Scale::linear(0.0, 0.0).place(3.0).is_finite());
        assert!(!ticks(Scale::log(0.0, 0.0)).is_empty());
    }
}
