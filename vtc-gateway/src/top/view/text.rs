//! Numbers and names in few characters.

use ratatui::symbols::bar;

/// Without what a terminal would obey.
pub(super) use crate::ask::plain;

/// A number in five characters or less: `12`, `1.2k`, `340k`, `5.6M`.
pub(super) fn short(number: f64) -> String {
    let size = number.abs();
    let (divisor, unit) = match size {
        _ if size < 999.5 => {
            return if size < 9.95 && size.fract() != 0.0 {
                format!("{number:.1}")
            } else {
                format!("{number:.0}")
            };
        }
        _ if size < 999.5e3 => (1e3, "k"),
        _ if size < 999.5e6 => (1e6, "M"),
        _ => (1e9, "G"),
    };
    let number = number / divisor;
    if number.abs() < 9.95 { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

/// A time with its unit: `120 ms`, `1.2 s`, `90 s`; `-` of none.
pub(super) fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) if seconds < 9.95 => format!("{seconds:.1} s"),
        Some(seconds) => format!("{seconds:.0} s"),
    }
}

/// A bar of so many characters for a part from 0 to 1, in eighths of a character.
pub(super) fn bar(part: f64, width: usize) -> String {
    // The cast saturates, and gives 0 for NaN.
    let eighths = (part.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    let full = bar::FULL.repeat(eighths / 8);
    let rest = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    let bar = if eighths.is_multiple_of(8) { full } else { full + rest };
    format!("{bar:<width$}")
}

/// Numbers over time as a line of small columns, the largest as high as a line.
pub(super) fn trend(numbers: impl Iterator<Item = f64>) -> String {
    let numbers: Vec<f64> = numbers.collect();
    let most = numbers.iter().copied().fold(0.0, f64::max);
    let columns = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let column = |number: &f64| {
        if most > 0.0 { columns[(number.max(0.0) / most * 7.0).round() as usize % 8] } else { columns[0] }
    };
    numbers.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        let numbers = [0.0, 0.04, 1.25, 9.96, 42.0, 999.4, 999.6, 12_345.0, 999_600.0, 2.5e9, -3.25];
        let expected = ["0", "0.0", "1.2", "10", "42", "999", "1.0k", "12k", "1.0M", "2.5G", "-3.2"];
        assert_eq!(numbers.map(short), expected);
        let times = [None, Some(0.0), Some(0.12), Some(0.9996), Some(9.96), Some(123.4)];
        assert_eq!(times.map(time), ["-", "0 ms", "120 ms", "1.0 s", "10 s", "123 s"]);
    }

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        let parts = [-1.0, 0.0, 0.125, 0.5, 0.99, 2.0, f64::NAN];
        assert_eq!(parts.map(|part| bar(part, 4)), ["    ", "    ", "▌   ", "██  ", "████", "████", "    "]);
        assert_eq!(trend([0.0, 1.0, 2.0, -3.0].into_iter()), "▁▅█▁");
        assert_eq!(trend([0.0, 0.0].into_iter()), "▁▁");
    }
}
