package flux

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/kustomize"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"openclaw.io/tests/gitops/files"
)

const fleet = "https://github.com/example/openclaw-fleet"

// built is what Flux makes of a folder: with its own kustomization where there is one, and with one that it generates otherwise. It writes
// into the folder, so it is given a copy.
func built(t *testing.T, folder string, of *kustomizev1.Kustomization) []*unstructured.Unstructured {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(gitops)); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	asked := unstructured.Unstructured{}
	if err := json.Unmarshal(raw, &asked.Object); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, folder)
	if _, err := kustomize.NewGenerator(root, asked).WriteFile(path); err != nil {
		t.Fatal(err)
	}
	made, err := kustomize.SecureBuild(root, path, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, document := range files.Split(t, folder, text) {
		all = append(all, files.Object(t, folder, document))
	}
	return all
}

// found is the object of this kind and name among those that are applied, decoded strictly into its type.
func found(t *testing.T, among []*unstructured.Unstructured, kind, name string, value any) {
	t.Helper()
	for _, object := range among {
		if object.GetKind() == kind && object.GetName() == name {
			text, err := object.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			files.Into(t, kind+" "+name, text, value)
			return
		}
	}
	t.Fatalf("no %s %s is applied", kind, name)
}

// cluster is what `kubectl apply -k` of the folder makes.
func cluster(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return built(t, "flux", &kustomizev1.Kustomization{})
}

func kustomizations(t *testing.T) map[string]*kustomizev1.Kustomization {
	t.Helper()
	all, among := map[string]*kustomizev1.Kustomization{}, cluster(t)
	for _, name := range []string{"operator", "class", "tenants"} {
		all[name] = &kustomizev1.Kustomization{}
		found(t, among, "Kustomization", "openclaw-"+name, all[name])
	}
	return all
}

func TestWhatIsAppliedByHandIsWholeAndInOneNamespace(t *testing.T) {
	kinds := map[string]int{}
	for _, object := range cluster(t) {
		kinds[object.GetKind()]++
		if namespace := object.GetNamespace(); namespace != "flux-system" && namespace != "" {
			t.Errorf("%s %s is in %s", object.GetKind(), object.GetName(), namespace)
		}
	}
	expected := map[string]int{"GitRepository": 2, "Kustomization": 3, "ServiceAccount": 1, "ClusterRole": 1, "ClusterRoleBinding": 1}
	if !reflect.DeepEqual(kinds, expected) {
		t.Errorf("applied: %v", kinds)
	}
}

func TestEachWaitsForTheOneBefore(t *testing.T) {
	all := kustomizations(t)
	depends := func(name string) []string {
		var on []string
		for _, other := range all[name].Spec.DependsOn {
			on = append(on, other.Name)
		}
		return on
	}
	if on := depends("operator"); len(on) != 0 {
		t.Errorf("the operator waits for %v", on)
	}
	for name, before := range map[string]string{"class": "operator", "tenants": "class"} {
		if on := depends(name); !reflect.DeepEqual(on, []string{all[before].Name}) {
			t.Errorf("%s waits for %v", name, on)
		}
		// What is waited for is ready once this is: an object that it applies.
		checks := all[before].Spec.HealthChecks
		if len(checks) != 1 || all[before].Spec.Wait {
			t.Fatalf("%s: %+v", before, checks)
		}
		check := checks[0]
		among := built(t, all[before].Spec.Path, all[before])
		object := map[string]any{}
		found(t, among, check.Kind, check.Name, &object)
		if object["apiVersion"] != check.APIVersion {
			t.Errorf("%s: %v is not %s", before, object["apiVersion"], check.APIVersion)
		}
	}
	if tenants := all["tenants"].Spec; len(tenants.HealthChecks) > 0 || tenants.Wait {
		t.Error("the next commit waits for everybody's health")
	}
}

func TestEachFolderIsBuiltToWhatItsFilesSay(t *testing.T) {
	for name, kustomization := range kustomizations(t) {
		var repository sourcev1.GitRepository
		found(t, cluster(t), kustomization.Spec.SourceRef.Kind, kustomization.Spec.SourceRef.Name, &repository)
		if repository.Spec.URL != fleet {
			t.Errorf("%s is fetched from %s", name, repository.Spec.URL)
		}
		written := map[string]map[string]any{}
		for _, object := range files.Objects(t, filepath.Join(gitops, kustomization.Spec.Path)) {
			if object.GetAPIVersion() != "kustomize.config.k8s.io/v1beta1" {
				written[object.GetKind()+" "+object.GetName()] = object.Object
			}
		}
		made := map[string]map[string]any{}
		for _, object := range built(t, kustomization.Spec.Path, kustomization) {
			made[object.GetKind()+" "+object.GetName()] = object.Object
		}
		if !reflect.DeepEqual(made, written) {
			t.Errorf("%s: made %v\nwritten %v", name, made, written)
		}
	}
}

