//! Why something that is waited for does not come, in the words of those who make it: their events.
//!
//! PURE. Events are not watched, there are too many of them in a cluster. Those of one object are looked at once it has
//! been waited for, and less and less often while it stays so (docs/decisions/0014).

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    action::Action,
    child::{Child, Part},
    digest::Facts,
    observed::Observed,
};
use crate::api::names::Uid;

/// What a tenant waits for, where only events say why it does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaited {
    /// A volume for the claim.
    Volume,
    /// The StatefulSet's pod.
    Pod,
    /// That the pod becomes ready.
    Start,
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The object whose events say why.
    pub of: Uid,
    /// Since when it was seen to be waited for.
    pub since: Timestamp,
    /// How often its events were looked at, and when last.
    pub looks: u32,
    /// When they were looked at last.
    pub looked: Option<Timestamp>,
    /// What the one that counts says.
    pub said: Option<String>,
}

/// Everything that a tenant waits for.
pub type Waits = BTreeMap<Awaited, Wait>;

/// The pause between the first two looks; it doubles each time.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The longest pause is this many times as long.
const LONGEST: i32 = 16;

/// The longest quotation, in characters.
const QUOTED: usize = 512;

impl Awaited {
    /// The part of the tenant that waits.
    pub const fn part(self) -> Part {
        match self {
            Self::Volume => Part::Storage,
            Self::Pod | Self::Start => Part::Workload,
        }
    }

    /// How long nothing is asked: most comes within this time.
    const fn patience(self) -> SignedDuration {
        match self {
            Self::Volume | Self::Pod => SignedDuration::from_secs(10),
            // 13 to 18 s were measured for the gateway's start.
            Self::Start => SignedDuration::from_secs(30),
        }
    }
}

impl Wait {
    /// Something that is waited for from now on.
    const fn from(of: Uid, since: Timestamp) -> Self {
        Self { of, since, looks: 0, looked: None, said: None }
    }

    fn due_in(&self, awaited: Awaited, now: Timestamp) -> SignedDuration {
        let (from, pause) = match self.looked {
            None => (self.since, awaited.patience()),
            Some(looked) => (looked, PAUSE * 2_i32.saturating_pow(self.looks.saturating_sub(1)).min(LONGEST)),
        };
        pause - now.duration_since(from)
    }
}

/// What is waited for now, in the light of what was waited for before.
pub fn waits(observed: &Observed, before: Option<&Waits>) -> Waits {
    let continued = |(awaited, of): (Awaited, Uid)| {
        let earlier = before.and_then(|before| before.get(&awaited)).filter(|earlier| earlier.of == of);
        (awaited, earlier.cloned().unwrap_or_else(|| Wait::from(of, observed.now)))
    };
    let all = [volume(observed), pod(observed), start(observed)];
    // In a dry run nothing is carried out, looks included: what is never answered is not asked.
    all.into_iter().flatten().filter(|_| !observed.settings.dry_run).map(continued).collect()
}

fn volume(observed: &Observed) -> Option<(Awaited, Uid)> {
    let claim = observed.child(Child::Claim).filter(|claim| !claim.deleting)?;
    let waits = matches!(&claim.facts, Facts::Claim(facts) if facts.phase.is_empty() || facts.phase == "Pending");
    waits.then(|| (Awaited::Volume, claim.uid.clone()))
}

fn pod(observed: &Observed) -> Option<(Awaited, Uid)> {
    let set = observed.child(Child::StatefulSet).filter(|set| !set.deleting)?;
    let is_wanted = set.facts.as_stateful_set().is_some_and(|facts| facts.replicas >= 1);
    (is_wanted && observed.pods.is_empty()).then(|| (Awaited::Pod, set.uid.clone()))
}

/// A pod whose status says nothing of use itself.
fn start(observed: &Observed) -> Option<(Awaited, Uid)> {
    let is_mute = |trouble: Option<&str>| trouble.is_none_or(|trouble| trouble.contains("ContainerCreating"));
    let pod = observed.pods.iter().find(|pod| !pod.deleting && !pod.ready && is_mute(pod.trouble.as_deref()))?;
    Some((Awaited::Start, pod.uid.clone()))
}

