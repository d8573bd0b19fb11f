//! Who a Tenant belongs to is said once.

use serde_json::{Value, json};

use crate::support::{Bed, refusal};

fn owner(subject: Option<&str>, email: &str) -> Value {
    match subject {
        Some(subject) => json!({ "owner": { "subject": subject, "email": email } }),
        None => json!({ "owner": { "email": email } }),
    }
}

/// Handing a workspace to somebody else is an order, never an edit.
#[tokio::test]
async fn a_set_subject_neither_changes_nor_goes() {
    let bed = Bed::new("subject").await;
    bed.ready_tenant(owner(Some("6f1c"), "alice@example.com")).await;
    for other in [Some("77aa"), None] {
        let message = refusal(bed.apply_tenant(owner(other, "alice@example.com")).await);
        assert!(message.contains("the owner's subject cannot change or go once it is set"), "{message}");
        assert!(message.contains("openclaw.io/transfer-to"), "says who can: {message}");
    }
    bed.ready().await;
}

/// With a subject the email is only how to reach the person.
#[tokio::test]
async fn the_email_changes_freely_where_a_subject_is_set() {
    let bed = Bed::new("email").await;
    let before = bed.ready_tenant(owner(Some("6f1c"), "alice@example.com")).await;
    bed.apply_tenant(owner(Some("6f1c"), "alice.smith@example.com")).await.expect("taken");
    let after = bed.ready().await;
    assert_eq!(after["status"]["identity"], before["status"]["identity"], "the same tenant");
}

/// Without a subject the email says who the owner is.
#[tokio::test]
async fn the_email_does_not_change_while_there_is_no_subject() {
    let bed = Bed::new("no-subject").await;
    bed.ready_tenant(owner(None, "Alice@Example.com")).await;
    for other in ["mallory@example.com", "alice@example.com"] {
        let message = refusal(bed.apply_tenant(owner(None, other)).await);
        assert!(message.contains("while owner.subject is empty the email says who the owner is"), "{message}");
        assert!(message.contains("set owner.subject to the present email in lower case first"), "{message}");
    }
    bed.ready().await;
}

/// The one subject that changes nothing about whose it is.
#[tokio::test]
async fn a_missing_subject_can_be_set_once_to_the_email_in_lower_case() {
    let bed = Bed::new("subject-once").await;
    let before = bed.ready_tenant(owner(None, "Alice@Example.com")).await;
    for (subject, email) in
        [("77aa", "Alice@Example.com"), ("Alice@Example.com", "Alice@Example.com"), ("mallory@x.org", "mallory@x.org")]
    {
        let message = refusal(bed.apply_tenant(owner(Some(subject), email)).await);
        assert!(message.contains("the subject can be set once, to that email in lower case"), "{subject}: {message}");
    }
    bed.apply_tenant(owner(Some("alice@example.com"), "Alice@Example.com")).await.expect("taken");
    let after = bed.ready().await;
    assert_eq!(after["status"]["identity"], before["status"]["identity"], "the same tenant");
    bed.apply_tenant(owner(Some("alice@example.com"), "asmith@example.com")).await.expect("from now on it may change");
    bed.ready().await;
}
