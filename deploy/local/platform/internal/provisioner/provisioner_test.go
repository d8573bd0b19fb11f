package provisioner

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRemovesOnlyReleasedVolumesOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		by, phase, policy string
		want              bool
	}{
		"released":    {Name, "Released", "Delete", true},
		"kept":        {Name, "Released", "Retain", false},
		"bound":       {Name, "Bound", "Delete", false},
		"available":   {Name, "Available", "Delete", false},
		"somebody's":  {"efs.csi.aws.com", "Released", "Delete", false},
		"unannotated": {"", "Released", "Delete", false},
	} {
		volume := &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{provisionedBy: c.by}},
			"spec":     map[string]any{"persistentVolumeReclaimPolicy": c.policy},
			"status":   map[string]any{"phase": c.phase},
		}}
		if got := mayRemove(volume); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDirectoryBelongsToTheWorkspace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives directories away")
	}
	dir := filepath.Join(t.TempDir(), "pvc-1")
	for range 2 { // the second time it is there
		if err := makeDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != mode {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
