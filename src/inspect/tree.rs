//! One tenant as a tree of what it has, with what is wrong and what to do.
//!
//! PURE.

use serde_json::{Value, json};

use super::{
    age, cloud,
    objects::{Object, One, Seen, State, details, state},
    paint::{Paint, Tone, cut},
    wrong::{Wrong, wrong},
};
use crate::{
    api::record::TenantRecordSpec,
    tenant::{child::Child, views},
};

/// A line with what hangs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    text: String,
    tone: Tone,
    children: Vec<Node>,
}

fn leaf(text: impl Into<String>, tone: Tone) -> Node {
    Node { text: text.into(), tone, children: Vec::new() }
}

impl One {
    fn record_spec(&self) -> Option<TenantRecordSpec> {
        self.record.there().and_then(views::record).and_then(|view| view.spec.ok())
    }

    /// Whether its Tenant is Ready, for the generation that is there now.
    pub fn is_ready(&self) -> bool {
        self.tenant.there().is_some_and(|tenant| super::fleet::row(tenant, self.now).ready)
    }

    /// How it stands, in one line.
    pub fn summary(&self) -> String {
        match &self.tenant {
            Seen::There(tenant) => {
                let row = super::fleet::row(tenant, self.now);
                let leaving = if tenant["metadata"]["deletionTimestamp"].is_string() { ", being deleted" } else { "" };
                format!("Tenant {}: {}, {}{leaving}", self.name, row.phase, row.reason)
            }
            Seen::Missing => format!("Tenant {}: there is none, and the name is kept", self.name),
            Seen::Unseen(why) => format!("Tenant {}: not seen: {why}", self.name),
        }
    }

    /// The tree and what is wrong, for people.
    pub fn text(&self, paint: Paint, width: Option<usize>) -> String {
        let wrong = wrong(self);
        let tone = if self.is_ready() { Tone::Plain } else { Tone::Bad };
        let mut lines = vec![paint.paint(tone, &cut(&self.summary(), width))];
        draw(&self.nodes(), "", paint, width, &mut lines);
        if !wrong.is_empty() {
            lines.push(String::new());
            lines.push("What is wrong, and what to do:".to_owned());
            lines.extend(wrong.iter().flat_map(told));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// One line for each thing, to see what has changed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        draw(&self.nodes(), "", Paint::default(), None, &mut lines);
        lines
            .iter()
            .map(|line| format!("{}: {}", self.name, line.trim_start_matches(['│', '├', '└', '─', ' '])))
            .collect()
    }

    fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        if let Seen::There(tenant) = &self.tenant {
            nodes.extend(about(tenant, self));
        }
        let spec = self.record_spec();
        nodes.push(self.record_node(spec.as_ref()));
        if let Some(spec) = &spec {
            nodes.push(self.namespace_node());
            // What does not lie in its namespace.
            let apart = self.objects.iter().filter(|one| one.child.lies_outside() && one.is_told());
            nodes.extend(apart.map(object_node));
            let title = if self.cloud.is_some() { "in AWS" } else { "in AWS, as the record tells it" };
            let lines = cloud::lines(spec, self.cloud.as_ref());
            let lines = lines.into_iter().map(|line| leaf(line.text, if line.bad { Tone::Bad } else { Tone::Plain }));
            nodes.push(Node { text: title.into(), tone: Tone::Plain, children: lines.collect() });
        }
        nodes
    }

    fn record_node(&self, spec: Option<&TenantRecordSpec>) -> Node {
        let text = match (&self.record, spec) {
            (Seen::There(_), Some(spec)) => {
                let date = |word: &str, time: Option<&_>| {
                    time.map(|time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time| {
                        format!(", {word} {}", time.0)
                    })
                    .unwrap_or_default()
                };
                format!(
                    "TenantRecord {}: {:?}, incarnation {}{}{}",
                    self.name,
                    spec.phase,
                    spec.incarnation,
                    date("retained since", spec.retained_since.as_ref()),
                    date("may be purged after", spec.purge_after.as_ref()),
                )
            }
            (Seen::There(_), None) => format!("TenantRecord {}: cannot be read by this version", self.name),
            (Seen::Missing, _) => format!("TenantRecord {}: none yet, and so nothing else", self.name),
            (Seen::Unseen(why), _) => {
                return leaf(format!("TenantRecord {}: not seen, and so nothing else: {why}", self.name), Tone::Quiet);
            }
        };
        leaf(text, Tone::Plain)
    }

