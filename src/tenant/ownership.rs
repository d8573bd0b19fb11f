//! Whose a name is, and what is to be done with it at all. Decided here once, before anything else.
//!
//! PURE. Rules S3, S4 and S6, and section 5 of the design.

use super::{
    adoption::{self, Offer},
    beginning::{Origin, new_record, rebuilt},
    blueprint::{Refusal, resolve_secrets},
    digest::{Digest, NamespaceFacts},
    ledger::new_secret,
    observed::{ClassView, Definitions, Observed, RecordView, TenantView},
    purge,
    reason::Reason,
    reserved::reserved,
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    names::{Incarnation, KmsKeyArn, NamespaceName, OwnerHash, TenantName},
    record::{HistoryEvent, RecordPhase, RecordedNamespace, RecordedOwner, TenantRecordSpec},
    tenant::TenantSpec,
};

/// What is to be done with a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Situation<'a> {
    /// Nothing, and nothing is said: no Tenant, or our kinds are not served.
    Nothing,
    /// The Tenant goes with its CRD: finalizer off, nothing else touched (S3).
    Detach(&'a TenantView),
    /// The Tenant goes and nothing hangs on it: finalizer off.
    Release(&'a TenantView),
    /// Only a person can help.
    Refused(&'a TenantView, Refusal),
    /// The same for a name that has no Tenant.
    Helpless(Refusal),
    /// The record was lost: make it anew from its mirrors.
    Rebuild(Box<TenantRecordSpec>),
    /// A namespace consents to being adopted: look what lies in it.
    LookInside(NamespaceName),
    /// A name that was never used begins its first incarnation.
    Begin(Box<TenantRecordSpec>),
    /// A name whose former incarnation is gone for good begins another.
    BeginAgain(&'a RecordView, Box<TenantRecordSpec>),
    /// The owner comes back while what the name held goes past giving back: that comes to its end first.
    Ending(&'a RecordView, &'a TenantRecordSpec),
    /// No Tenant holds the record.
    Unattended(&'a RecordView, &'a TenantRecordSpec),
    /// The owner comes back, or the Tenant has a new UID: the record changes hands.
    Attach(&'a RecordView, Box<TenantRecordSpec>),
    /// Nothing is written on request.
    Paused(&'a TenantView, &'a TenantSpec, &'a TenantClassSpec, &'a TenantRecordSpec),
    /// The Tenant is being deleted.
    Retire(&'a TenantView, &'a RecordView, &'a TenantRecordSpec),
    /// The Tenant is kept as it asks to be.
    Keep(&'a TenantView, &'a TenantSpec, &'a TenantClassSpec, &'a TenantRecordSpec),
}

/// Finds out what is to be done with a name.
pub fn situation(observed: &Observed) -> Situation<'_> {
    match (observed.definitions, &observed.tenant) {
        (Definitions::Leaving, Some(tenant)) if tenant.deleted_at.is_some() && tenant.has_our_finalizer() => {
            Situation::Detach(tenant)
        }
        (Definitions::Missing | Definitions::Leaving, _) => Situation::Nothing,
        (Definitions::Stand, None) => without_tenant(observed),
        (Definitions::Stand, Some(tenant)) if tenant.deleted_at.is_some() => leaving_tenant(observed, tenant),
        (Definitions::Stand, Some(tenant)) => living_tenant(observed, tenant),
    }
}

/// A missing Tenant is not a deletion. A lost record is made again, so that the name stays taken; one that is there goes by
/// its own dates.
fn without_tenant(observed: &Observed) -> Situation<'_> {
    if let Some(view) = &observed.record {
        return match &view.spec {
            Ok(record) => Situation::Unattended(view, record),
            Err(why) => Situation::Helpless(unreadable_record(why)),
        };
    }
    match rebuilt(observed, None) {
        Some(Ok(record)) => Situation::Rebuild(Box::new(record)),
        Some(Err(refusal)) => Situation::Helpless(refusal),
        None => Situation::Nothing,
    }
}

fn leaving_tenant<'a>(observed: &'a Observed, tenant: &'a TenantView) -> Situation<'a> {
    if !tenant.has_our_finalizer() {
        return Situation::Nothing;
    }
    match &observed.record {
        // S6: with no record nothing external was ever made, unless the record was lost.
        None => match rebuilt(observed, Some(tenant)) {
            None => Situation::Release(tenant),
            Some(Ok(record)) => Situation::Rebuild(Box::new(record)),
            Some(Err(refusal)) => Situation::Refused(tenant, refusal),
        },
        Some(view) => match &view.spec {
            Err(why) => Situation::Refused(tenant, unreadable_record(why)),
            Ok(record) if record.tenant_uid.as_ref() != Some(&tenant.uid) => {
                returned_to_leave(observed, tenant, view, record)
            }
            Ok(record) => Situation::Retire(tenant, view, record),
        },
    }
}

/// A Tenant that goes and never held the record: it leaves nothing behind, unless its owner's workspace still runs.
/// Then the owner asks for its end.
fn returned_to_leave<'a>(
    observed: &Observed,
    tenant: &'a TenantView,
    view: &'a RecordView,
    record: &'a TenantRecordSpec,
) -> Situation<'a> {
    match &tenant.spec {
        Ok(spec) if record.phase == RecordPhase::Active && is_owner(spec, record) => {
            Situation::Attach(view, Box::new(attached(observed, tenant, spec, record)))
        }
        Ok(_) | Err(_) => Situation::Release(tenant),
    }
}

fn living_tenant<'a>(observed: &'a Observed, tenant: &'a TenantView) -> Situation<'a> {
    let refused = |refusal| Situation::Refused(tenant, refusal);
    let spec = match &tenant.spec {
        Ok(spec) => spec,
        Err(why) => {
            let message = format!("the Tenant's spec cannot be read: {why}; correct it");
            return refused(Refusal::new(Reason::InvalidSpec, message));
        }
    };
    let class = match &observed.class {
        ClassView::Found(class) => class.as_ref(),
        ClassView::Missing => {
            let message = format!(
                "TenantClass {} does not exist; the tenant stays as it is. Create the class or name another",
                spec.class_name
            );
            return refused(Refusal::new(Reason::ClassNotFound, message));
        }
        ClassView::Invalid(why) => {
            let message = format!("TenantClass {} cannot be read: {why}", spec.class_name);
            return refused(Refusal::new(Reason::ClassInvalid, message));
        }
    };
    let known = match &observed.record {
        None => first_contact(observed, tenant, spec, class),
        Some(view) => second_contact(observed, tenant, spec, class, view),
    };
    known.unwrap_or_else(refused)
}

/// A Tenant whose name has no record: never used, or the record was lost.
fn first_contact<'a>(
    observed: &'a Observed,
    tenant: &'a TenantView,
    spec: &'a TenantSpec,
    class: &'a TenantClassSpec,
) -> Result<Situation<'a>, Refusal> {
    if let Some(rebuilt) = rebuilt(observed, Some(tenant)) {
        return Ok(Situation::Rebuild(Box::new(rebuilt?)));
    }
    Ok(match first_record(observed, tenant, spec, class)? {
        First::LookInside(namespace) => Situation::LookInside(namespace),
        First::Record(record) => Situation::Begin(record),
    })
}

