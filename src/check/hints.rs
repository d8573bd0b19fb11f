//! What somebody may have meant who wrote something else.
//!
//! PURE.

/// The known word that is nearest to one that is not known, where it is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |one: &str| strsim::damerau_levenshtein(&lower, &one.to_lowercase());
    let near = known.into_iter().map(|one| (distance(one), one)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, one)| *distance <= 1.max(one.len() / 3)).map(|(_, one)| one)
}

/// What to do instead, where a word is not known.
pub fn instead<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(meant) = nearest(word, known.clone()) {
        return format!("did you mean {meant}?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() { "take it away".to_owned() } else { format!("there is: {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        let known = ["suspend", "deletionPolicy", "displayName", "env"];
        assert_eq!(nearest("deletionpolicy", known), Some("deletionPolicy"));
        assert_eq!(nearest("suspended", known), Some("suspend"));
        assert_eq!(nearest("evn", known), Some("env"));
        assert_eq!(nearest("replicas", known), None);
        assert_eq!(instead("replicas", ["env"]), "there is: env");
        assert_eq!(instead("x", []), "take it away");
    }
}
