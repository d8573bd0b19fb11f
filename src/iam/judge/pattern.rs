//! Patterns of IAM: `*` for any characters, `?` for one.

/// Whether a pattern stands for everything that a text, itself perhaps a pattern, stands for.
pub(super) fn covers(pattern: &str, text: &str) -> bool {
    matches(pattern.as_bytes(), text.as_bytes())
}

pub(super) fn covers_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| covers(pattern, text))
}

/// The text's own `*` is an ordinary character here that only a `*` of the pattern takes in: what covers it covers
/// whatever it stands for.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text, mut star) = (0, 0, None);
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(b'?') if text[in_text] != b'*' => (at, in_text) = (at + 1, in_text + 1),
            Some(same) if *same == text[in_text] => (at, in_text) = (at + 1, in_text + 1),
            Some(_) | None => match star {
                Some((of, from)) => {
                    star = Some((of, from + 1));
                    (at, in_text) = (of + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

/// Whether two patterns stand for anything in common. In doubt they do: only what comes before the first wildcard of
/// either is compared.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let fixed = |pattern: &str| pattern.find(['*', '?', '$']).unwrap_or(pattern.len());
    let common = fixed(one).min(fixed(other));
    one.as_bytes().get(..common) == other.as_bytes().get(..common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_stands_for_and_narrower_patterns() {
        for (pattern, text) in [("*", ""), ("a*", "a"), ("a*c", "abbc"), ("a?c", "abc"), ("a*", "a*"), ("*", "a*b")] {
            assert!(covers(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a?c", "ac"), ("a*c", "abd"), ("a?", "a*"), ("ab*", "a*"), ("", "a")] {
            assert!(!covers(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_overlap_unless_their_beginnings_differ() {
        assert!(overlap("arn:*:secret:openclaw/*", "arn:aws:secret:openclaw/alice/*"));
        assert!(overlap("arn:aws:secret:*", "arn:aws:secret:openclaw/*"));
        assert!(!overlap("arn:aws:secret:payroll/*", "arn:aws:secret:openclaw/*"));
    }
}