/// What an incarnation begins with.
enum First {
    /// A look at what lies in a namespace that consents to being adopted.
    LookInside(NamespaceName),
    /// A record.
    Record(Box<TenantRecordSpec>),
}

/// The record of a Tenant with which an incarnation begins, or what has to be seen before.
fn first_record(
    observed: &Observed,
    tenant: &TenantView,
    spec: &TenantSpec,
    class: &TenantClassSpec,
) -> Result<First, Refusal> {
    let namespace = class.namespace_prefix.namespace(&observed.name);
    check_reserved(observed, class, &namespace)?;
    let offer = adoption::offered(observed, class)?;
    match (&offer, &observed.namespace) {
        (Offer::Unseen(namespace), _) => return Ok(First::LookInside(namespace.clone())),
        (Offer::None, Some(live)) => return Err(not_offered(&observed.name, &namespace, live)),
        (Offer::None, None) | (Offer::Seen(_), _) => {}
    }
    let incarnation = Incarnation::begun_by(&tenant.uid).ok_or_else(|| {
        Refusal::new(Reason::InvalidSpec, format!("the Tenant's UID {} has fewer than ten hex digits", tenant.uid))
    })?;
    let subject = spec.owner.effective_subject();
    let origin = Origin {
        service_account: incarnation.service_account(),
        incarnation,
        owner: RecordedOwner { hash: subject.hash(), subject: Some(subject) },
        tenant_uid: Some(tenant.uid.clone()),
        class_name: spec.class_name.clone(),
        namespace: RecordedNamespace { name: namespace, prefix: class.namespace_prefix.clone(), uid: None },
        deletion_policy: spec.deletion_policy,
        // What is about to be generated need not be rotated.
        order: tenant.rotate.as_ref().map(|order| order.hash.clone()),
    };
    let mut record = new_record(observed, class, origin);
    match offer {
        Offer::Seen(adoptee) => adoptee.enter(&observed.name, &mut record),
        Offer::None | Offer::Unseen(_) => {
            // What is refused is told once the tenant is kept.
            let wanted = resolve_secrets(spec, class, &record).unwrap_or_default();
            record.secrets.items =
                wanted.iter().map(|secret| new_secret(observed, &secret.name, secret.origin)).collect();
        }
    }
    Ok(First::Record(Box::new(record)))
}

