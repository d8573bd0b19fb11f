//! What is wrong with a role that tenants share, and what it should say instead.
//!
//! PURE. What IAM returned is read as IAM would read it, and in doubt against the role: a statement that could let a
//! workspace read another's secrets counts as one that does. Denying statements are not counted in its favour.

mod pattern;
mod powers;
mod secrets;
mod trusting;

use std::collections::BTreeMap;

use super::{Document, Effect, ModelArns, Place, Reach, Statement, permissions, shared_trust};
use crate::api::names::NamespacePrefix;
use pattern::{covers, covers_any};

/// A role as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its trust policy.
    pub trust: String,
    /// Its policies, inline and attached, by name or ARN.
    pub policies: BTreeMap<String, String>,
    /// The managed policy that bounds it.
    pub boundary: Option<String>,
}

/// What a class asks of its role.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Where.
    pub place: &'a Place,
    /// The class's namespaces.
    pub prefix: &'a NamespacePrefix,
    /// The class's keys and models.
    pub reach: &'a Reach,
    /// Secrets of the prefix that lack a tag: under the conditions nobody could read them.
    pub untagged: &'a [String],
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Workspaces can read, or pretend, what is not theirs.
    pub open: Vec<String>,
    /// Workspaces cannot do what they should.
    pub missing: Vec<String>,
    /// A trust policy ready to apply.
    pub trust: Option<Document>,
    /// A policy ready to apply.
    pub permissions: Option<Document>,
    /// Why no policy is proposed although one is needed.
    pub held_back: Option<String>,
    /// What may take away from what workspaces should be able to do, and was not weighed.
    pub unweighed: Vec<String>,
}

impl Judgement {
    /// Whether nothing is to be done.
    pub const fn is_clean(&self) -> bool {
        self.open.is_empty() && self.missing.is_empty()
    }
}

/// Judges a shared role.
pub fn judge(found: &Found, asked: &Asked<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    trusting::judge(&found.trust, asked, &mut judgement);
    if !judgement.is_clean() {
        judgement.trust = Some(shared_trust(asked.place, asked.prefix.as_str()));
    }
    let (open, missing) = (judgement.open.len(), judgement.missing.len());
    let statements = statements(found, &mut judgement);
    secrets::judge(&statements, asked, &mut judgement);
    powers::judge(&statements, asked, &mut judgement);
    keys(&statements, asked, &mut judgement);
    models(&statements, &asked.reach.models, &mut judgement);
    if judgement.open.len() > open || judgement.missing.len() > missing {
        propose(asked, &mut judgement);
    }
    judgement
}

/// Conditions shut out every secret without tags, so they are proposed only when there is none.
fn propose(asked: &Asked<'_>, judgement: &mut Judgement) {
    match asked.untagged {
        [] => judgement.permissions = Some(permissions(asked.place, asked.reach)),
        [first, rest @ ..] => {
            judgement.held_back = Some(format!(
                "secret {first} and {} more under {}/ lack the tags that the conditions compare: under the stricter \
                 policy nobody could read them, so it is proposed when they are tagged",
                rest.len(),
                asked.place.secrets_prefix
            ));
        }
    }
}

/// A statement that gives, and the policy that it stands in.
type Given<'a> = (&'a str, Statement);

fn statements<'a>(found: &'a Found, judgement: &mut Judgement) -> Vec<Given<'a>> {
    let mut all = Vec::new();
    judgement.unweighed.extend(found.boundary.iter().map(|arn| format!("its permissions boundary {arn}")));
    for (name, text) in &found.policies {
        match serde_json::from_str::<Document>(text) {
            Ok(document) => {
                let each = document.statement.into_iter().map(|statement| (name.as_str(), statement));
                let (allow, deny): (Vec<_>, Vec<_>) = each.partition(|(_, one)| one.effect == Effect::Allow);
                judgement.unweighed.extend(deny.iter().map(|one| format!("{}, which denies", called(one))));
                all.extend(allow);
            }
            Err(error) => judgement.missing.push(format!("policy {name} cannot be read: {error}")),
        }
    }
    all
}

/// How a statement is called in words.
fn called((policy, statement): &Given<'_>) -> String {
    if statement.sid.is_empty() {
        format!("a statement of policy {policy}")
    } else {
        format!("statement {} of policy {policy}", statement.sid)
    }
}

/// Whether a statement is about an action.
fn acts(statement: &Statement, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let any = |patterns: &[String]| patterns.iter().any(|pattern| covers(&pattern.to_ascii_lowercase(), &action));
    if statement.not_action.is_empty() { any(&statement.action) } else { !any(&statement.not_action) }
}

/// Whether a statement is about all of what a pattern stands for.
fn reaches(statement: &Statement, resource: &str) -> bool {
    if statement.not_resource.is_empty() {
        covers_any(&statement.resource, resource)
    } else {
        !statement.not_resource.iter().any(|pattern| pattern::overlap(pattern, resource))
    }
}

fn keys(statements: &[Given<'_>], asked: &Asked<'_>, judgement: &mut Judgement) {
    for key in &asked.reach.kms_keys {
        let given = statements.iter().any(|(_, one)| acts(one, "kms:Decrypt") && reaches(one, key));
        if !given {
            judgement
                .missing
                .push(format!("no statement allows kms:Decrypt on {key}, which the secrets are encrypted with"));
        }
    }
}

fn models(statements: &[Given<'_>], models: &ModelArns, judgement: &mut Judgement) {
    let of_class: Vec<&String> = models.on_demand.iter().chain(&models.profiles).chain(&models.destinations).collect();
    for action in ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"] {
        for arn in &of_class {
            if !statements.iter().any(|(_, one)| acts(one, action) && reaches(one, arn)) {
                judgement.missing.push(format!("no statement allows {action} on {arn}"));
            }
        }
    }
    // A class that names no models says nothing about them.
    if of_class.is_empty() {
        return;
    }
    for given in statements.iter().filter(|(_, one)| acts(one, "bedrock:InvokeModel")) {
        let is_of_class = |resource: &&String| of_class.iter().any(|arn| covers(arn, resource));
        let beyond: Vec<&str> =
            given.1.resource.iter().filter(|resource| !is_of_class(resource)).map(String::as_str).collect();
        if !beyond.is_empty() || !given.1.not_resource.is_empty() {
            let what = if beyond.is_empty() { "all but a list".to_owned() } else { beyond.join(", ") };
            judgement.open.push(format!("{} allows models that the class does not name: {what}", called(given)));
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
