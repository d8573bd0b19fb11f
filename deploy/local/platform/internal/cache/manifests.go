package cache

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// An archive is a published module of which only manifests are taken. It cannot be a requirement of a module here: what its
// go.mod asks for has nothing to do with its CRDs. The sum takes go.sum's place.
type archive struct {
	what, module, sum string
	// Files of it, or what their names begin with.
	files []string
	// What of them is of no use in a cluster that lives for an hour.
	except string
}

var gatewayAPI = archive{
	what: "the Gateway API's CRDs", module: "sigs.k8s.io/gateway-api@v1.7.0", sum: "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
	files:  []string{"config/crd/standard/gateway.networking.k8s.io_"},
	except: "config/crd/standard/gateway.networking.k8s.io_vap_", // a policy against downgrades
}

// The kinds that a cluster may do without.
var optionalKinds = []archive{
	{
		what: "KEDA's CRD", module: "github.com/kedacore/keda/v2@v2.21.0", sum: "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
		files: []string{"config/crd/bases/keda.sh_scaledobjects.yaml"},
	},
	{
		what: "the CRD of KEDA's HTTP add-on", module: "github.com/kedacore/http-add-on@v0.15.0",
		sum: "h1:6xqqvzFB/Yw9zBSsPD/T6DBTaOj6N4/NqbAs26E5XGA=", files: []string{"config/crd/bases/http.keda.sh_interceptorroutes.yaml"},
	},
	{
		what: "Cilium's CRDs", module: "github.com/cilium/cilium@v1.20.2", sum: "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
		files: []string{
			"pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml", "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumendpoints.yaml",
		},
	},
	{
		what:   "the CRD of the AWS Load Balancer Controller",
		module: "github.com/kubernetes-sigs/aws-load-balancer-controller@v0.0.0-20260423195125-93ff3b5fdaad",
		sum:    "h1:sttxR+rS5X6cS1ldieB5JKVucs61EHq8XO7VKySyU5w=", files: []string{"config/crd/gateway/gateway.k8s.aws_targetgroupconfigurations.yaml"},
	},
}

// What the chart makes for the Prometheus operator, which tests of the chart have judged by its own definitions.
var prometheusOperator = archive{
	what: "the Prometheus operator's CRDs", module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
	sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=", files: []string{
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
	},
}

// manifests puts the CRDs of archives into one directory.
func (c *Cache) manifests(kind, what string, archives ...archive) (string, error) {
	var pins []string
	for _, one := range archives {
		pins = append(pins, one.module, one.sum, strings.Join(one.files, " "))
	}
	dir, err := c.place(kind, nil, append(pins, "json")...)
	if err != nil {
		return "", err
	}
	crds := filepath.Join(dir, "crds")
	return crds, c.once(dir, crds, "fetching "+what, func() error {
		return installDir(crds, func(scratch string) error {
			for _, one := range archives {
				if err := one.fetch(scratch); err != nil {
					return fmt.Errorf("%s: %w", one.what, err)
				}
			}
			return nil
		})
	})
}

type downloaded struct{ Zip, Sum, Error string }

func (a archive) fetch(dir string) error {
	cmd := exec.Command("go", "mod", "download", "-json", a.module)
	cmd.Dir = os.TempDir() // outside any module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, runErr := cmd.Output()
	var got downloaded
	if err := json.Unmarshal(out, &got); err != nil {
		return errors.Join(runErr, fmt.Errorf("go mod download %s: %w", a.module, err))
	}
	// An older Go complains about the module's go line, after it has fetched and checked the archive.
	if got.Zip == "" {
		return fmt.Errorf("go mod download %s: %s", a.module, got.Error)
	}
	if got.Sum != a.sum {
		return fmt.Errorf("%s has the sum %s, expected %s; the download is not what was pinned", a.module, got.Sum, a.sum)
	}
	return a.unpack(got.Zip, dir)
}

func (a archive) unpack(path, dir string) error {
	reader, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer reader.Close()
	found := 0
	for _, file := range reader.File {
		name := strings.TrimPrefix(file.Name, a.module+"/")
		if !a.wants(name) {
			continue
		}
		found++
		if err := unpack(file, filepath.Join(dir, filepath.Base(name))); err != nil {
			return err
		}
	}
	if found < len(a.files) {
		return fmt.Errorf("%s holds %d of %v", a.module, found, a.files)
	}
	return nil
}

func (a archive) wants(name string) bool {
	if a.except != "" && strings.HasPrefix(name, a.except) {
		return false
	}
	return slices.ContainsFunc(a.files, func(file string) bool { return strings.HasPrefix(name, file) })
}

func unpack(file *zip.File, to string) error {
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if content, err = yaml.YAMLToJSON(content); err != nil { // reading it takes a tenth of the time, at every start
		return err
	}
	return os.WriteFile(strings.TrimSuffix(to, ".yaml")+".json", content, 0o644)
}

// kwokStageNames say how kwok plays nodes and pods. How it ends a pod is not among them: the instance has a stage of its own for that.
var kwokStageNames = []string{"node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-complete"}

// kwokStages copies them out of kwok's own module. Which they are is a pin as well: a directory never lacks one.
func (c *Cache) kwokStages() ([]string, error) {
	place, err := c.place("kwok", []string{"kwok/go.mod", "kwok/go.sum"}, append([]string{"stages"}, kwokStageNames...)...)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(place, "stages")
	if err := c.once(place, dir, "copying kwok's stages", func() error { return c.copyKwokStages(dir) }); err != nil {
		return nil, err
	}
	var files []string
	for _, stage := range kwokStageNames {
		files = append(files, filepath.Join(dir, path.Base(stage)+".yaml"))
	}
	return files, nil
}

func (c *Cache) copyKwokStages(dir string) error {
	module, err := c.moduleDir("kwok", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	return installDir(dir, func(scratch string) error {
		for _, stage := range kwokStageNames {
			content, err := os.ReadFile(filepath.Join(module, "kustomize/stage", stage+".yaml"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(scratch, path.Base(stage)+".yaml"), content, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// installDir fills a scratch directory beside dir and renames it to dir, so that dir is never seen half full.
func installDir(dir string, fill func(scratch string) error) error {
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "fill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := fill(scratch); err != nil {
		return err
	}
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}
	if err := os.Rename(scratch, dir); err != nil && !exists(dir) {
		return err
	}
	return nil
}
