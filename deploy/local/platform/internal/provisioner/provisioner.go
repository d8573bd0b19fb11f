// Package provisioner serves claims from directories of one node. It stands in for a cloud's file system where the
// in-tree host-path provisioner will not do: that one makes its directories 0750 and root's, and fsGroup does not apply
// to host paths, so that a workspace running as user 1000 could not write.
package provisioner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"openclaw.io/local/platform/internal/kube"
)

// Name is the provisioner that a StorageClass names to be served.
const Name = "openclaw.io/local-path"

const (
	owner         = 1000 // the workspace's user and group
	mode          = 0o770
	provisionedBy = "pv.kubernetes.io/provisioned-by"
)

// Options say where the directories are.
type Options struct {
	Dir     string // here, where directories are made
	NodeDir string // the same directory as the nodes see it
}

// Provisioner makes and removes volumes.
type Provisioner struct {
	client  *kube.Client
	options Options
	claims  cache.SharedIndexInformer
	volumes cache.SharedIndexInformer
	classes cache.SharedIndexInformer
	queue   workqueue.TypedRateLimitingInterface[item]
}

type item struct{ kind, key string }

// New makes a Provisioner.
func New(client *kube.Client, options Options) *Provisioner {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[item](100*time.Millisecond, 30*time.Second)
	return &Provisioner{
		client: client, options: options, queue: workqueue.NewTypedRateLimitingQueue(limiter),
		claims: client.Informer(kube.Claims), volumes: client.Informer(kube.Volumes), classes: client.Informer(kube.StorageClasses),
	}
}

// Run works until ctx ends.
func (p *Provisioner) Run(ctx context.Context) error {
	defer p.queue.ShutDown()
	if err := os.MkdirAll(p.options.Dir, 0o755); err != nil {
		return err
	}
	p.on(p.claims, func(key string) { p.queue.Add(item{"claim", key}) })
	p.on(p.volumes, func(key string) { p.queue.Add(item{"volume", key}) })
	p.on(p.classes, func(string) {
		for _, key := range p.claims.GetIndexer().ListKeys() {
			p.queue.Add(item{"claim", key})
		}
	})
	for _, informer := range []cache.SharedIndexInformer{p.claims, p.volumes, p.classes} {
		go informer.RunWithContext(ctx)
	}
	if !cache.WaitForCacheSync(ctx.Done(), p.claims.HasSynced, p.volumes.HasSynced, p.classes.HasSynced) {
		return errors.New("stopped before the API server answered")
	}
	go p.work(ctx)
	<-ctx.Done()
	return nil
}

func (p *Provisioner) on(informer cache.SharedIndexInformer, changed func(key string)) {
	notify := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			changed(key)
		}
	}
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: notify, UpdateFunc: func(_, now any) { notify(now) }})
}

func (p *Provisioner) work(ctx context.Context) {
	for {
		next, stop := p.queue.Get()
		if stop {
			return
		}
		sync := p.syncClaim
		if next.kind == "volume" {
			sync = p.syncVolume
		}
		if err := sync(ctx, next.key); err != nil && ctx.Err() == nil {
			slog.Warn("will try again", next.kind, next.key, "error", err)
			p.queue.AddRateLimited(next)
		} else {
			p.queue.Forget(next)
		}
		p.queue.Done(next)
	}
}

func get(informer cache.SharedIndexInformer, key string) *unstructured.Unstructured {
	object, exists, _ := informer.GetIndexer().GetByKey(key)
	if !exists {
		return nil
	}
	return object.(*unstructured.Unstructured)
}

func text(object *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}

// syncClaim makes directory and volume for a claim that waits for them.
func (p *Provisioner) syncClaim(ctx context.Context, key string) error {
	claim := get(p.claims, key)
	if claim == nil || claim.GetDeletionTimestamp() != nil || text(claim, "spec", "volumeName") != "" || text(claim, "status", "phase") == "Bound" {
		return nil
	}
	class := get(p.classes, text(claim, "spec", "storageClassName"))
	if class == nil || text(class, "provisioner") != Name || text(class, "volumeBindingMode") == "WaitForFirstConsumer" {
		return nil
	}
	name := volumeName(claim.GetUID())
	if _, found, _ := unstructured.NestedMap(claim.Object, "spec", "selector"); found {
		return nil // a claim that selects volumes wants one that exists
	}
	if err := makeDir(filepath.Join(p.options.Dir, name)); err != nil {
		return err
	}
	_, err := p.client.Resource(kube.Volumes).Create(ctx, p.volume(name, claim, class), metav1.CreateOptions{})
	if err == nil {
		slog.Info("made", "volume", name, "claim", key)
	}
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// volumeName is fixed by the claim: a try that was cut short is taken up, not repeated.
func volumeName(claim types.UID) string { return "pvc-" + string(claim) }

// makeDir sets owner and mode after making, because the process's umask has a say in Mkdir.
func makeDir(dir string) error {
	if err := os.Mkdir(dir, mode); err != nil && !os.IsExist(err) {
		return err
	}
	if err := os.Chown(dir, owner, owner); err != nil {
		return fmt.Errorf("giving the directory to user %d (this needs root): %w", owner, err)
	}
	return os.Chmod(dir, mode)
}

func (p *Provisioner) volume(name string, claim, class *unstructured.Unstructured) *unstructured.Unstructured {
	reclaim := text(class, "reclaimPolicy")
	if reclaim == "" {
		reclaim = "Delete"
	}
	capacity, _, _ := unstructured.NestedFieldCopy(claim.Object, "spec", "resources", "requests", "storage")
	modes, _, _ := unstructured.NestedFieldCopy(claim.Object, "spec", "accessModes")
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{provisionedBy: Name}},
		"spec": map[string]any{
			"capacity": map[string]any{"storage": capacity}, "accessModes": modes,
			"persistentVolumeReclaimPolicy": reclaim, "storageClassName": class.GetName(),
			"hostPath": map[string]any{"path": filepath.Join(p.options.NodeDir, name), "type": "Directory"},
			"claimRef": map[string]any{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.GetNamespace(), "name": claim.GetName(),
				"uid": string(claim.GetUID()),
			},
		},
	}}
}

// syncVolume removes what nobody claims any more: only of our own volumes, only Released, only with reclaim policy Delete.
func (p *Provisioner) syncVolume(ctx context.Context, key string) error {
	volume := get(p.volumes, key)
	if volume == nil || !mayRemove(volume) {
		return nil
	}
	// The cache may be behind: somebody may just have set Retain, or cleared claimRef to bind the volume again.
	live, err := p.client.Resource(kube.Volumes).Get(ctx, key, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && !mayRemove(live) {
		return nil
	}
	if err != nil {
		return err
	}
	if filepath.Base(key) != key || text(live, "spec", "hostPath", "path") != filepath.Join(p.options.NodeDir, key) {
		return nil // its directory is not one that this process made
	}
	uid, version := live.GetUID(), live.GetResourceVersion()
	err = p.client.Resource(kube.Volumes).Delete(ctx, key, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
	if err != nil {
		return err
	}
	slog.Info("removed", "volume", key)
	return os.RemoveAll(filepath.Join(p.options.Dir, key))
}

func mayRemove(volume *unstructured.Unstructured) bool {
	return volume.GetAnnotations()[provisionedBy] == Name && text(volume, "status", "phase") == "Released" &&
		text(volume, "spec", "persistentVolumeReclaimPolicy") == "Delete" && volume.GetDeletionTimestamp() == nil
}
