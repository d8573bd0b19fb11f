//! From what was seen of a class's role to what its status says.
//!
//! PURE.

use jiff::Timestamp;

use super::condition::{Words, with};
use crate::{
    api::{
        class::{ProposedIdentity, TenantClassStatus},
        names::RoleArn,
    },
    iam::judge::Judgement,
    tenant::reason::Reason,
};

/// The longest message; the API takes 32,768 characters, people fewer.
const LONGEST_MESSAGE: usize = 8_192;

/// The condition.
const ROLE_READY: &str = "RoleReady";

/// What was seen of a class's role.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// The class gives workspaces no identity.
    NoIdentity,
    /// The operator was started without AWS.
    NoAws,
    /// Every tenant has a role of its own, which is judged with the tenant.
    RolePerTenant,
    /// The account has no such role.
    Missing(RoleArn),
    /// The account has a role of this name under another ARN.
    OtherArn {
        /// The ARN that the class names.
        wanted: RoleArn,
        /// The ARN of the role of that name.
        found: RoleArn,
    },
    /// The operator may not read it.
    Unread(String),
    /// It was read.
    Judged(RoleArn, Judgement),
}

/// The status after what was seen. Conditions of others stay as they are.
pub(super) fn told(seen: &Seen, before: &TenantClassStatus, generation: i64, now: Timestamp) -> TenantClassStatus {
    let (status, reason, message) = words(seen);
    let message = message.chars().take(LONGEST_MESSAGE).collect();
    let conditions = with(&before.conditions, ROLE_READY, (status, reason, message), generation, now);
    TenantClassStatus { observed_generation: generation, conditions, identity: proposed(seen), rollout: before.rollout }
}

fn words(seen: &Seen) -> Words {
    match seen {
        Seen::NoIdentity => ("True", Reason::IdentityNone, "the class gives workspaces no AWS identity".to_owned()),
        Seen::NoAws => {
            let message = "the operator was started without --cluster-name, so the role was not looked at";
            ("Unknown", Reason::RoleUnread, message.to_owned())
        }
        Seen::RolePerTenant => {
            ("True", Reason::Verified, "every tenant has a role of its own, which is judged with the tenant".to_owned())
        }
        Seen::Missing(role) => {
            let message = format!("role {role} does not exist: make it (deploy/aws/shared-role.yaml), or name another");
            ("False", Reason::RoleNotReady, message)
        }
        Seen::OtherArn { wanted, found } => {
            let message = format!("the role of that name is {found} and not {wanted}: correct identity.roleArn");
            ("False", Reason::RoleNotReady, message)
        }
        Seen::Unread(why) => ("Unknown", Reason::RoleUnread, format!("the role was not read: {why}")),
        Seen::Judged(role, judgement) => judged(role, judgement),
    }
}

fn judged(role: &RoleArn, judgement: &Judgement) -> Words {
    if judgement.is_clean() {
        let unweighed = match judgement.unweighed.as_slice() {
            [] => String::new(),
            some => format!(". Not weighed, and able to take away from that: {}", some.join("; ")),
        };
        let message = format!(
            "role {role}: workspaces read the secrets that are tagged for them and use the class's models; no statement was \
             found that lets them read or change others' secrets, get at other roles, or use other models{unweighed}"
        );
        return ("True", Reason::Verified, message);
    }
    let reason = if judgement.open.is_empty() { Reason::RoleIncomplete } else { Reason::RoleOpen };
    let found = judgement.open.iter().chain(&judgement.missing).chain(&judgement.held_back);
    let found: Vec<&str> = found.map(String::as_str).collect();
    let hint = if judgement.trust.is_some() || judgement.permissions.is_some() {
        ". What it should say is in status.identity"
    } else {
        ""
    };
    ("False", reason, format!("role {role}: {}{hint}", found.join("; ")))
}

fn proposed(seen: &Seen) -> Option<ProposedIdentity> {
    let Seen::Judged(_, judgement) = seen else { return None };
    let proposed = ProposedIdentity {
        proposed_trust_policy: judgement.trust.as_ref().map(crate::iam::Document::to_json),
        proposed_permissions: judgement.permissions.as_ref().map(crate::iam::Document::to_json),
    };
    (proposed != ProposedIdentity::default()).then_some(proposed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> RoleArn {
        "arn:aws:iam::111122223333:role/openclaw-workspace".parse().expect("arn")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    #[test]
    fn the_same_seen_again_is_the_same_status_and_no_write() {
        let seen = Seen::Judged(role(), Judgement::default());
        let first = told(&seen, &TenantClassStatus::default(), 3, at(1));
        assert_eq!(told(&seen, &first, 3, at(1_000)), first);
        assert_eq!((first.conditions[0].status.as_str(), first.conditions[0].reason.as_str()), ("True", "Verified"));
        assert_eq!(first.identity, None);
    }

    #[test]
    fn a_role_that_may_not_be_read_is_unread_and_not_bad() {
        let status = told(&Seen::Unread("no right".into()), &TenantClassStatus::default(), 1, at(1));
        assert_eq!(
            (status.conditions[0].status.as_str(), status.conditions[0].reason.as_str()),
            ("Unknown", "RoleUnread")
        );
    }

    #[test]
    fn an_open_role_is_told_before_an_incomplete_one_with_what_to_apply() {
        let document = crate::iam::Document::of(Vec::new());
        let judgement = Judgement {
            open: vec!["too open".into()],
            missing: vec!["too narrow".into()],
            permissions: Some(document.clone()),
            ..Judgement::default()
        };
        let status = told(&Seen::Judged(role(), judgement), &TenantClassStatus::default(), 1, at(1));
        assert_eq!(status.conditions[0].reason, "RoleOpen");
        assert!(status.conditions[0].message.contains("too open; too narrow. What it should say"));
        assert_eq!(status.identity.expect("proposed").proposed_permissions, Some(document.to_json()));
    }

    #[test]
    fn conditions_of_others_stay() {
        let mut before = told(&Seen::NoIdentity, &TenantClassStatus::default(), 1, at(1));
        before.conditions[0].type_ = "Foreign".into();
        let after = told(&Seen::RolePerTenant, &before, 2, at(2));
        assert_eq!(after.conditions.len(), 2);
        assert_eq!(after.conditions[0], before.conditions[0]);
    }
}