func TestWhatGoesFromGitIsDeletedOnlyWhereThatIsSafe(t *testing.T) {
	for name, kustomization := range kustomizations(t) {
		spec := kustomization.Spec
		if spec.Prune != (name == "tenants") || spec.DeletionPolicy != kustomizev1.DeletionPolicyOrphan || spec.Force {
			t.Errorf("%s: prune %v, deletionPolicy %s, force %v", name, spec.Prune, spec.DeletionPolicy, spec.Force)
		}
	}
}

func TestTenantsAreAppliedByAnAccountThatMayWriteTenantsAndGiveTheClass(t *testing.T) {
	var account corev1.ServiceAccount
	var role rbacv1.ClusterRole
	var binding rbacv1.ClusterRoleBinding
	among := cluster(t)
	found(t, among, "ServiceAccount", kustomizations(t)["tenants"].Spec.ServiceAccountName, &account)
	found(t, among, "ClusterRole", "openclaw-tenants-from-git", &role)
	found(t, among, "ClusterRoleBinding", "openclaw-tenants-from-git", &binding)
	expected := []rbacv1.PolicyRule{
		{
			APIGroups: []string{"openclaw.io"}, Resources: []string{"tenants"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
		},
		{APIGroups: []string{"openclaw.io"}, Resources: []string{"tenantclasses"}, ResourceNames: []string{"default"}, Verbs: []string{"use"}},
	}
	if !reflect.DeepEqual(role.Rules, expected) {
		t.Errorf("its rights: %+v", role.Rules)
	}
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}}
	if binding.RoleRef.Name != role.Name || !reflect.DeepEqual(binding.Subjects, subjects) {
		t.Errorf("bound: %+v", binding)
	}
}

func TestTheReleaseIsTheOneThatArgoCDMakes(t *testing.T) {
	all := kustomizations(t)
	among := built(t, all["operator"].Spec.Path, all["operator"])
	var release helmv2.HelmRelease
	found(t, among, "HelmRelease", "openclaw", &release)
	var namespace, expected corev1.Namespace
	found(t, among, "Namespace", release.Spec.TargetNamespace, &namespace)
	files.Into(t, "namespace.yaml", files.Documents(t, top+"/deploy/operator/namespace.yaml")[0], &expected)
	if !reflect.DeepEqual(namespace, expected) {
		t.Errorf("its namespace: %+v", namespace)
	}
	chart := release.Spec.Chart.Spec
	var repository sourcev1.GitRepository
	found(t, cluster(t), chart.SourceRef.Kind, chart.SourceRef.Name, &repository)
	if _, err := os.Stat(filepath.Join(top, chart.Chart, "Chart.yaml")); err != nil || chart.ReconcileStrategy != "Revision" {
		t.Errorf("the chart: %v, %+v", err, chart)
	}

	argo := files.One(t, gitops+"/argocd/apps/operator.yaml")
	text := func(path ...string) string {
		value, _, err := unstructured.NestedString(argo.Object, path...)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	if text("spec", "source", "helm", "releaseName") != release.Spec.ReleaseName ||
		text("spec", "destination", "namespace") != release.GetReleaseNamespace() ||
		text("spec", "source", "repoURL") != repository.Spec.URL ||
		text("spec", "source", "targetRevision") != repository.Spec.Reference.Tag {
		t.Errorf("Argo CD makes %v\nFlux %+v from %+v", argo.Object["spec"], release.Spec, repository.Spec)
	}
	values, _, err := unstructured.NestedMap(argo.Object, "spec", "source", "helm", "valuesObject")
	if err != nil {
		t.Fatal(err)
	}
	argoValues, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(canonical(t, release.Spec.Values.Raw), argoValues) {
		t.Errorf("Flux gives %s\nArgo CD %s", release.Spec.Values.Raw, argoValues)
	}
	// A process without credentials is waited for: neither is anything rolled back nor uninstalled.
	if release.GetInstall().GetRetry(false) == nil || release.GetUpgrade().GetRetry(false) == nil {
		t.Errorf("a failure undoes the release: %+v", release.Spec)
	}
}

func canonical(t *testing.T, text []byte) []byte {
	t.Helper()
	var value map[string]any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// What deploy/gitops/README.md warns of: nothing of Flux's takes an empty folder for a mistake.
func TestAFolderWithoutTenantsIsNoErrorToFlux(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "README.md"), []byte("nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	if _, err := kustomize.NewGenerator(root, asked).WriteFile(root); err != nil {
		t.Fatal(err)
	}
	made, err := kustomize.SecureBuild(root, root, false)
	if err != nil || made.Size() != 0 {
		t.Errorf("%v, %v: the README can say something better", made, err)
	}
}