/// A Tenant whose name has a record.
fn second_contact<'a>(
    observed: &'a Observed,
    tenant: &'a TenantView,
    spec: &'a TenantSpec,
    class: &'a TenantClassSpec,
    view: &'a RecordView,
) -> Result<Situation<'a>, Refusal> {
    let record = view.spec.as_ref().map_err(|why| unreadable_record(why))?;
    if record.phase == RecordPhase::Purged && !purge::is_recoverable(observed, record) {
        let mut next = match first_record(observed, tenant, spec, class)? {
            First::LookInside(namespace) => return Ok(Situation::LookInside(namespace)),
            First::Record(next) => next,
        };
        let mut former = record.clone();
        purge::remember_purge(observed, &mut former);
        next.history = former.history;
        return Ok(Situation::BeginAgain(view, next));
    }
    if purge::is_committed(observed, record) {
        return Ok(Situation::Ending(view, record));
    }
    check_owner(observed, spec, record)?;
    check_class(observed, spec, class, record)?;
    check_reserved(observed, class, &record.namespace.name)?;
    if let Some(live) = &observed.namespace
        && !is_ours(live, record)
    {
        return Err(namespace_taken(&record.namespace.name, live));
    }
    check_mirror(observed, record)?;
    let is_held = record.tenant_uid.as_ref() == Some(&tenant.uid) && record.owner.subject.is_some();
    if record.phase != RecordPhase::Active || !is_held {
        return Ok(Situation::Attach(view, Box::new(attached(observed, tenant, spec, record))));
    }
    if tenant.paused || observed.settings.dry_run {
        return Ok(Situation::Paused(tenant, spec, class, record));
    }
    Ok(Situation::Keep(tenant, spec, class, record))
}

/// The record in the hands of this Tenant. A removal that has not gone past giving back ends with it; what one has removed is
/// remembered.
fn attached(
    observed: &Observed,
    tenant: &TenantView,
    spec: &TenantSpec,
    record: &TenantRecordSpec,
) -> TenantRecordSpec {
    let mut record = record.clone();
    if record.phase == RecordPhase::Purged {
        purge::remember_purge(observed, &mut record);
    }
    record.purge = None;
    record.confirmed = None;
    record.tenant_uid = Some(tenant.uid.clone());
    record.owner.subject = Some(spec.owner.effective_subject());
    record.phase = RecordPhase::Active;
    record.retained_since = None;
    record.purge_after = None;
    record.due_since = None;
    // Whoever comes back begins anew: time that passed meanwhile says nothing of its pod.
    if let Some(template) = &mut record.template {
        template.rolling = None;
    }
    record
}

fn is_owner(spec: &TenantSpec, record: &TenantRecordSpec) -> bool {
    spec.owner.effective_subject().hash() == record.owner.hash
}

fn check_owner(observed: &Observed, spec: &TenantSpec, record: &TenantRecordSpec) -> Result<(), Refusal> {
    if is_owner(spec, record) {
        return Ok(());
    }
    Err(Refusal::new(Reason::NameReserved, reserved(observed, &spec.owner.effective_subject(), record)))
}

/// Where class and record differ in what data hangs on, the record wins.
fn check_class(
    observed: &Observed,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
) -> Result<(), Refusal> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, class: String, record: String| {
        if class != record {
            differences.push(format!("{what} is {class} in the class, {record} in the record"));
        }
    };
    compare("namespacePrefix", class.namespace_prefix.to_string(), record.namespace.prefix.to_string());
    compare("storage.className", class.storage.class_name.clone(), record.storage.class_name.clone());
    compare("identity.mode", format!("{:?}", class.identity.mode), format!("{:?}", record.identity.mode));
    compare("secrets.mode", format!("{:?}", class.secrets.mode), format!("{:?}", record.secrets.mode));
    compare("routing.mode", format!("{:?}", class.routing.mode), format!("{:?}", record.routing.mode));
    let key =
        |key: &Option<KmsKeyArn>| key.as_ref().map_or_else(|| "the account's default".to_owned(), ToString::to_string);
    compare("secrets.kmsKeyArn", key(&class.secrets.kms_key_arn), key(&record.secrets.kms_key_arn));
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!(
        "class {} does not fit what {} has: {}. Name a class that agrees, such as the former {}",
        spec.class_name,
        observed.name,
        differences.join("; "),
        record.class_name
    );
    Err(Refusal::new(Reason::ClassMismatch, message))
}

