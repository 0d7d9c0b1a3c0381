//! The least squares of a few coefficients, none of them negative.

/// One equation: the terms times the coefficients are to be 1.
pub(super) type Row = [f64; TERMS];

/// How many coefficients there are.
pub(super) const TERMS: usize = 4;

/// The coefficients, none negative, for which the sum over the rows of `(row * coefficients - 1)^2` is least. A term that
/// no row tells apart from the others has 0. O(rows).
///
/// The least sum is that without any bound for those coefficients that are not 0 in it. So all choices of these are
/// tried, which are few.
pub(super) fn fit(rows: &[Row]) -> [f64; TERMS] {
    let mut normal = [[0.0; TERMS]; TERMS];
    let mut right = [0.0; TERMS];
    for row in rows {
        for (i, term) in row.iter().enumerate() {
            right[i] += term;
            row.iter().enumerate().for_each(|(j, other)| normal[i][j] += term * other);
        }
    }
    let solutions = (1_u32..1 << TERMS).filter_map(|chosen| solve(normal, right, chosen));
    let allowed = solutions.filter(|solution| solution.iter().all(|it| *it >= 0.0));
    // The sum less the number of rows, which is the same for all.
    let excess = |x: &[f64; TERMS]| -> f64 {
        let product = |row: &[f64; TERMS]| row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
        x.iter().zip(&normal).zip(right).map(|((x, row), right)| x * (product(row) - 2.0 * right)).sum()
    };
    allowed.min_by(|a, b| excess(a).total_cmp(&excess(b))).unwrap_or_default()
}

/// The solution of the normal equations in which only the chosen coefficients, one bit each, are not 0; `None` where they
/// cannot be told apart.
fn solve(mut a: [[f64; TERMS]; TERMS], mut b: [f64; TERMS], chosen: u32) -> Option<[f64; TERMS]> {
    for i in (0..TERMS).filter(|i| chosen & (1 << i) == 0) {
        a.iter_mut().for_each(|row| row[i] = 0.0);
        a[i] = [0.0; TERMS];
        (a[i][i], b[i]) = (1.0, 0.0);
    }
    // The matrix is symmetric and not negative: it needs no pivoting, only that no pivot is lost in what it was.
    let before: [f64; TERMS] = std::array::from_fn(|i| a[i][i]);
    for i in 0..TERMS {
        if a[i][i] <= before[i] * 1e-9 {
            return None;
        }
        for j in i + 1..TERMS {
            let factor = a[j][i] / a[i][i];
            let above = a[i];
            a[j].iter_mut().zip(above).for_each(|(it, above)| *it -= factor * above);
            b[j] -= factor * b[i];
        }
    }
    let mut x = [0.0; TERMS];
    for i in (0..TERMS).rev() {
        let known: f64 = (i + 1..TERMS).map(|j| a[i][j] * x[j]).sum();
        x[i] = (b[i] - known) / a[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(rows: &[Row], x: [f64; TERMS]) -> f64 {
        rows.iter().map(|row| (row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>() - 1.0).powi(2)).sum()
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        proptest::collection::vec([0.0..4.0, 0.0..4.0, 0.0..4.0, 0.0..4.0], 1..30)
    }

    proptest! {
        #[test]
        fn no_other_coefficients_do_better(rows in rows(), others in rows()) {
            let found = fit(&rows);
            prop_assert!(found.iter().all(|it| *it >= 0.0));
            let least = sum(&rows, found);
            for other in others {
                prop_assert!(least <= sum(&rows, other) + 1e-6, "{found:?} {other:?}");
                // Nearby, too.
                let near: [f64; TERMS] = std::array::from_fn(|i| found[i] + 0.001 * (other[i] - found[i]));
                prop_assert!(least <= sum(&rows, near) + 1e-6, "{found:?} {near:?}");
            }
        }

        #[test]
        fn coefficients_that_made_the_rows_are_found(truth in [0.0..3.0, 0.0..3.0, 0.0..3.0, 0.1..3.0], terms in rows()) {
            prop_assume!(terms.len() > 5);
            let time = |row: &Row| row.iter().zip(truth).map(|(a, x)| a * x).sum::<f64>();
            let rows: Vec<Row> = terms.iter().filter(|row| time(row) > 0.01).map(|row| row.map(|it| it / time(row))).collect();
            prop_assert!(sum(&rows, fit(&rows)) < 1e-9);
        }
    }

    #[test]
    fn what_is_not_told_apart_is_0() {
        assert_eq!(fit(&[]), [0.0; TERMS]);
        let [a, b, c, d] = fit(&[[2.0, 2.0, 0.0, 0.0], [4.0, 4.0, 0.0, 0.0]]);
        assert!((a == 0.0) != (b == 0.0) && c + d == 0.0, "{a} {b} {c} {d}");
    }
}
