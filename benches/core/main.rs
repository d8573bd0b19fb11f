//! The pure core: what it costs to see a tenant, to decide about it, to tell of it, and to take in what a watch says.
//! docs/performance.md says what was found.

#![allow(missing_docs, reason = "criterion's macros make a public function without one")]
#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on ends as a test does")]

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use openclaw_tenant_operator::{
    api::names::{Nonce, TenantName},
    aws::types::{Association, Secret},
    kubernetes::Live,
    tenant::{
        action::{PartState, Story},
        cache::{Cache, Watched},
        child::Kind,
        digest::ContentHash,
        observed::{ClassView, FoundAssociation, Look, Observed},
        plan::plan,
        settings::Settings,
        status::{Telling, status},
    },
};
use serde_json::Value;

/// Written by `OPENCLAW_WRITE=1 cargo test --lib measured`.
const TENANT: &str = include_str!("tenant/at_rest.yaml");

/// Tenants beside the one that is looked at: what it costs must not depend on them.
const NEIGHBOURS: usize = 1_000;

/// Tenants that are all deleted at once: what is counted of them for each must not grow with their square.
const DELETED: usize = 5_000;

/// What is known of tenants at rest.
struct Fleet {
    cache: Cache,
    told: Value,
    now: Timestamp,
}

fn kinds() -> impl Iterator<Item = Watched> {
    let others = [
        Watched::Tenant,
        Watched::Record,
        Watched::Class,
        Watched::Pod,
        Watched::Volume,
        Watched::StorageClass,
        Watched::Policy,
        Watched::Definition,
    ];
    Kind::ALL.iter().map(|kind| Watched::Child(*kind)).chain(others)
}

impl Fleet {
    /// So many tenants, of whom only these kinds are known.
    fn of(names: impl Iterator<Item = String>, is_known: impl Fn(Watched) -> bool) -> Self {
        Self::told(serde_saphyr::from_str(TENANT).expect("YAML"), names, is_known)
    }

    /// So many tenants whose users have deleted all of them at once, for good.
    fn deleted(names: impl Iterator<Item = String>) -> Self {
        let mut told: Value = serde_saphyr::from_str(TENANT).expect("YAML");
        let now = told["now"].clone();
        for list in told["lists"].as_array_mut().expect("lists").iter_mut().filter(|list| list["watched"] == "Tenant") {
            for tenant in list["objects"].as_array_mut().expect("objects") {
                tenant["metadata"]["deletionTimestamp"] = now.clone();
                tenant["spec"]["deletionPolicy"] = "Delete".into();
            }
        }
        Self::told(told, names, |watched| {
            matches!(
                watched,
                Watched::Definition | Watched::Class | Watched::Tenant | Watched::Record | Watched::Volume
            )
        })
    }

    fn told(told: Value, names: impl Iterator<Item = String>, is_known: impl Fn(Watched) -> bool) -> Self {
        let settings: Settings = serde_json::from_value(told["settings"].clone()).expect("settings");
        let now = told["now"].as_str().and_then(|now| now.parse().ok()).expect("a time");
        let text = told.to_string();
        let fleet = Self { cache: Cache::new(Arc::new(settings)), told, now };
        for name in names {
            // Words of its own, where two of a fleet may not have the same.
            let text = text.replace("alice", &name).replace("pv-1", &format!("pv-{name}"));
            let text = text.replace("fs-1::fsap-1", &format!("fs-1::fsap-{name}"));
            fleet.learn(&name, &serde_json::from_str(&text).expect("JSON"), &is_known);
        }
        fleet
    }

    fn learn(&self, name: &str, told: &Value, is_known: &impl Fn(Watched) -> bool) {
        for list in told["lists"].as_array().expect("lists") {
            let watched = kinds().find(|one| list["watched"] == format!("{one:?}")).expect("a kind");
            for object in list["objects"].as_array().expect("objects").iter().filter(|_| is_known(watched)) {
                self.cache.upsert(watched, object);
            }
        }
        let associations: Vec<Association> =
            serde_json::from_value(told["associations"].clone()).expect("associations");
        let secrets: Vec<Secret> = serde_json::from_value(told["secrets"].clone()).expect("secrets");
        self.cache.with_aws(&name.parse().expect("a name"), |view| {
            let one = associations.into_iter().next().expect("an association");
            view.association = Look::At(self.now, FoundAssociation::One(one));
            for secret in secrets {
                let item = secret.name.rsplit('/').next().and_then(|item| item.parse().ok()).expect("an item");
                view.secrets.insert(item, Look::At(self.now, Some(Arc::new(secret))));
            }
        });
    }

