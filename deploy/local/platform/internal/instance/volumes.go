package instance

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"openclaw.io/local/platform/internal/kube"
	"openclaw.io/local/platform/internal/proc"
)

// The in-tree host-path provisioner writes below this directory whatever it is told, each volume under a new UUID: many
// instances share it without meeting. What an instance made there is its own to remove.
const hostPathRoot = "/tmp/hostpath_pv"

// volumeDirs follows the directories of an instance's volumes.
type volumeDirs struct {
	mu   sync.Mutex
	dirs map[string]bool
}

func (v *volumeDirs) watch(ctx context.Context, client *kube.Client, janitor *proc.Janitor) error {
	v.dirs = map[string]bool{}
	informer := client.Informer(kube.Volumes)
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) {
		volume, ok := object.(*unstructured.Unstructured)
		if !ok {
			return
		}
		path, _, _ := unstructured.NestedString(volume.Object, "spec", "hostPath", "path")
		if filepath.Dir(filepath.Clean(path)) != hostPathRoot {
			return
		}
		janitor.OwnPath(path)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.dirs[path] = true
	}})
	if err != nil {
		return err
	}
	go informer.RunWithContext(ctx)
	return nil
}

func (v *volumeDirs) remove() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for dir := range v.dirs {
		_ = os.RemoveAll(dir)
	}
	if len(v.dirs) > 0 {
		_ = os.Remove(hostPathRoot) // succeeds for the last one only
	}
}
