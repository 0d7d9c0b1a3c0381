//! What a replica has charged, as rows of tables, one for each bucket, and rows as what was charged.

use vtc_core::Tokens;

use super::row::Row;

/// The table of a bucket.
pub(super) fn table_of(bucket: u64) -> String {
    format!("t{bucket}")
}

/// The bucket of a table; `None` if it has other rows.
pub(super) fn bucket_of(table: &str) -> Option<u64> {
    table.strip_prefix('t')?.parse().ok()
}

/// Thousandths of a token, without leading zeros: most amounts are small.
pub(super) fn value_of(amount: Tokens) -> Box<[u8]> {
    let bytes = amount.units().to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].into()
}

/// The user and the amount of a row; `None` if it is none.
pub(super) fn charge_of(Row { key, value }: &Row) -> Option<(&str, Tokens)> {
    let user = std::str::from_utf8(key).ok()?;
    let Some(value) = value else { return Some((user, Tokens::ZERO)) };
    let mut bytes = [0; 8];
    let zeros = bytes.len().checked_sub(value.len())?;
    bytes[zeros..].copy_from_slice(value);
    Some((user, Tokens::from_units(u64::from_be_bytes(bytes))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_says_what_was_charged(user in ".{0,20}", units in 0..=Tokens::MAX.units()) {
            let amount = Tokens::from_units(units);
            let row = Row { key: user.as_bytes().into(), value: Some(value_of(amount)) };
            prop_assert_eq!(charge_of(&row), Some((user.as_str(), amount)));
        }
    }

    #[test]
    fn what_is_no_charge_is_passed_over() {
        let row = |key: &[u8], value: &[u8]| {
            charge_of(&Row { key: key.into(), value: Some(value.into()) }).is_some()
        };
        assert!(row(b"a", &[1; 8]) && row(b"a", &[]));
        assert!(!row(b"a", &[1; 9]) && !row(&[0xff], &[1]));
        assert_eq!((bucket_of("t12"), bucket_of("q"), bucket_of("tx")), (Some(12), None, None));
    }
}
