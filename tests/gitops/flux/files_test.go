package flux

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	top      = "../../.."
	gitops   = top + "/deploy/gitops"
	examples = gitops + "/flux"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// documents are the YAML documents of a file, each as JSON.
func documents(t *testing.T, path string) [][]byte {
	t.Helper()
	return split(t, path, read(t, path))
}

func split(t *testing.T, name string, text []byte) [][]byte {
	t.Helper()
	var all [][]byte
	decoder := utilyaml.NewYAMLToJSONDecoder(bytes.NewReader(text))
	for {
		var raw rawJSON
		err := decoder.Decode(&raw)
		if err != nil {
			if err.Error() == "EOF" {
				return all
			}
			t.Fatalf("%s: %v", name, err)
		}
		if len(raw) > 0 && string(raw) != "null" {
			all = append(all, raw)
		}
	}
}

type rawJSON []byte

func (raw *rawJSON) UnmarshalJSON(text []byte) error {
	*raw = append(rawJSON(nil), text...)
	return nil
}

// object is what a client of the API server would have of it: whole numbers are int64.
func object(t *testing.T, name string, text []byte) *unstructured.Unstructured {
	t.Helper()
	read := &unstructured.Unstructured{}
	if err := read.UnmarshalJSON(text); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return read
}

// objects are the objects of all YAML files below a folder, or of one file.
func objects(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	err := filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		for _, text := range documents(t, path) {
			all = append(all, object(t, path, text))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s: no objects", path)
	}
	return all
}

func one(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	all := objects(t, path)
	if len(all) != 1 {
		t.Fatalf("%s: %d objects", path, len(all))
	}
	return all[0]
}

// into decodes strictly: a field that the type does not have is an error.
func into(t *testing.T, name string, text []byte, value any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