    fn namespace_node(&self) -> Node {
        let inside = |one: &&Object| one.child != Child::Namespace && !one.child.lies_outside() && one.is_told();
        let mut children = Vec::new();
        for object in self.objects.iter().filter(inside) {
            let mut node = object_node(object);
            match object.child {
                Child::Claim => node.children.extend(self.volume_node()),
                Child::StatefulSet => node.children.extend(self.pod_nodes()),
                _ => {}
            }
            children.push(node);
        }
        let unseen = self.objects.iter().filter(|one| one.may_be_there() && one.child != Child::Namespace);
        let unseen: Vec<&str> = unseen.map(|one| one.key.kind.info().kind).collect();
        if !unseen.is_empty() {
            children.push(leaf(format!("not seen, where there is any: {}", unseen.join(", ")), Tone::Quiet));
        }
        let namespace = self.objects.iter().find(|one| one.child == Child::Namespace);
        Node { children, ..namespace.map(object_node).unwrap_or_default() }
    }

    fn volume_node(&self) -> Option<Node> {
        let (name, seen) = self.volume.as_ref()?;
        let said = match seen {
            Seen::There(volume) => format!(
                "{}, {}, {}",
                state(seen).as_str(),
                volume["status"]["phase"].as_str().unwrap_or("?"),
                volume["spec"]["persistentVolumeReclaimPolicy"].as_str().unwrap_or("?")
            ),
            Seen::Missing => state(seen).as_str().to_owned(),
            Seen::Unseen(why) => format!("not seen: {why}"),
        };
        Some(leaf(format!("PersistentVolume {name}: {said}"), tone_of(state(seen), true)))
    }

    fn pod_nodes(&self) -> Vec<Node> {
        let pods = match &self.pods {
            Seen::There(pods) => pods,
            Seen::Missing => return Vec::new(),
            Seen::Unseen(why) => return vec![leaf(format!("pods: not seen: {why}"), Tone::Quiet)],
        };
        pods.iter().filter_map(views::pod).map(|(_, pod)| pod_node(&pod)).collect()
    }

    /// All of it, for programs.
    pub fn json(&self) -> Value {
        let tenant = self.tenant.there();
        let spec = self.record_spec();
        let object = |one: &Object| {
            json!({
                "kind": one.key.kind.info().kind, "namespace": one.key.namespace, "name": one.key.name,
                "state": state(&one.seen).as_str(), "wanted": one.wanted,
                "details": Some(details(one)).filter(|it| !it.is_empty()), "why": why(&one.seen),
            })
        };
        let pods = self.pods.there().map(|pods| {
            let one = |(_, pod): (_, crate::tenant::observed::PodView)| {
                json!({ "name": pod.name, "ready": pod.ready, "deleting": pod.deleting, "trouble": pod.trouble })
            };
            pods.iter().filter_map(views::pod).map(one).collect::<Vec<_>>()
        });
        json!({
            "name": self.name,
            "ready": self.is_ready(),
            "generation": tenant.map(|it| &it["metadata"]["generation"]),
            "owner": tenant.map(|it| &it["spec"]["owner"]),
            "class": tenant.map(|it| &it["spec"]["className"]),
            "status": tenant.map(|it| &it["status"]),
            "record": spec.as_ref().map(|spec| json!({
                "phase": spec.phase, "incarnation": spec.incarnation, "retainedSince": spec.retained_since,
                "purgeAfter": spec.purge_after,
            })),
            "objects": self.objects.iter().filter(|one| one.is_told() || one.may_be_there()).map(object).collect::<Vec<_>>(),
            "volume": self.volume.as_ref().map(|(name, seen)| json!({
                "name": name, "state": state(seen).as_str(), "why": why(seen),
            })),
            "pods": pods,
            "aws": spec.as_ref().map(|spec| cloud::json(spec, self.cloud.as_ref())),
            "wrong": wrong(self).iter().map(wrong_json).collect::<Vec<_>>(),
        })
    }
}

fn why(seen: &Seen<Value>) -> Option<&str> {
    match seen {
        Seen::Unseen(why) => Some(why),
        Seen::There(_) | Seen::Missing => None,
    }
}

