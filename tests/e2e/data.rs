//! What a workspace has written is there again, whatever becomes of its pod, and is nobody else's; and no two containers ever hold it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde_json::json;

use crate::{
    inside::{Pod, class, cluster, running},
    support::{Bed, condition},
};

/// Where a workspace keeps what is its own.
const STATE: &str = "/home/node/.openclaw";

/// Looks again and again, from the node, how many containers have a volume mounted.
struct Watchman {
    ends: Arc<AtomicBool>,
    most: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Watchman {
    fn of(volume: &str) -> Self {
        let (ends, most, looks) = <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let seen = (volume.to_owned(), Arc::clone(&ends), Arc::clone(&most), Arc::clone(&looks));
        let thread = std::thread::spawn(move || {
            let (volume, ends, most, looks) = seen;
            while !ends.load(Ordering::SeqCst) {
                most.fetch_max(holders(&volume), Ordering::SeqCst);
                looks.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { ends, most, looks, thread: Some(thread) }
    }

    /// At most so many at once, and of how many looks.
    fn saw(mut self) -> (usize, usize) {
        self.ends.store(true, Ordering::SeqCst);
        self.thread.take().expect("it runs").join().expect("it ended well");
        (self.most.load(Ordering::SeqCst), self.looks.load(Ordering::SeqCst))
    }
}

impl Drop for Watchman {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
    }
}

/// How many containers have this volume where a workspace has its own: by their mount namespaces. One container may have several processes.
fn holders(volume: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let processes =
        processes.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()));
    let holds = |path: &Path| {
        let mounts = fs::read_to_string(path.join("mountinfo")).unwrap_or_default();
        // The fourth field is what of its file system is mounted, the fifth where.
        let is_it = |line: &str| {
            let mut fields = line.split(' ').skip(3);
            let (root, at) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            at == STATE && root.ends_with(volume)
        };
        mounts.lines().any(is_it).then(|| fs::read_link(path.join("ns/mnt")).ok()).flatten()
    };
    processes.filter_map(|entry| holds(&entry.path())).collect::<BTreeSet<_>>().len()
}

fn volume_of(bed: &Bed) -> String {
    let path = "--output=jsonpath={.spec.volumeName}";
    bed.instance.kubectl(&["get", "persistentvolumeclaim", "--namespace", &bed.namespace(), &bed.tenant, path])
}

fn pod_uid(bed: &Bed) -> String {
    let name = format!("{}-0", bed.tenant);
    bed.instance.kubectl(&["get", "pod", "--namespace", &bed.namespace(), &name, "--output=jsonpath={.metadata.uid}"])
}

fn write(bed: &Bed, words: &str) {
    let file = format!("{STATE}/workspace/diary");
    let program = format!(
        "const fs = await import('node:fs'); fs.mkdirSync('{STATE}/workspace', {{ recursive: true }}); \
         fs.appendFileSync('{file}', '{words};')"
    );
    Pod::of(bed).run(&["node", "--input-type=module", "-e", &program]).expect("a workspace writes to its volume");
}

fn diary(bed: &Bed) -> Result<String, String> {
    Pod::of(bed).run(&["cat", &format!("{STATE}/workspace/diary")])
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn what_a_workspace_has_written_survives_and_is_held_by_one_container_at_a_time() {
    let bed = running("diary", class(cluster(), json!({}))).await;
    let volume = volume_of(&bed);
    assert_eq!(holders(&volume), 1, "the one container that runs is seen");
    let watchman = Watchman::of(&volume);
    write(&bed, "first");

    bed.patch_tenant(json!({ "spec": { "suspend": true } })).await.expect("suspended");
    bed.until("suspended", |tenant| condition(tenant, "Ready")["reason"] == "Suspended").await;
    assert_eq!(holders(&volume), 0, "Suspended says that no pod runs");
    bed.patch_tenant(json!({ "spec": { "suspend": false } })).await.expect("resumed");
    bed.ready().await;
    assert_eq!(diary(&bed).as_deref(), Ok("first;"), "after suspend and resume");
    write(&bed, "second");

    let former = pod_uid(&bed);
    bed.instance.kubectl(&["delete", "pod", "--namespace", &bed.namespace(), &format!("{}-0", bed.tenant)]);
    another_pod(&bed, &former).await;
    assert_eq!(diary(&bed).as_deref(), Ok("first;second;"), "after its pod was deleted by hand");
    write(&bed, "third");

    let former = pod_uid(&bed);
    let roll = json!({ "spec": { "env": [{ "name": "LOG_LEVEL", "value": "debug" }] } });
    bed.patch_tenant(roll).await.expect("another template");
    another_pod(&bed, &former).await;
    assert_eq!(diary(&bed).as_deref(), Ok("first;second;third;"), "after a roll");

    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    assert_eq!(holders(&volume), 0, "access ends before the Tenant goes");
    refused_to_another(&bed).await;
    bed.ready_tenant(json!({ "resources": { "requests": { "cpu": "50m", "memory": "256Mi" } } })).await;
    assert_eq!(volume_of(&bed), volume, "the same owner gets the same volume");
    assert_eq!(diary(&bed).as_deref(), Ok("first;second;third;"), "after a deletion that retains");
    let (most, looks) = watchman.saw();
    println!("{looks} looks: at most {most} container held the volume");
    assert_eq!(most, 1, "in {looks} looks");
}

/// Somebody else's Tenant of the name is refused, and no pod of it ever starts.
async fn refused_to_another(bed: &Bed) {
    bed.apply_tenant(json!({ "owner": { "email": "mallory@example.com" } })).await.expect("mallory's Tenant");
    bed.stalled("NameReserved").await;
    let pods = bed.instance.kubectl(&["get", "pods", "--namespace", &bed.namespace(), "--output=name"]);
    assert_eq!(pods, "", "nothing runs for another owner");
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
}

/// Waits until another pod than this one runs, and the tenant is Ready by it.
async fn another_pod(bed: &Bed, former: &str) {
    bed.until_so("another pod", || async {
        let name = format!("{}-0", bed.tenant);
        let pod = bed.get("Pod", Some(&bed.namespace()), &name).await?;
        (pod["metadata"]["uid"] != former && pod["metadata"]["deletionTimestamp"].is_null()).then_some(())
    })
    .await;
    bed.ready().await;
}
