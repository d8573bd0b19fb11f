//! Chance, by which those who would come together come apart.

/// A number between 0 and 1. Where there is no randomness it is the middle: pauses are then only less spread.
pub fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