/// Looks that are due.
pub fn looks(observed: &Observed) -> impl Iterator<Item = Action> {
    let due = observed.waits.iter().filter(|(awaited, wait)| !wait.due_in(**awaited, observed.now).is_positive());
    due.map(|(awaited, wait)| Action::LookAtEvents { awaited: *awaited, of: wait.of.clone() })
}

/// How long until the next look is due.
pub fn until_due(observed: &Observed) -> Option<Duration> {
    let rest = |(awaited, wait): (&Awaited, &Wait)| wait.due_in(*awaited, observed.now).max(SignedDuration::ZERO);
    observed.waits.iter().map(rest).min().map(SignedDuration::unsigned_abs)
}

/// What events say of something that is waited for.
pub fn said(observed: &Observed, awaited: Awaited) -> Option<&str> {
    observed.waits.get(&awaited)?.said.as_deref()
}

/// What the events of an object say of why it is waited for: `Reason: message` of the newest that matters.
pub fn told(awaited: Awaited, events: &[Value]) -> Option<String> {
    let is_warning = |event: &&Value| event["type"] == "Warning";
    let newest = || events.iter().max_by_key(|event| time(event));
    let newest_warning = || events.iter().filter(is_warning).max_by_key(|event| time(event));
    let event = match awaited {
        // What waits for its provisioner says so in an ordinary event.
        Awaited::Volume => newest_warning().or_else(newest),
        // A pod was made after what went wrong before.
        Awaited::Pod => newest().filter(is_warning),
        Awaited::Start => newest_warning(),
    }?;
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    let message = if event["note"].is_string() { text("note") } else { text("message") };
    Some(quoted(&format!("{}: {message}", text("reason"))))
}

fn time(event: &Value) -> Option<Timestamp> {
    let pointers =
        ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp", "/metadata/creationTimestamp"];
    pointers.iter().filter_map(|pointer| event.pointer(pointer)?.as_str()?.parse().ok()).max()
}

/// Other people's text: on one line, without what a terminal would obey, and not too long.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().map(|one| if is_plain(one) { one } else { ' ' }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= QUOTED {
        return line;
    }
    line.chars().take(QUOTED - 1).chain(['…']).collect()
}

/// Neither a control character nor one that turns the direction of what follows, or hides in it.
fn is_plain(one: char) -> bool {
    let is_hidden =
        matches!(one, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !one.is_control() && !is_hidden
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, reason: &str, at: &str) -> Value {
        json!({ "type": kind, "reason": reason, "message": "m", "lastTimestamp": at })
    }

    #[test]
    fn the_newest_event_that_matters_is_quoted() {
        let refused = event("Warning", "FailedCreate", "2026-01-01T00:00:01Z");
        let made = event("Normal", "SuccessfulCreate", "2026-01-01T00:00:02Z");
        let later = event("Warning", "Later", "2026-01-01T00:00:03Z");
        assert_eq!(told(Awaited::Pod, &[]), None);
        assert_eq!(told(Awaited::Pod, &[made.clone(), refused.clone(), later.clone()]), Some("Later: m".into()));
        assert_eq!(told(Awaited::Pod, &[refused.clone(), made.clone()]), None, "it was made since");
        assert_eq!(told(Awaited::Volume, &[refused.clone(), made.clone()]), Some("FailedCreate: m".into()));
        assert_eq!(told(Awaited::Volume, std::slice::from_ref(&made)), Some("SuccessfulCreate: m".into()));
        assert_eq!(told(Awaited::Start, &[made]), None);
    }

    #[test]
    fn an_event_of_any_age_of_the_api_has_its_time_and_its_words() {
        let series = json!({
            "type": "Warning", "reason": "New", "note": "n", "eventTime": "2026-01-01T00:00:01.000000Z",
            "series": { "count": 2, "lastObservedTime": "2026-01-01T00:00:05.000000Z" }, "lastTimestamp": null,
        });
        let old = event("Warning", "Old", "2026-01-01T00:00:04Z");
        assert_eq!(told(Awaited::Start, &[series, old]), Some("New: n".into()));
    }

    #[test]
    fn other_people_s_text_is_one_plain_line_and_not_long() {
        assert_eq!(quoted("a:\u{1b}[31m red\r\n\ttab\u{202e}x\u{0}"), "a: [31m red tab x");
        let long = quoted(&"ä".repeat(2000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (QUOTED, true));
        assert_eq!(quoted(&"ä".repeat(QUOTED)).chars().count(), QUOTED);
    }
}