fn about(tenant: &Value, one: &One) -> Vec<Node> {
    let status = views::tenant_status(tenant);
    let text = |pointer: &str| tenant.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let created = text("/metadata/creationTimestamp").parse().ok();
    let old = created.map(|at| format!(", {} old", age(at, one.now))).unwrap_or_default();
    let mut nodes =
        vec![leaf(format!("owner {}, class {}{old}", text("/spec/owner/email"), text("/spec/className")), Tone::Plain)];
    let gateway = status.gateway.as_ref().map(|it| format!(", by gateway {it}")).unwrap_or_default();
    nodes.extend(status.url.as_ref().map(|url| leaf(format!("{url}{gateway}"), Tone::Plain)));
    let widest = |of: fn(&(String, String, String)) -> usize, rows: &[(String, String, String)]| {
        rows.iter().map(of).max().unwrap_or(0)
    };
    let rows: Vec<(String, String, String)> =
        status.conditions.iter().map(|it| (it.type_.clone(), it.status.clone(), it.reason.clone())).collect();
    let (first, second) = (widest(|row| row.0.len(), &rows), widest(|row| row.1.len(), &rows));
    let lines = rows.iter().map(|(kind, is_true, reason)| {
        let is_bad = is_true == "False" || kind == "Stalled";
        let tone = if is_bad {
            Tone::Bad
        } else if kind == "Reconciling" {
            Tone::Busy
        } else {
            Tone::Plain
        };
        leaf(format!("{kind:first$}  {is_true:second$}  {reason}"), tone)
    });
    nodes.push(Node { text: "conditions".into(), tone: Tone::Plain, children: lines.collect() });
    nodes
}

const fn tone_of(state: State, wanted: bool) -> Tone {
    match state {
        State::Missing if wanted => Tone::Bad,
        State::Deleting => Tone::Busy,
        State::Unseen => Tone::Quiet,
        State::Present | State::Missing => Tone::Plain,
    }
}

fn object_node(object: &Object) -> Node {
    let stands = state(&object.seen);
    let more = match (&object.seen, details(object)) {
        (Seen::Unseen(why), _) => format!(": {why}"),
        (_, details) if details.is_empty() => String::new(),
        (_, details) => format!(", {details}"),
    };
    let text = format!("{} {}: {}{more}", object.key.kind.info().kind, object.key.name, stands.as_str());
    leaf(text, tone_of(stands, object.wanted))
}

fn pod_node(pod: &crate::tenant::observed::PodView) -> Node {
    let (said, tone) = match (pod.deleting, pod.ready, &pod.trouble) {
        (true, _, _) => ("ending".to_owned(), Tone::Busy),
        (false, true, _) => ("ready".to_owned(), Tone::Plain),
        (false, false, Some(trouble)) => (format!("not ready: {trouble}"), Tone::Bad),
        (false, false, None) => ("not ready yet".to_owned(), Tone::Busy),
    };
    leaf(format!("Pod {}: {said}", pod.name), tone)
}

fn draw(nodes: &[Node], before: &str, paint: Paint, width: Option<usize>, lines: &mut Vec<String>) {
    for (index, node) in nodes.iter().enumerate() {
        let is_last = index + 1 == nodes.len();
        let (branch, deeper) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let room = width.map(|width| width.saturating_sub(before.chars().count() + 3));
        lines.push(format!("{before}{branch}{}", paint.paint(node.tone, &cut(&node.text, room))));
        draw(&node.children, &format!("{before}{deeper}"), paint, width, lines);
    }
}

fn told(wrong: &Wrong) -> Vec<String> {
    let head = match wrong.reason {
        Some(reason) => format!("  {}, {reason}", wrong.subject),
        None => format!("  {}", wrong.subject),
    };
    let mut lines = vec![format!("{head}: {}", wrong.message)];
    if let Some(explanation) = &wrong.explanation {
        if !explanation.meaning.is_empty() {
            lines.push(format!("    It means: {}", explanation.meaning));
        }
        if let Some((when, what)) = &explanation.remedy {
            let when = if when == "if it stays" { "If it stays" } else { "What to do" };
            lines.push(format!("    {when}: {what}"));
        }
    }
    lines
}

fn wrong_json(wrong: &Wrong) -> Value {
    let explanation = wrong.explanation.as_ref();
    json!({
        "subject": wrong.subject,
        "reason": wrong.reason.map(crate::tenant::reason::Reason::as_str),
        "message": wrong.message,
        "meaning": explanation.map(|it| &it.meaning).filter(|it| !it.is_empty()),
        "remedy": explanation.and_then(|it| it.remedy.as_ref()).map(|(_, what)| what),
    })
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
