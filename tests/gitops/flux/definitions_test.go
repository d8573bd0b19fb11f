package flux

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"openclaw.io/tests/gitops/files"
)

// Where a controller's module has a definition. Nothing of the module is built; only its file is read, so go.sum does not have it.
var published = map[string]struct{ module, sum, file string }{
	"Kustomization": {
		"github.com/fluxcd/kustomize-controller@v1.9.6", "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
		"kustomize.toolkit.fluxcd.io_kustomizations.yaml",
	},
	"GitRepository": {
		"github.com/fluxcd/source-controller@v1.9.6", "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
		"source.toolkit.fluxcd.io_gitrepositories.yaml",
	},
}

func validator(t *testing.T, kind string, version string) validation.SchemaValidator {
	t.Helper()
	from := published[kind]
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", from.module)
	command.Dir = t.TempDir()
	// The sum is compared here.
	command.Env = append(os.Environ(), "GONOSUMDB=*", "GOFLAGS=", "GOWORK=off")
	said, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", command, err, said)
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(said, &module); err != nil {
		t.Fatal(err)
	}
	if module.Sum != from.sum {
		t.Fatalf("%s is %s, not %s", from.module, module.Sum, from.sum)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	path := filepath.Join(module.Dir, "config/crd/bases", from.file)
	files.Into(t, path, files.Documents(t, path)[0], &definition)
	for _, served := range definition.Spec.Versions {
		if served.Name != version {
			continue
		}
		var schema apiextensions.JSONSchemaProps
		err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(served.Schema.OpenAPIV3Schema, &schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		found, _, err := validation.NewSchemaValidator(&schema)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	t.Fatalf("%s has no %s", path, version)
	return nil
}

// What the definitions ask for beside the types: required fields, words of a list, patterns.
func TestTheExamplesAreWhatFluxsDefinitionsTake(t *testing.T) {
	validators, judged := map[string]validation.SchemaValidator{}, 0
	for _, object := range cluster(t) {
		kind := object.GetKind()
		if _, known := published[kind]; !known {
			continue
		}
		if validators[kind] == nil {
			validators[kind] = validator(t, kind, object.GroupVersionKind().Version)
		}
		judged++
		if refused := validation.ValidateCustomResource(nil, object.Object, validators[kind]); len(refused) > 0 {
			t.Errorf("%s %s: %v", kind, object.GetName(), refused)
		}
		spoilt := object.DeepCopy()
		unstructured.RemoveNestedField(spoilt.Object, "spec", "interval")
		if refused := validation.ValidateCustomResource(nil, spoilt.Object, validators[kind]); len(refused) == 0 {
			t.Errorf("%s: the definition asks for nothing", kind)
		}
	}
	if judged != 5 {
		t.Errorf("%d objects were judged", judged)
	}
}
