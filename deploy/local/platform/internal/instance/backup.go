package instance

import (
	"fmt"
	"net/http"
	"os"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// backupName keeps a backup's directory inside the instance's.
var backupName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

var nodeLeases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// handleBackup copies etcd's files while it stands still, as a snapshot of its disk would.
func (i *Instance) handleBackup(w http.ResponseWriter, r *http.Request) {
	i.onBackup(w, r, func(directory string) error {
		return i.group.Frozen([]string{"etcd"}, func() error { return os.CopyFS(directory, os.DirFS(i.path("etcd"))) })
	})
}

// handleRestore puts a backup in the place of etcd's files. Everything that has seen the later state is started anew, as
// "Restoring an etcd cluster" in Kubernetes' documentation asks: nobody's watch begins at a version that is yet to come.
func (i *Instance) handleRestore(w http.ResponseWriter, r *http.Request) {
	i.onBackup(w, r, i.restore)
}

func (i *Instance) onBackup(w http.ResponseWriter, r *http.Request, work func(directory string) error) {
	name := r.PathValue("backup")
	if i.options.Attach != nil || !backupName.MatchString(name) {
		http.Error(w, fmt.Sprintf("no backup %q: small letters, digits and hyphens, on an instance with an etcd of its own", name),
			http.StatusBadRequest)
		return
	}
	if err := work(i.path("backup-" + name)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (i *Instance) restore(directory string) error {
	if _, err := os.Stat(directory); err != nil {
		return err
	}
	i.standIn()
	i.group.Halt("kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
	if err := os.RemoveAll(i.path("etcd")); err != nil {
		return err
	}
	if err := os.CopyFS(i.path("etcd"), os.DirFS(directory)); err != nil {
		return err
	}
	if err := i.runEtcd(); err != nil {
		return err
	}
	if err := i.startAPIServer(); err != nil {
		return err
	}
	if err := i.awaitAPIServer(); err != nil {
		return err
	}
	// Another kwok does not take the nodes over whose leases its predecessor holds.
	leases := i.kube.Resource(nodeLeases).Namespace("kube-node-lease")
	if err := leases.DeleteCollection(i.ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	if err := i.bringUpCluster(); err != nil {
		return err
	}
	i.startStandIn()
	return nil
}
