//! Kubernetes quantities, compared by value and rendered the way the API server renders them.

use std::{borrow::Cow, cmp::Ordering, fmt, str::FromStr};

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
/// object can be compared with the stored one by plain equality.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    milli: i128,
    binary: bool,
}

impl Quantity {
    /// Whole units, such as a number of pods.
    pub const fn units(units: u32) -> Self {
        // `From` is not const yet; the cast from u32 loses nothing.
        Self { milli: units as i128 * 1000, binary: false }
    }

    /// So many gibibytes.
    pub const fn gibibytes(count: u32) -> Self {
        Self { milli: count as i128 * 1000 * (1 << 30), binary: true }
    }

    /// So many mebibytes.
    pub const fn mebibytes(count: u32) -> Self {
        Self { milli: count as i128 * 1000 * (1 << 20), binary: true }
    }

    /// Thousandths of a unit, such as millicores.
    pub const fn milli(count: u32) -> Self {
        Self { milli: count as i128, binary: false }
    }

    /// Both amounts together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { milli: self.milli + other.milli, binary: self.binary || other.binary }
    }

    /// So many times this amount.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { milli: self.milli * i128::from(count), binary: self.binary }
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
        return (milli % 1000 == 0).then_some(Quantity { milli: milli / 1000, binary: false });
    }
    let power = |list: &[&str], base: i128| {
        let index = u32::try_from(list.iter().position(|s| *s == suffix)?).ok()?;
        Some(base.pow(index))
    };
    if let Some(factor) = power(&DECIMAL, 1000) {
        return Some(Quantity { milli: milli * factor, binary: false });
    }
    let milli = milli * power(&BINARY, 1024)?;
    (milli % 1000 == 0).then_some(Quantity { milli, binary: true })
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
    /// The canonical form of `resource.Quantity`: the largest suffix that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milli % 1000 != 0 {
            return write!(f, "{}m", self.milli);
        }
        let units = self.milli / 1000;
        // apimachinery renders binary amounts below 1024 without a suffix.
        let (base, suffixes) = if self.binary && units >= 1024 { (1024, BINARY) } else { (1000, DECIMAL) };
        let mut mantissa = units;
        let mut suffix = 0;
        while mantissa != 0 && mantissa % base == 0 && suffix + 1 < suffixes.len() {
            mantissa /= base;
            suffix += 1;
        }
        write!(f, "{mantissa}{}", suffixes[suffix])
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.milli == other.milli
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.milli.cmp(&other.milli)
    }
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
