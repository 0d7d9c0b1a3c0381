//! How series are told apart: by colour, by brightness and by their marks.

use plotters::style::RGBColor;

/// The colours of Okabe and Ito that are dark enough for a line on white, and a grey; neighbours far apart in
/// brightness.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(120, 120, 120),
];

/// Corners of marks around (0, 0), in tenths of their size; a circle has none.
const MARKS: [&[(i32, i32)]; 8] = [
    &[],
    &[(-9, -9), (9, -9), (9, 9), (-9, 9)],
    &[(0, -12), (11, 8), (-11, 8)],
    &[(0, -13), (13, 0), (0, 13), (-13, 0)],
    &[(0, 12), (11, -8), (-11, -8)],
    &[
        (-4, -12),
        (4, -12),
        (4, -4),
        (12, -4),
        (12, 4),
        (4, 4),
        (4, 12),
        (-4, 12),
        (-4, 4),
        (-12, 4),
        (-12, -4),
        (-4, -4),
    ],
    &[
        (0, -5),
        (7, -12),
        (12, -7),
        (5, 0),
        (12, 7),
        (7, 12),
        (0, 5),
        (-7, 12),
        (-12, 7),
        (-5, 0),
        (-12, -7),
        (-7, -12),
    ],
    &[(-13, -5), (13, -5), (13, 5), (-13, 5)],
];

/// How one series looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// The colour of its line and its marks.
    pub colour: RGBColor,
    /// The corners of its mark, in tenths of the mark's size around (0, 0); a circle if there are none.
    pub mark: &'static [(i32, i32)],
}

// === impl Look ===

impl Look {
    /// How the series of that number, from 0, looks: eight differ in both, 64 in one.
    pub const fn of(number: usize) -> Self {
        let colour = (number + number / MARKS.len()) % COLOURS.len();
        Self { colour: COLOURS[colour], mark: MARKS[number % MARKS.len()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_64_look_the_same() {
        let looks: Vec<_> = (0..64).map(Look::of).collect();
        for (number, look) in looks.iter().enumerate() {
            assert!(!looks[..number].contains(look), "{number}");
            let is_alike = |other: &Look| other.mark == look.mark || other.colour == look.colour;
            assert!(number >= 8 || !looks[..number].iter().any(is_alike), "{number}");
        }
    }

    /// On grey paper: relative luminance, from 0 to 1.
    #[test]
    fn neighbours_differ_in_brightness_and_none_is_too_bright() {
        let brightness = |number| {
            let RGBColor(r, g, b) = Look::of(number).colour;
            let linear = |part: u8| (f64::from(part) / 255.0).powf(2.2);
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        for number in 0..8 {
            assert!(brightness(number) < 0.5, "{number}");
            assert!((brightness(number) - brightness(number + 1)).abs() > 0.03, "{number}");
        }
    }
}