/// Namespaces that no tenant ever gets, whatever they carry.
fn check_reserved(observed: &Observed, class: &TenantClassSpec, namespace: &NamespaceName) -> Result<(), Refusal> {
    let name = namespace.as_str();
    let is_gateways = class.routing.gateways.iter().any(|slot| slot.namespace == *namespace);
    if name == "default"
        || name.starts_with("kube-")
        || *namespace == observed.settings.operator_namespace
        || is_gateways
    {
        let message =
            format!("namespace {name} belongs to the platform and is given to no tenant: choose another name");
        return Err(Refusal::new(Reason::NamespaceReserved, message));
    }
    Ok(())
}

pub(super) fn namespace_facts(live: &Digest) -> NamespaceFacts {
    live.facts.as_namespace().cloned().unwrap_or_default()
}

/// Whether a live namespace is the record's (S4): our label and the record's incarnation. A namespace that lost its
/// marks is known by its UID, which no other namespace can ever have.
pub fn is_ours(live: &Digest, record: &TenantRecordSpec) -> bool {
    let facts = namespace_facts(live);
    let marked = facts.managed && facts.incarnation.as_ref() == Some(&record.incarnation);
    marked || record.namespace.uid.as_ref() == Some(&live.uid)
}

/// All marks that exist must agree with the record. One that is missing is put back; one that says something else is not
/// drift: either side may be the wrong one, and AWS knows the tenant by what they say.
pub(super) fn check_mirror(observed: &Observed, record: &TenantRecordSpec) -> Result<(), Refusal> {
    let Some(live) = &observed.namespace else { return Ok(()) };
    let facts = namespace_facts(live);
    let contradicted: Vec<String> = [
        (labels::TENANT, observed.name.as_str()),
        (labels::INCARNATION, record.incarnation.as_str()),
        (labels::OWNER_HASH, record.owner.hash.as_str()),
        (labels::SERVICE_ACCOUNT, record.service_account.as_str()),
    ]
    .into_iter()
    .filter_map(|(key, recorded)| {
        let mark = facts.annotations.get(key).filter(|mark| *mark != recorded)?;
        // The namespace may not have followed the last transfer yet.
        if key == labels::OWNER_HASH && last_former_owner(record).is_some_and(|former| former.as_str() == mark) {
            return None;
        }
        Some(format!("{key} is {mark} on the namespace, {recorded} in the record"))
    })
    .collect();
    if contradicted.is_empty() {
        return Ok(());
    }
    let message = format!(
        "TenantRecord {} and the marks on namespace {} contradict each other: {}. Nothing is written until they agree: \
         correct the one that is wrong",
        observed.name,
        record.namespace.name,
        contradicted.join("; ")
    );
    Err(Refusal::new(Reason::RecordDisputed, message))
}

fn last_former_owner(record: &TenantRecordSpec) -> Option<&OwnerHash> {
    record.history.iter().rfind(|entry| entry.event == HistoryEvent::Transferred)?.former_owner.as_ref()
}

/// A namespace that stands where the first one of a tenant is to be made can still consent.
fn not_offered(tenant: &TenantName, namespace: &NamespaceName, live: &Digest) -> Refusal {
    let Refusal { reason, message } = namespace_taken(namespace, live);
    let message = format!(
        "{message}; or, if what is in it is this tenant's, let it consent to being adopted: kubectl annotate namespace \
         {namespace} {}={tenant}",
        labels::ADOPT_BY
    );
    Refusal { reason, message }
}

fn namespace_taken(namespace: &NamespaceName, live: &Digest) -> Refusal {
    let whose = match &live.tenant {
        Some(tenant) => format!("it is tenant {tenant}'s"),
        None => "it does not carry this operator's marks".to_owned(),
    };
    let message = format!(
        "namespace {namespace} exists and is not this tenant's: {whose}. Nothing in it is touched. Choose another tenant \
         name, or let its owner remove it"
    );
    Refusal::new(Reason::NamespaceTaken, message)
}

fn unreadable_record(why: &str) -> Refusal {
    let message = format!("the TenantRecord cannot be read: {why}; nothing is done until it can");
    Refusal::new(Reason::RecordInvalid, message)
}

impl TenantView {
    /// Whether our finalizer is on it.
    pub fn has_our_finalizer(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == labels::FINALIZER)
    }
}
