package argocd

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"openclaw.io/tests/gitops/files"
)

const (
	fleet   = "https://github.com/example/openclaw-fleet"
	project = "https://github.com/openclaw/openclaw-tenant-operator"
	wave    = "argocd.argoproj.io/sync-wave"
	cluster = "https://kubernetes.default.svc"
)

// folder is where a source's path is in this checkout: a fleet's repository is a copy of deploy/gitops.
func folder(t *testing.T, source *appv1.ApplicationSource) string {
	t.Helper()
	switch source.RepoURL {
	case fleet:
		return filepath.Join(gitops, source.Path)
	case project:
		return filepath.Join(top, source.Path)
	}
	t.Fatalf("a repository of somebody else: %s", source.RepoURL)
	return ""
}

func application(t *testing.T, path string) *appv1.Application {
	t.Helper()
	app := &appv1.Application{}
	files.Into(t, path, files.Documents(t, path)[0], app)
	return app
}

func applications(t *testing.T) map[string]*appv1.Application {
	t.Helper()
	return map[string]*appv1.Application{
		"root":     application(t, examples+"/root.yaml"),
		"operator": application(t, examples+"/apps/operator.yaml"),
		"class":    application(t, examples+"/apps/class.yaml"),
		"tenants":  application(t, examples+"/apps/tenants.yaml"),
	}
}

func projects(t *testing.T) map[string]*appv1.AppProject {
	t.Helper()
	all := map[string]*appv1.AppProject{}
	for _, text := range files.Documents(t, examples+"/apps/projects.yaml") {
		one := &appv1.AppProject{}
		files.Into(t, "projects.yaml", text, one)
		if err := one.ValidateProject(); err != nil {
			t.Errorf("%s: %v", one.Name, err)
		}
		all[one.Name] = one
	}
	return all
}

// rendered is what helm makes of the chart with an Application's values.
func rendered(t *testing.T, app *appv1.Application) []*unstructured.Unstructured {
	t.Helper()
	helm := os.Getenv("OPENCLAW_HELM")
	if helm == "" {
		t.Fatal("OPENCLAW_HELM says where helm is: run tests/gitops/run.sh")
	}
	source := app.Spec.Source
	values := filepath.Join(t.TempDir(), "values.json")
	if err := os.WriteFile(values, source.Helm.ValuesYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), helm, "template", source.Helm.ReleaseName, folder(t, source), "--values", values,
		"--namespace", app.Spec.Destination.Namespace, "--kube-version", "1.33.0")
	// All that it can be told to make.
	command.Args = append(command.Args, "--set", "metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true,metrics.dashboard.enabled=true,ownerAccess.enabled=true")
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	var all []*unstructured.Unstructured
	for _, document := range files.Split(t, "the chart", text) {
		all = append(all, files.Object(t, "the chart", document))
	}
	return all
}

// What Argo CD's definitions ask for beside the types: required fields, words of a list, patterns.
func TestTheExamplesAreWhatArgoCDsDefinitionsTake(t *testing.T) {
	where := exec.CommandContext(t.Context(), "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3")
	where.Env = append(os.Environ(), "GOWORK=off")
	module, err := where.Output()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"Application": "application", "ApplicationSet": "applicationset", "AppProject": "appproject"}
	judged := map[string]int{}
	paths := []string{"root.yaml", "by-team.yaml", "apps/projects.yaml", "apps/operator.yaml", "apps/class.yaml", "apps/tenants.yaml"}
	for _, path := range paths {
		for _, object := range files.Objects(t, filepath.Join(examples, path)) {
			file := filepath.Join(strings.TrimSpace(string(module)), "manifests/crds", kinds[object.GetKind()]+"-crd.yaml")
			stored(t, path, definition(t, file), object)
			judged[object.GetKind()]++
		}
	}
	if expected := map[string]int{"Application": 4, "ApplicationSet": 1, "AppProject": 2}; !reflect.DeepEqual(judged, expected) {
		t.Errorf("judged %v", judged)
	}
	var set appv1.ApplicationSet
	files.Into(t, "by-team.yaml", files.Documents(t, examples+"/by-team.yaml")[0], &set)
}

func TestTheFirstApplicationBringsTheOthersInOrder(t *testing.T) {
	all := applications(t)
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder(t, all["root"].Spec.Source))
	if err != nil {
		t.Fatal(err)
	}
	waves := map[string]string{}
	for _, resource := range made.Resources() {
		waves[resource.GetKind()+" "+resource.GetName()] = resource.GetAnnotations()[wave]
	}
	expected := map[string]string{
		"AppProject openclaw-platform":                 "-1",
		"AppProject openclaw-tenants":                  "-1",
		"ServiceAccount openclaw-tenants":              "-1",
		"ClusterRole openclaw-tenants-from-git":        "-1",
		"ClusterRoleBinding openclaw-tenants-from-git": "-1",
		"Application openclaw-operator":                "0",
		"Application openclaw-class":                   "1",
		"Application openclaw-tenants":                 "2",
	}
	if !reflect.DeepEqual(waves, expected) {
		t.Errorf("made in this order: %v", waves)
	}
	// One wave for all Tenants: a sync of several waits until everybody in the first is healthy, and one suspended Tenant is not.
	for _, tenant := range files.Objects(t, folder(t, all["tenants"].Spec.Source)) {
		if there := tenant.GetAnnotations()[wave]; there != "" {
			t.Errorf("%s has a wave of its own: %s", tenant.GetName(), there)
		}
	}
}

