package flux

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"openclaw.io/tests/gitops/files"
)

const states = gitops + "/argocd/resource_customizations/openclaw.io/"

// What kstatus calls each state of a Tenant. It knows no word for what stands still on request: where all is as it should be that is
// Current, and where it is not nothing moves, which is InProgress until somebody resumes.
var tenants = map[string]status.Status{
	"working":                   status.InProgressStatus,
	"working_again":             status.InProgressStatus,
	"at_rest":                   status.CurrentStatus,
	"suspended":                 status.CurrentStatus,
	"rollout_pending":           status.CurrentStatus,
	"needs_a_person":            status.FailedStatus,
	"without_its_class":         status.FailedStatus,
	"awaiting_value":            status.FailedStatus,
	"deleting_and_kept":         status.TerminatingStatus,
	"deleting":                  status.TerminatingStatus,
	"deletion_held":             status.TerminatingStatus,
	"paused":                    status.CurrentStatus,
	"paused_and_suspended":      status.CurrentStatus,
	"paused_and_drifted":        status.InProgressStatus,
	"paused_and_deleted":        status.TerminatingStatus,
	"not_seen_yet":              status.InProgressStatus,
	"not_seen_since_an_edit":    status.InProgressStatus,
	"going_with_its_definition": status.TerminatingStatus,
}

// What the expressions of class.yaml call each state of a class.
var classes = map[string]status.Status{
	"not_seen_yet":           status.UnknownStatus,
	"not_seen_since_an_edit": status.InProgressStatus,
	"role_verified":          status.CurrentStatus,
	"rolled_out":             status.CurrentStatus,
	"role_unread":            status.CurrentStatus,
	"rolling_out":            status.CurrentStatus,
	"roll_out_stopped":       status.CurrentStatus,
	"role_missing":           status.FailedStatus,
	"role_open":              status.FailedStatus,
}

// each is every state of a kind that there is a file of; all of them are to be judged.
func each(t *testing.T, kind string, expected map[string]status.Status, judge func(name string, object *unstructured.Unstructured)) {
	t.Helper()
	folder := states + kind + "/testdata"
	there, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range there {
		names = append(names, strings.TrimSuffix(file.Name(), ".yaml"))
	}
	if judged := slices.Sorted(maps.Keys(expected)); !slices.Equal(names, judged) {
		t.Fatalf("%s: states %v\njudged %v", kind, names, judged)
	}
	for _, name := range names {
		judge(name, files.One(t, folder+"/"+name+".yaml"))
	}
}

// message is that of a condition, empty where it is absent.
func message(t *testing.T, object *unstructured.Unstructured, kind string) string {
	t.Helper()
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range conditions {
		condition := one.(map[string]any)
		if condition["type"] == kind {
			return condition["message"].(string)
		}
	}
	return ""
}

func TestEveryStateOfATenantIsJudgedByKstatusAsItIsWritten(t *testing.T) {
	each(t, "Tenant", tenants, func(name string, object *unstructured.Unstructured) {
		found, err := status.Compute(object)
		if err != nil || found.Status != tenants[name] {
			t.Errorf("%s: %+v, %v", name, found, err)
			return
		}
		// What it tells people is what the operator tells.
		told := map[status.Status]string{status.FailedStatus: "Stalled", status.InProgressStatus: "Reconciling"}[found.Status]
		if words := message(t, object, told); words != "" && !strings.HasPrefix(name, "not_seen") && found.Message != words {
			t.Errorf("%s: kstatus says %q\nand not %q", name, found.Message, words)
		}
	})
}

func TestEveryStateOfAClassIsJudgedByTheExpressionsAsItIsWritten(t *testing.T) {
	var kustomization kustomizev1.Kustomization
	files.Into(t, "class.yaml", files.Documents(t, examples+"/class.yaml")[0], &kustomization)
	if len(kustomization.Spec.HealthCheckExprs) != 1 {
		t.Fatalf("%+v", kustomization.Spec.HealthCheckExprs)
	}
	check := kustomization.Spec.HealthCheckExprs[0]
	if check.APIVersion != "openclaw.io/v1alpha1" || check.Kind != "TenantClass" {
		t.Fatalf("%+v", check)
	}
	evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
	if err != nil {
		t.Fatal(err)
	}
	each(t, "TenantClass", classes, func(name string, object *unstructured.Unstructured) {
		found, err := evaluator.Evaluate(context.Background(), object)
		if expected := classes[name]; expected == status.UnknownStatus {
			// Without a status the expressions have nothing to look at. Flux's reader calls that Unknown, and waits.
			if err == nil {
				t.Errorf("%s: %+v", name, found)
			}
		} else if err != nil || found.Status != expected {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	})
	// Why there are expressions at all.
	for _, name := range []string{"not_seen_yet", "role_missing"} {
		found, err := status.Compute(files.One(t, states+"TenantClass/testdata/"+name+".yaml"))
		if err != nil || found.Status != status.CurrentStatus {
			t.Errorf("kstatus knows a class by itself now, %s: %+v, %v", name, found, err)
		}
	}
}
