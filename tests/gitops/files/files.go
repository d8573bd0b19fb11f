// Package files reads what is judged: YAML files of this repository.
package files

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Read is the text of a file.
func Read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Documents are the YAML documents of a file, each as JSON.
func Documents(t *testing.T, path string) [][]byte {
	t.Helper()
	return Split(t, path, Read(t, path))
}

// Split are the YAML documents of a text, each as JSON.
func Split(t *testing.T, name string, text []byte) [][]byte {
	t.Helper()
	var all [][]byte
	decoder := utilyaml.NewYAMLToJSONDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
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

// Object is what a client of the API server would have of it: whole numbers are int64.
func Object(t *testing.T, name string, text []byte) *unstructured.Unstructured {
	t.Helper()
	found := &unstructured.Unstructured{}
	if err := found.UnmarshalJSON(text); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return found
}

// Objects are the objects of all YAML files below a folder, or of one file.
func Objects(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	err := filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		for _, text := range Documents(t, path) {
			all = append(all, Object(t, path, text))
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

// One is the only object of a file.
func One(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	all := Objects(t, path)
	if len(all) != 1 {
		t.Fatalf("%s: %d objects", path, len(all))
	}
	return all[0]
}

// Into decodes strictly: a field that the type does not have is an error.
func Into(t *testing.T, name string, text []byte, value any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