    fn observe(&self, name: &TenantName) -> Observed {
        self.cache.observe(name, self.now, Nonce::from_bytes([7; 16]))
    }

    fn objects(&self, watched: Watched) -> &[Value] {
        let lists = self.told["lists"].as_array().expect("lists");
        let list = lists.iter().find(|list| list["watched"] == format!("{watched:?}")).expect("such objects");
        list["objects"].as_array().expect("objects")
    }
}

fn decisions(criterion: &mut Criterion) {
    let alice: TenantName = "alice".parse().expect("a name");
    let names =
        |count: usize| std::iter::once("alice".to_owned()).chain((0..count).map(|number| format!("n-{number}")));
    let rests = Fleet::of(names(0), |_| true);
    let observed = rests.observe(&alice);
    let decided = plan(&observed);
    let is_done = matches!(&decided.story, Story::Kept { parts, .. } if parts.values().all(PartState::is_done));
    assert!(is_done && decided.actions.is_empty(), "not at rest: {decided:#?}");
    let fleet = Fleet::of(names(NEIGHBOURS), |_| true);

    criterion.bench_function("see one tenant at rest", |bencher| bencher.iter(|| rests.observe(black_box(&alice))));
    criterion.bench_function("see one tenant of 1,001 at rest", |bencher| {
        bencher.iter(|| fleet.observe(black_box(&alice)));
    });
    criterion.bench_function("decide about a tenant at rest", |bencher| bencher.iter(|| plan(black_box(&observed))));

    let new = Fleet::of(names(0), |watched| !matches!(watched, Watched::Child(_) | Watched::Pod | Watched::Volume));
    let unmade = new.observe(&alice);
    assert!(!plan(&unmade).actions.is_empty(), "nothing is made yet");
    criterion.bench_function("decide about a tenant of which nothing is made", |bencher| {
        bencher.iter(|| plan(black_box(&unmade)));
    });

    let previous = rests.cache.status(&alice).expect("a status");
    let ClassView::Found(class) = &observed.class else { panic!("a class") };
    criterion.bench_function("tell of a tenant at rest", |bencher| {
        bencher.iter(|| {
            status(&Telling {
                name: &alice,
                generation: 1,
                now: rests.now,
                story: &decided.story,
                failures: &[],
                record: observed.record_spec(),
                class: Some(class),
                previous: black_box(&previous),
            })
        });
    });
}

fn watches(criterion: &mut Criterion) {
    let fleet = Fleet::of(std::iter::once("alice".to_owned()), |_| true);
    for kind in [Kind::StatefulSet, Kind::ConfigMap] {
        let object = &fleet.objects(Watched::Child(kind))[0];
        let bytes = serde_json::to_vec(object).expect("JSON");
        criterion.bench_function(&format!("hash a {kind:?}"), |bencher| {
            bencher.iter(|| ContentHash::of_object(kind, black_box(object)));
        });
        criterion.bench_function(&format!("take in a {kind:?} that a watch tells of"), |bencher| {
            let read = || serde_json::from_slice::<Live>(black_box(&bytes)).expect("an object");
            bencher.iter_batched(
                || (),
                |()| fleet.cache.upsert(Watched::Child(kind), &read().value),
                BatchSize::SmallInput,
            );
        });
    }
}

fn removals(criterion: &mut Criterion) {
    let fleet = Fleet::deleted((0..DELETED).map(|number| format!("n-{number}")));
    let name: TenantName = "n-0".parse().expect("a name");
    let deletions = fleet.cache.figures(fleet.now).deletions;
    assert_eq!(deletions.len(), DELETED, "all are deleted");
    criterion.bench_function("see one tenant of 5,000 that are all deleted", |bencher| {
        bencher.iter(|| fleet.observe(black_box(&name)));
    });
    // What is counted is counted anew in each second.
    let mut now = fleet.now;
    criterion.bench_function("figures of 5,000 tenants that are all deleted", |bencher| {
        bencher.iter(|| {
            now += SignedDuration::from_secs(1);
            black_box(&fleet).cache.figures(now)
        });
    });
}

criterion_group!(core, decisions, watches, removals);
criterion_main!(core);
