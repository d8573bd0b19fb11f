//! A generated secret value: made here, handed to one SDK request, never seen anywhere else (rule S9).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Random bytes in a value.
const RANDOM_BYTES: usize = 32;
/// Their length in base64 without padding: four characters for every three bytes, rounded up.
const ENCODED_LENGTH: usize = (RANDOM_BYTES * 4).div_ceil(3);

/// A freshly generated value: 256 random bits in URL-safe base64 without padding, zeroized on drop.
///
/// It implements neither `Debug` nor `Display` nor `Clone` nor `Serialize`, so that no log line, status or panic
/// message can hold it. The only way out is [`copy_for_request`](Self::copy_for_request), for `secrets.rs`.
pub(super) struct GeneratedValue(Zeroizing<String>);

impl GeneratedValue {
    /// Draws a value from the system's secure random source.
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut random = Zeroizing::new([0_u8; RANDOM_BYTES]);
        getrandom::fill(random.as_mut_slice())?;
        Ok(Self::encode(&random))
    }

    fn encode(random: &[u8; RANDOM_BYTES]) -> Self {
        let mut encoded = Zeroizing::new([0_u8; ENCODED_LENGTH]);
        // The buffer has exactly the length that is needed. Were it ever too short, the text would be shorter than
        // ENCODED_LENGTH, which the tests would see.
        let length = URL_SAFE_NO_PAD.encode_slice(random, encoded.as_mut_slice()).unwrap_or(0);
        // Room for all of it at once: growing would leave a copy behind in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(ENCODED_LENGTH));
        text.extend(encoded.iter().take(length).map(|byte| char::from(*byte)));
        Self(text)
    }

    /// A copy for one request to Secrets Manager.
    ///
    /// The SDK takes a `String` by value, writes it into a JSON body, and TLS encrypts that in buffers of its own; none
    /// of these is zeroized when it is freed, and nothing here can change that. What this type holds is.
    pub(super) fn copy_for_request(&self) -> String {
        self.0.as_str().to_owned()
    }

    /// Whether `text` holds the value.
    pub(super) fn is_in(&self, text: &str) -> bool {
        text.contains(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::{Debug, Display},
        marker::PhantomData,
    };

    use super::*;

    #[test]
    fn a_value_is_43_url_safe_characters_and_never_the_same() {
        let one = GeneratedValue::generate().expect("random source").copy_for_request();
        let other = GeneratedValue::generate().expect("random source").copy_for_request();
        assert_eq!(one.len(), 43);
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        assert_ne!(one, other);
    }

    #[test]
    fn it_is_the_url_safe_base64_of_the_random_bytes() {
        let value = GeneratedValue::encode(&[0xff; 32]);
        assert_eq!(value.copy_for_request(), format!("{}8", "_".repeat(42)));
        assert!(value.is_in(&format!("a{}b", value.copy_for_request())));
        assert!(!value.is_in("a"));
    }

    /// The constants say `false` for every type; where the bound holds, the inherent one of the same name wins.
    trait Cannot {
        const DEBUG: bool = false;
        const DISPLAY: bool = false;
        const CLONE: bool = false;
        const SERIALIZE: bool = false;
    }
    struct Can<T>(PhantomData<T>);
    impl<T> Cannot for Can<T> {}
    impl<T: Debug> Can<T> {
        const DEBUG: bool = true;
    }
    impl<T: Display> Can<T> {
        const DISPLAY: bool = true;
    }
    impl<T: Clone> Can<T> {
        const CLONE: bool = true;
    }
    impl<T: serde::Serialize> Can<T> {
        const SERIALIZE: bool = true;
    }

    #[test]
    fn it_cannot_be_printed_copied_or_serialized() {
        let of_a_string =
            [<Can<String>>::DEBUG, <Can<String>>::DISPLAY, <Can<String>>::CLONE, <Can<String>>::SERIALIZE];
        assert_eq!(of_a_string, [true; 4], "the probe itself works");
        let of_a_value = [
            <Can<GeneratedValue>>::DEBUG,
            <Can<GeneratedValue>>::DISPLAY,
            <Can<GeneratedValue>>::CLONE,
            <Can<GeneratedValue>>::SERIALIZE,
        ];
        assert_eq!(of_a_value, [false; 4]);
    }
}