// permitted says whether Argo CD lets an Application of the project apply this.
func permitted(t *testing.T, in *appv1.AppProject, kind schema.GroupKind, name, namespace string) bool {
	t.Helper()
	here := &appv1.Cluster{Server: cluster, Name: "in-cluster"}
	answer, err := in.IsResourcePermitted(kind, name, namespace, here, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestProjectsPermitWhatTheirApplicationsApplyAndNothingElse(t *testing.T) {
	projects, here := projects(t), &appv1.Cluster{Server: cluster, Name: "in-cluster"}
	needed := map[string][]*unstructured.Unstructured{}
	for name, app := range applications(t) {
		if name == "root" {
			continue
		}
		in := projects[app.Spec.Project]
		if in == nil || !in.IsSourcePermitted(*app.Spec.Source) {
			t.Fatalf("%s: no project permits its source", name)
		}
		destination, err := in.IsDestinationPermitted(here, app.Spec.Destination.Namespace, nil)
		if !destination || err != nil {
			t.Errorf("%s: its destination is not permitted, %v", name, err)
		}
		if name == "operator" {
			needed[in.Name] = append(needed[in.Name], rendered(t, app)...)
			needed[in.Name] = append(needed[in.Name], files.One(t, top+"/deploy/operator/namespace.yaml"))
			continue
		}
		needed[in.Name] = append(needed[in.Name], files.Objects(t, folder(t, app.Spec.Source))...)
	}
	for project, objects := range needed {
		in, used := projects[project], map[schema.GroupKind]bool{}
		for _, object := range objects {
			kind := object.GroupVersionKind().GroupKind()
			used[kind] = true
			if !permitted(t, in, kind, object.GetName(), object.GetNamespace()) {
				t.Errorf("%s does not permit %s %s/%s", project, kind, object.GetNamespace(), object.GetName())
			}
		}
		for _, item := range in.Spec.ClusterResourceWhitelist {
			if !used[schema.GroupKind{Group: item.Group, Kind: item.Kind}] {
				t.Errorf("%s permits %s, and nothing of it is applied", project, item.Kind)
			}
		}
		for _, item := range in.Spec.NamespaceResourceWhitelist {
			if !used[schema.GroupKind{Group: item.Group, Kind: item.Kind}] {
				t.Errorf("%s permits %s, and nothing of it is applied", project, item.Kind)
			}
		}
	}
	tenants := projects["openclaw-tenants"]
	for _, refused := range []struct{ group, kind, namespace string }{
		{"openclaw.io", "TenantClass", ""},
		{"openclaw.io", "TenantRecord", ""},
		{"", "Namespace", ""},
		{"rbac.authorization.k8s.io", "ClusterRoleBinding", ""},
		{"", "ConfigMap", "default"},
		{"", "Secret", "openclaw-alice"},
		{"argoproj.io", "Application", "argocd"},
	} {
		if permitted(t, tenants, schema.GroupKind{Group: refused.group, Kind: refused.kind}, "any", refused.namespace) {
			t.Errorf("the tenants' folder may apply %v", refused)
		}
	}
	if platform := projects["openclaw-platform"]; permitted(t, platform, schema.GroupKind{Kind: "Namespace"}, "openclaw-alice", "") ||
		permitted(t, platform, schema.GroupKind{Kind: "ConfigMap"}, "any", "openclaw-alice") {
		t.Error("the platform's project reaches into a tenant's namespace")
	}
}

func TestWhatGoesFromGitIsDeletedOnlyWhereThatIsSafe(t *testing.T) {
	for name, app := range applications(t) {
		automated := app.Spec.SyncPolicy.Automated
		if len(app.Finalizers) > 0 {
			t.Errorf("%s: deleting the Application would delete what it applied: %v", name, app.Finalizers)
		}
		if automated.GetPrune() != (name == "tenants") || automated.GetAllowEmpty() || !automated.GetSelfHeal() {
			t.Errorf("%s: %+v", name, automated)
		}
		options := app.Spec.SyncPolicy.SyncOptions
		if !options.HasOption("ServerSideApply=true") {
			t.Errorf("%s: %v", name, options)
		}
		if (name == "tenants" || name == "class") != options.HasOption("Delete=false") {
			t.Errorf("%s: %v", name, options)
		}
	}
}

func TestTheOperatorsNamespaceIsConfinedAsDeployOperatorHasIt(t *testing.T) {
	app := applications(t)["operator"]
	wanted := files.One(t, top+"/deploy/operator/namespace.yaml")
	labels := app.Spec.SyncPolicy.ManagedNamespaceMetadata.Labels
	if wanted.GetName() != app.Spec.Destination.Namespace || !reflect.DeepEqual(labels, wanted.GetLabels()) {
		t.Errorf("namespace %s with %v", app.Spec.Destination.Namespace, labels)
	}
	if !app.Spec.SyncPolicy.SyncOptions.HasOption("CreateNamespace=true") {
		t.Error("nobody makes it")
	}
}

// Argo CD takes a hook of helm's for its own, and a class that is one would never be its Application's.
func TestTheChartBringsArgoCDNoHooks(t *testing.T) {
	kinds := map[string]int{}
	for _, object := range rendered(t, applications(t)["operator"]) {
		kinds[object.GetKind()]++
		for annotation := range object.GetAnnotations() {
			if strings.HasPrefix(annotation, "helm.sh/hook") {
				t.Errorf("%s %s is a hook", object.GetKind(), object.GetName())
			}
		}
	}
	if kinds["Deployment"] != 1 || kinds["CustomResourceDefinition"] != 3 || kinds["TenantClass"] != 0 {
		t.Errorf("rendered: %v", kinds)
	}
}

// The account that Argo CD acts as for Tenants: what it may do, and that it is the one that the project names.
func TestTheTenantsAccountMayWriteTenantsAndGiveTheClass(t *testing.T) {
	all := files.Objects(t, examples+"/apps/rights.yaml")
	account, role, binding := all[0], all[1], all[2]
	named := projects(t)["openclaw-tenants"].Spec.DestinationServiceAccounts
	if len(named) != 1 || named[0].DefaultServiceAccount != account.GetNamespace()+":"+account.GetName() || named[0].Server != cluster {
		t.Errorf("the project names %+v", named)
	}
	text, err := json.Marshal(role.Object["rules"])
	if err != nil {
		t.Fatal(err)
	}
	expected := `[{"apiGroups":["openclaw.io"],"resources":["tenants"],"verbs":["get","list","watch","create","update","patch","delete"]},` +
		`{"apiGroups":["openclaw.io"],"resourceNames":["default"],"resources":["tenantclasses"],"verbs":["use"]}]`
	if string(text) != expected {
		t.Errorf("its rights: %s", text)
	}
	subjects, _, _ := unstructured.NestedSlice(binding.Object, "subjects")
	bound := map[string]any{"kind": "ServiceAccount", "name": account.GetName(), "namespace": account.GetNamespace()}
	name, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name")
	if !reflect.DeepEqual(subjects, []any{bound}) || name != role.GetName() {
		t.Errorf("%v has the role %s", subjects, name)
	}
	class := files.One(t, folder(t, applications(t)["class"].Spec.Source))
	if class.GetName() != "default" {
		t.Errorf("the class is %s", class.GetName())
	}
}

// By Argo CD's own rendering: a team's Application differs from the one for all in its name and folder alone.
func TestATeamsApplicationIsTheOneForAllWithAnotherFolder(t *testing.T) {
	var set appv1.ApplicationSet
	files.Into(t, "by-team.yaml", files.Documents(t, examples+"/by-team.yaml")[0], &set)
	template := &appv1.Application{Spec: set.Spec.Template.Spec}
	template.Name, template.Annotations = set.Spec.Template.Name, set.Spec.Template.Annotations
	parameters := map[string]any{"path": map[string]any{"path": "tenants/Blue_Team", "basename": "Blue_Team", "basenameNormalized": "blue-team"}}
	made, err := (&utils.Render{}).RenderTemplateParams(template, set.Spec.SyncPolicy, parameters, set.Spec.GoTemplate, set.Spec.GoTemplateOptions)
	if err != nil {
		t.Fatal(err)
	}
	wanted := applications(t)["tenants"]
	wanted.Spec.Source.Path = "tenants/Blue_Team"
	delete(wanted.Annotations, wave)
	if made.Name != "openclaw-tenants-blue-team" || !reflect.DeepEqual(made.Annotations, wanted.Annotations) {
		t.Errorf("%s with %v", made.Name, made.Annotations)
	}
	specs := [2]string{}
	for index, spec := range []appv1.ApplicationSpec{made.Spec, wanted.Spec} {
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		specs[index] = string(text)
	}
	if specs[0] != specs[1] {
		t.Errorf("rendered as %s\nnot as %s", specs[0], specs[1])
	}
	if len(made.Finalizers) > 0 || !set.Spec.SyncPolicy.PreserveResourcesOnDeletion {
		t.Error("deleting it would delete Tenants")
	}
	if sync := set.Spec.SyncPolicy.ApplicationsSync; sync == nil || *sync != appv1.ApplicationsSyncPolicyCreateUpdate || sync.AllowDelete() {
		t.Errorf("a list that is empty would delete Applications: %v", sync)
	}
	generators := set.Spec.Generators
	if len(generators) != 1 || generators[0].Git.RepoURL != fleet || !slices.Equal(generators[0].Git.Directories, []appv1.GitDirectoryGeneratorItem{{Path: "tenants/*"}}) {
		t.Errorf("generated from %+v", generators)
	}
}
