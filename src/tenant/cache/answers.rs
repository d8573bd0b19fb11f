//! Answers to our own requests, which may come later than the watch's news of what happened after them.
//!
//! An answer makes the next decision see what the last one did without waiting for the watch. It must never bring back what the
//! watch has already told to be gone: the watch tells that once. Two things see to it: what is gone is remembered with its
//! version, and an answer to a request that was sent before the watch began anew is not taken up at all.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::{Known, Watched};

/// So many of one kind are remembered to be gone. An answer is late by seconds, a request's timeout; a fleet does not lose so many
/// objects of one kind meanwhile.
const REMEMBERED: usize = 16_384;

/// Where a live object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A watch that goes on: an older state than the known one is late.
    Stream,
    /// An answer to a request of ours, of which the same is so. The same version is read again: right after a definition has got or lost a
    /// field, and while API servers of two versions answer, the two tell of it differently.
    Answer,
    /// A fresh list: whatever it says is so.
    List,
}

/// A request whose answer will be taken up, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub(super) watched: Watched,
    pub(super) list: u64,
}

/// An answer that was not taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the watch of {0:?} began anew while a request was under way, so its answer may be older than what is known; the next look tells"
)]
pub struct Overtaken(pub Watched);

/// What is gone, of one kind: UIDs, and the version at which each left the watch's sight, where that is known.
#[derive(Debug, Default)]
pub(super) struct Gone {
    versions: HashMap<String, Option<u64>>,
    order: VecDeque<String>,
}

impl Gone {
    /// Remembers that an object is gone, or out of the watch's sight.
    pub(super) fn note(&mut self, object: &Value) {
        let Some(uid) = object["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) else { return };
        if self.versions.insert(uid.to_owned(), version(object)).is_none() {
            self.order.push_back(uid.to_owned());
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.versions.remove(&oldest);
        }
    }

    /// Whether this is a state from before the object went. What lost its labels is out of the watch's sight and still there: it
    /// has the version at which it left, or a later one.
    pub(super) fn knows(&self, object: &Value) -> bool {
        let left = object["metadata"]["uid"].as_str().and_then(|uid| self.versions.get(uid));
        left.is_some_and(|left| match (left, version(object)) {
            (Some(left), Some(version)) => version < *left,
            (Some(_) | None, _) => true,
        })
    }
}

fn version(object: &Value) -> Option<u64> {
    object["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

impl Known {
    pub(super) fn list_of(&self, watched: Watched) -> u64 {
        self.lists.get(&watched).copied().unwrap_or_default()
    }

    pub(super) fn check_in_time(&self, sent: Sent) -> Result<(), Overtaken> {
        let is_listing = self.listing.iter().any(|(watched, _)| *watched == sent.watched);
        if !is_listing && self.list_of(sent.watched) == sent.list { Ok(()) } else { Err(Overtaken(sent.watched)) }
    }

    pub(super) fn note_version(&mut self, watched: Watched, object: &Value) {
        if let Some(version) = version(object) {
            let latest = self.latest.entry(watched).or_default();
            *latest = version.max(*latest);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(uid: usize, version: &str) -> Value {
        json!({ "metadata": { "uid": uid.to_string(), "resourceVersion": version } })
    }

    #[test]
    fn what_is_older_than_its_end_is_known_to_be_gone_and_what_only_left_the_sight_is_not() {
        let mut gone = Gone::default();
        gone.note(&object(1, "9"));
        assert!(gone.knows(&object(1, "8")));
        assert!(!gone.knows(&object(1, "9")), "its labels were taken off by this very version");
        assert!(!gone.knows(&object(2, "8")));
        gone.note(&json!({ "metadata": { "uid": "1" } }));
        assert!(gone.knows(&object(1, "10")), "the server itself has said that it is not there");
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut gone = Gone::default();
        (0..REMEMBERED + 10).for_each(|uid| gone.note(&object(uid, "1")));
        assert_eq!((gone.versions.len(), gone.order.len()), (REMEMBERED, REMEMBERED));
        assert!(gone.knows(&object(10, "0")) && !gone.knows(&object(9, "0")), "the oldest is let go");
    }
}
