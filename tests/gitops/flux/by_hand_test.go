package flux

import (
	"strings"
	"testing"

	"github.com/fluxcd/pkg/ssa"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"openclaw.io/tests/gitops/files"
)

// Flux takes over what kubectl has written, and so takes it away where Git does not say it: orders on a Tenant belong in Git.
func TestWhatKubectlWritesFluxTakesOver(t *testing.T) {
	// kustomize-controller, internal/controller/kustomization_controller.go: the managers whose changes are undone.
	undone := []ssa.FieldManager{{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate}}
	for manager, expected := range map[string]bool{"kubectl-annotate": true, "kubectl-patch": true, "kubectl-edit": true, "openclaw-tenant-operator": false} {
		tenant := files.One(t, states+"Tenant/testdata/paused.yaml")
		entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
			return metav1.ManagedFieldsEntry{
				Manager: manager, Operation: operation, APIVersion: tenant.GetAPIVersion(), FieldsType: "FieldsV1",
				FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)},
			}
		}
		tenant.SetManagedFields([]metav1.ManagedFieldsEntry{
			entry("kustomize-controller", metav1.ManagedFieldsOperationApply, `{"f:spec":{"f:owner":{}}}`),
			entry(manager, metav1.ManagedFieldsOperationUpdate, `{"f:metadata":{"f:annotations":{"f:openclaw.io/paused":{}}}}`),
		})
		patches, err := ssa.PatchReplaceFieldsManagers(tenant, undone, "kustomize-controller")
		if err != nil {
			t.Fatal(err)
		}
		takenOver := false
		for _, patch := range patches {
			for _, entry := range patch.Value {
				takenOver = takenOver || entry.Manager == "kustomize-controller" && strings.Contains(string(entry.FieldsV1.Raw), "openclaw.io/paused")
			}
		}
		if takenOver != expected {
			t.Errorf("%s: taken over %v", manager, takenOver)
		}
	}
}
