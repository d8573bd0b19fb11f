//! Kubernetes quantities, compared by value and rendered the way the API server renders them.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::checked::InvalidName;

pub(crate) const PATTERN: &str = r"^[0-9]{1,15}(\.[0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$";
pub(crate) const RULE: &str = "use a number with at most three decimals and one of the suffixes m, k, M, G, T, P, Ki, Mi, Gi, Ti, Pi, \
                    such as 500m, 4 or 8Gi; whole bytes or whole thousandths";
const DECIMAL: [&str; 6] = ["", "k", "M", "G", "T", "P"];
const BINARY: [&str; 6] = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/// An amount of a resource, such as `500m` or `8Gi`.
///
/// The API server stores quantities in canonical form (`1024Mi` becomes `1Gi`). So does this type, and a rendered
/// object can be compared with the stored one by plain equality. Where the server knows two forms, `1Gi` and `1073741824`, this type knows
/// the shorter one: what is as much is written alike, so another notation changes no object and restarts nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    milli: i128,
}

impl Quantity {
    /// Whole units, such as a number of pods.
    pub const fn units(units: u32) -> Self {
        // `From` is not const yet; the cast from u32 loses nothing.
        Self { milli: units as i128 * 1000 }
    }

    /// So many gibibytes.
    pub const fn gibibytes(count: u32) -> Self {
        Self { milli: count as i128 * 1000 * (1 << 30) }
    }

    /// So many mebibytes.
    pub const fn mebibytes(count: u32) -> Self {
        Self { milli: count as i128 * 1000 * (1 << 20) }
    }

    /// Thousandths of a unit, such as millicores.
    pub const fn milli(count: u32) -> Self {
        Self { milli: count as i128 }
    }

    /// Both amounts together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { milli: self.milli + other.milli }
    }

    /// So many times this amount.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { milli: self.milli * i128::from(count) }
    }

    /// The value in thousandths.
    pub const fn in_milli(self) -> i128 {
        self.milli
    }
}

impl FromStr for Quantity {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidName::new("quantity", text, RULE))
    }
}

fn parse(text: &str) -> Option<Quantity> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 3 || number.ends_with('.') {
        return None;
    }
    let milli = whole.parse::<i128>().ok()? * 1000 + format!("{fraction:0<3}").parse::<i128>().ok()?;
    if suffix == "m" {
        return (milli % 1000 == 0).then_some(Quantity { milli: milli / 1000 });
    }
    let power = |list: &[&str], base: i128| {
        let index = u32::try_from(list.iter().position(|s| *s == suffix)?).ok()?;
        Some(base.pow(index))
    };
    if let Some(factor) = power(&DECIMAL, 1000) {
        return Some(Quantity { milli: milli * factor });
    }
    let milli = milli * power(&BINARY, 1024)?;
    (milli % 1000 == 0).then_some(Quantity { milli })
}

impl TryFrom<String> for Quantity {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.to_string()
    }
}

impl fmt::Display for Quantity {
    /// The canonical form of `resource.Quantity`: the largest suffix that leaves a whole number; of two the shorter, and the binary one of two
    /// that are as long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milli % 1000 != 0 {
            return write!(f, "{}m", self.milli);
        }
        let units = self.milli / 1000;
        let (binary, decimal) = (with_suffix(units, 1024, &BINARY), with_suffix(units, 1000, &DECIMAL));
        f.write_str(if binary.len() <= decimal.len() { &binary } else { &decimal })
    }
}

fn with_suffix(units: i128, base: i128, suffixes: &[&str]) -> String {
    let (mut mantissa, mut suffix) = (units, 0);
    while mantissa != 0 && mantissa % base == 0 && suffix + 1 < suffixes.len() {
        mantissa /= base;
        suffix += 1;
    }
    format!("{mantissa}{}", suffixes[suffix])
}

impl schemars::JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": 24, "pattern": PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<Quantity>().expect(text).to_string()
    }

    #[test]
    fn canonical_form_is_the_api_servers() {
        for (given, stored) in [
            ("1024Mi", "1Gi"),
            ("8Gi", "8Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("2000m", "2"),
            ("1000", "1k"),
            ("512Ki", "512Ki"),
            ("1Ki", "1Ki"),
            ("0", "0"),
            ("0Gi", "0"),
            ("4", "4"),
        ] {
            assert_eq!(canonical(given), stored, "{given}");
        }
    }

    #[test]
    fn what_is_as_much_is_written_alike() {
        for (one, other, written) in [
            ("1073741824", "1Gi", "1Gi"),
            ("128G", "125000000Ki", "128G"),
            ("1024k", "1000Ki", "1024k"),
            ("2048", "2Ki", "2Ki"),
            ("1536", "1.5Ki", "1536"),
        ] {
            assert_eq!((canonical(one).as_str(), canonical(other).as_str()), (written, written));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(whole in 0_u64..100_000_000_000_000, suffix in 0_usize..13) {
            let suffixes = ["m", "", "k", "M", "G", "T", "P", "", "Ki", "Mi", "Gi", "Ti", "Pi"];
            let quantity: Quantity = format!("{whole}{}", suffixes[suffix]).parse().expect("a quantity");
            let written = quantity.to_string();
            proptest::prop_assert_eq!(written.parse::<Quantity>().expect("what is written is one"), quantity);
        }
    }

    #[test]
    fn quantities_compare_by_value() {
        let parse = |t: &str| t.parse::<Quantity>().expect("quantity");
        assert_eq!(parse("1024Mi"), parse("1Gi"));
        assert!(parse("1G") < parse("1Gi"));
        assert!(parse("900m") < parse("1"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for bad in ["", "Gi", "1e3", "-1", "1.", "1.0001", "0.5m", "1.001Ki", "4 ", "1gi"] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
    }
}
