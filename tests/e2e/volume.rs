//! A workspace's volume, from inside its pod and from the node.

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

use serde_json::Value;

use crate::{inside::Pod, support::Bed};

/// Where a workspace keeps what is its own.
const STATE: &str = "/home/node/.openclaw";

/// Looks again and again, from the node, how many containers have a volume mounted.
pub struct Watchman {
    ends: Arc<AtomicBool>,
    most: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Watchman {
    /// From now on.
    pub fn of(volume: &str) -> Self {
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
    pub fn saw(mut self) -> (usize, usize) {
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
pub fn holders(volume: &str) -> usize {
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

/// The volume that a tenant's claim is bound to.
pub fn volume_of(bed: &Bed) -> String {
    let path = "--output=jsonpath={.spec.volumeName}";
    bed.instance.kubectl(&["get", "persistentvolumeclaim", "--namespace", &bed.namespace(), &bed.tenant, path])
}

/// Which pod it runs in.
pub fn pod_uid(bed: &Bed) -> String {
    let name = format!("{}-0", bed.tenant);
    bed.instance.kubectl(&["get", "pod", "--namespace", &bed.namespace(), &name, "--output=jsonpath={.metadata.uid}"])
}

/// Writes these words behind what is there.
pub fn write(bed: &Bed, words: &str) {
    let file = format!("{STATE}/workspace/diary");
    let program = format!(
        "const fs = await import('node:fs'); fs.mkdirSync('{STATE}/workspace', {{ recursive: true }}); \
         fs.appendFileSync('{file}', '{words};')"
    );
    Pod::of(bed).run(&["node", "--input-type=module", "-e", &program]).expect("a workspace writes to its volume");
}

/// What was written.
pub fn diary(bed: &Bed) -> Result<String, String> {
    Pod::of(bed).run(&["cat", &format!("{STATE}/workspace/diary")])
}

/// The UID of a pod, where it is this workspace's, ready and staying.
pub fn ready_uid(bed: &Bed, pod: &Value) -> Option<String> {
    let is_its =
        pod["metadata"]["namespace"] == bed.namespace() && pod["metadata"]["name"] == format!("{}-0", bed.tenant);
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    let ready = pod["status"]["conditions"].as_array()?.iter().any(is_ready);
    let stays = pod["metadata"]["deletionTimestamp"].is_null();
    (is_its && ready && stays).then(|| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
}

/// Waits until another pod than this one is ready, and the tenant by it. The tenant alone may still tell of the former.
pub async fn another_pod(bed: &Bed, former: &str) {
    let look = || async {
        let pod = bed.child("Pod", &format!("{}-0", bed.tenant)).await?;
        ready_uid(bed, &pod).filter(|uid| uid != former)
    };
    bed.until_so("another pod", look).await;
    bed.ready().await;
}
