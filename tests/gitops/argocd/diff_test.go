package argocd

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"openclaw.io/tests/gitops/files"
)

const testdata = examples + "/resource_customizations/openclaw.io/Tenant/testdata/"

// definition is the schema of the first version that a CustomResourceDefinition serves.
func definition(t *testing.T, path string) *apiextensions.JSONSchemaProps {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	files.Into(t, path, files.Documents(t, path)[0], &crd)
	var internal apiextensions.JSONSchemaProps
	err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &internal, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &internal
}

// stored is an object as the API server makes it from what is applied: defaulted, and refused where it would drop or refuse something.
func stored(t *testing.T, name string, of *apiextensions.JSONSchemaProps, applied *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	structural, err := schema.NewStructural(of)
	if err != nil {
		t.Fatal(err)
	}
	object := applied.DeepCopy()
	dropped := pruning.PruneWithOptions(object.Object, structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(dropped) > 0 {
		t.Errorf("%s: fields that nobody knows: %v", name, dropped)
	}
	defaulting.Default(object.Object, structural)
	validator, _, err := validation.NewSchemaValidator(of)
	if err != nil {
		t.Fatal(err)
	}
	if refused := validation.ValidateCustomResource(nil, object.Object, validator); len(refused) > 0 {
		t.Errorf("%s: %v", name, refused)
	}
	return object
}

// differs says whether Argo CD calls a live object OutOfSync.
func differs(t *testing.T, live, wanted *unstructured.Unstructured) bool {
	t.Helper()
	tracked := func(object *unstructured.Unstructured) *unstructured.Unstructured {
		object = object.DeepCopy()
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations["argocd.argoproj.io/tracking-id"] = "openclaw-tenants:openclaw.io/Tenant:/" + object.GetName()
		object.SetAnnotations(annotations)
		return object
	}
	config, err := argodiff.NewDiffConfigBuilder().
		WithDiffSettings(nil, overrides(t), false, normalizers.IgnoreNormalizerOpts{}).
		WithTracking("", string(v1alpha1.TrackingMethodAnnotation)).
		WithNoCache().
		Build()
	if err != nil {
		t.Fatal(err)
	}
	result, err := argodiff.StateDiff(tracked(live), tracked(wanted), config)
	if err != nil {
		t.Fatal(err)
	}
	return result.Modified
}

// The files that all of this rests on are what the API server stores of the manifest in Git.
func TestTheStatesAreOfTheManifestInGit(t *testing.T) {
	of := definition(t, top+"/crds/openclaw.io_tenants.yaml")
	made := stored(t, "alice.yaml", of, files.One(t, gitops+"/tenants/alice.yaml"))
	fresh := files.One(t, testdata+"not_seen_yet.yaml")
	for _, field := range []string{"spec", "status"} {
		if !reflect.DeepEqual(made.Object[field], fresh.Object[field]) {
			t.Errorf("%s: stored as %v\nnot as %v", field, made.Object[field], fresh.Object[field])
		}
	}
	for _, object := range files.Objects(t, testdata) {
		again := stored(t, "a state", of, object)
		if !reflect.DeepEqual(again.Object, object.Object) {
			text, _ := json.Marshal(object.Object)
			t.Errorf("the API server would store something else than %s", text)
		}
	}
	classes := definition(t, top+"/crds/openclaw.io_tenantclasses.yaml")
	made = stored(t, "default.yaml", classes, files.One(t, gitops+"/class/default.yaml"))
	fresh = files.One(t, examples+"/resource_customizations/openclaw.io/TenantClass/testdata/not_seen_yet.yaml")
	if !reflect.DeepEqual(made.Object["spec"], fresh.Object["spec"]) {
		t.Errorf("stored as %v\nnot as %v", made.Object["spec"], fresh.Object["spec"])
	}
}

// Argo CD's ordinary diff; its server-side one asks an API server.
func TestNothingThatTheOperatorWritesIsADifference(t *testing.T) {
	wanted := files.One(t, gitops+"/tenants/alice.yaml")
	for _, state := range []string{"not_seen_yet", "working", "at_rest", "rollout_pending", "without_its_class", "paused", "paused_and_drifted"} {
		if differs(t, files.One(t, testdata+state+".yaml"), wanted) {
			t.Errorf("%s is OutOfSync", state)
		}
	}
}

// What Git does not say is nobody's: whoever suspends a Tenant in an emergency is not undone.
func TestWhatGitSaysIsHeldAndNothingElse(t *testing.T) {
	wanted := files.One(t, gitops+"/tenants/alice.yaml")
	if differs(t, files.One(t, testdata+"suspended.yaml"), wanted) {
		t.Error("suspended by hand, and OutOfSync")
	}
	set := func(object *unstructured.Unstructured, value any, field string) *unstructured.Unstructured {
		object = object.DeepCopy()
		if err := unstructured.SetNestedField(object.Object, value, "spec", field); err != nil {
			t.Fatal(err)
		}
		return object
	}
	if !differs(t, files.One(t, testdata+"suspended.yaml"), set(wanted, false, "suspend")) {
		t.Error("Git says that it is not suspended, and nobody sees that it is")
	}
	if !differs(t, files.One(t, testdata+"at_rest.yaml"), set(wanted, true, "suspend")) {
		t.Error("Git says that it is suspended, and nobody sees that it is not")
	}
	if !differs(t, set(files.One(t, testdata+"at_rest.yaml"), "Mallory", "displayName"), wanted) {
		t.Error("a change by hand of what Git says is not seen")
	}
}
