package argocd

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"

	"openclaw.io/tests/gitops/files"
)

// manager reads Argo CD's settings from a ConfigMap that says nothing but what the example says.
func manager(t *testing.T) *settings.SettingsManager {
	t.Helper()
	var config corev1.ConfigMap
	files.Into(t, "argocd-cm.yaml", files.Documents(t, examples+"/argocd-cm.yaml")[0], &config)
	config.Labels = map[string]string{"app.kubernetes.io/part-of": "argocd"}
	secret := &corev1.Secret{}
	secret.Name, secret.Namespace, secret.Labels = "argocd-secret", config.Namespace, config.Labels
	secret.Data = map[string][]byte{"server.secretkey": []byte("none")}
	return settings.NewSettingsManager(t.Context(), fake.NewClientset(&config, secret), config.Namespace)
}

func overrides(t *testing.T) map[string]appv1.ResourceOverride {
	t.Helper()
	all, err := manager(t).GetResourceOverrides()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// expectations is the format of Argo CD's own tests of health scripts.
type expectations struct {
	Tests []struct {
		InputPath    string              `json:"inputPath"`
		HealthStatus health.HealthStatus `json:"healthStatus"`
	} `json:"tests"`
}

// Every state that the operator tells of a Tenant or of a class: by the script in argocd-cm.yaml, in the VM that Argo CD gives to scripts
// of its ConfigMap, and by the file, in the one that it gives to built-in scripts.
func TestEveryStateIsJudgedAsItIsWritten(t *testing.T) {
	all := overrides(t)
	for _, kind := range []string{"Tenant", "TenantClass"} {
		folder := filepath.Join(examples, "resource_customizations/openclaw.io", kind)
		script := string(files.Read(t, folder+"/health.lua"))
		if configured := all["openclaw.io/"+kind].HealthLua; configured != script {
			t.Errorf("argocd-cm.yaml has another script for %s than health.lua:\n%s", kind, configured)
		}
		var expected expectations
		files.Into(t, folder+"/health_test.yaml", files.Documents(t, folder+"/health_test.yaml")[0], &expected)
		var judged []string
		for _, test := range expected.Tests {
			path := filepath.Join(folder, test.InputPath)
			judged = append(judged, filepath.Base(path))
			object := files.One(t, path)
			configured, err := lua.ResourceHealthOverrides(all).GetResourceHealth(object)
			if err != nil || *configured != test.HealthStatus {
				t.Errorf("%s %s: %+v, %v\nwritten: %+v", kind, test.InputPath, configured, err, test.HealthStatus)
			}
			builtIn, err := lua.VM{UseOpenLibs: true}.ExecuteHealthLua(object, script)
			if err != nil || *builtIn != test.HealthStatus {
				t.Errorf("%s %s: built in, %+v, %v", kind, test.InputPath, builtIn, err)
			}
			// What Argo CD shows: of an object that is being deleted it asks no script.
			shown, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(all))
			written := test.HealthStatus
			if object.GetDeletionTimestamp() != nil {
				written = health.HealthStatus{Status: health.HealthStatusProgressing, Message: "Pending deletion"}
			}
			if err != nil || *shown != written {
				t.Errorf("%s %s: shown as %+v, %v\nnot as %+v", kind, test.InputPath, shown, err, written)
			}
		}
		there, err := os.ReadDir(folder + "/testdata")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, file := range there {
			names = append(names, file.Name())
		}
		slices.Sort(judged)
		if !slices.Equal(names, judged) {
			t.Errorf("%s: states %v\njudged %v", kind, names, judged)
		}
	}
}

// What no operator tells: the script takes it for nothing told, and never fails.
func TestAnIncompleteStatusIsWaitedFor(t *testing.T) {
	all := lua.ResourceHealthOverrides(overrides(t))
	waiting := health.HealthStatus{Status: health.HealthStatusProgressing, Message: "The operator has not looked at it since its last change"}
	for _, kind := range []string{"Tenant/testdata/at_rest.yaml", "TenantClass/testdata/role_verified.yaml"} {
		for _, missing := range [][]string{{"status"}, {"status", "observedGeneration"}, {"status", "conditions"}} {
			object := files.One(t, filepath.Join(examples, "resource_customizations/openclaw.io", kind))
			unstructured.RemoveNestedField(object.Object, missing...)
			found, err := all.GetResourceHealth(object)
			if err != nil || *found != waiting {
				t.Errorf("%s without %v: %+v, %v", kind, missing, found, err)
			}
		}
	}
	object := files.One(t, testdata+"at_rest.yaml")
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	conditions = append(conditions, map[string]any{"type": "Stalled", "status": "False"})
	if err := unstructured.SetNestedSlice(object.Object, conditions, "status", "conditions"); err != nil {
		t.Fatal(err)
	}
	if found, err := all.GetResourceHealth(object); err != nil || found.Status != health.HealthStatusHealthy {
		t.Errorf("not stalled: %+v, %v", found, err)
	}
}

// The order of waves rests on it: without a script Argo CD takes an Application for done as soon as it is made.
func TestAnApplicationIsWaitedFor(t *testing.T) {
	app := files.One(t, examples+"/apps/class.yaml")
	judged := func() health.HealthStatus {
		found, err := health.GetResourceHealth(app, lua.ResourceHealthOverrides(overrides(t)))
		if err != nil || found == nil {
			t.Fatalf("%v, %v", found, err)
		}
		return *found
	}
	if found := judged(); found.Status != health.HealthStatusProgressing {
		t.Errorf("made: %+v", found)
	}
	for _, status := range []string{"Healthy", "Degraded", "Progressing"} {
		app.Object["status"] = map[string]any{"health": map[string]any{"status": status}}
		if found := judged(); string(found.Status) != status {
			t.Errorf("%s: %+v", status, found)
		}
	}
	bare, err := health.GetResourceHealth(app, lua.ResourceHealthOverrides{})
	if err != nil || bare != nil {
		t.Errorf("Argo CD judges Applications by itself now, %+v, %v: the script can go", bare, err)
	}
}

func TestTenantsAreAppliedWithTheirAccountsRights(t *testing.T) {
	manager := manager(t)
	enabled, err := manager.IsImpersonationEnabled()
	enforced, err2 := manager.IsImpersonationEnforced()
	if !enabled || enforced || err != nil || err2 != nil {
		t.Errorf("enabled %v, enforced %v, %v, %v", enabled, enforced, err, err2)
	}
}
