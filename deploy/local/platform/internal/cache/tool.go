package cache

import (
	"fmt"
	"slices"
	"strings"
)

// extras are the programs that tests use and no instance needs: each is built, from a module that only pins it, when it is
// asked for.
var extras = map[string]string{ // name, which is also its module's, to package
	"helm":     "helm.sh/helm/v4/cmd/helm",
	"promtool": "github.com/prometheus/prometheus/cmd/promtool",
}

// monitoring is what the CRDs of the Prometheus operator are asked for by.
const monitoring = "prometheus-operator"

// Tool says where a program (or a directory of CRDs) is, and builds or fetches it where it is missing.
func (c *Cache) Tool(name string) (string, error) {
	if pkg, known := extras[name]; known {
		var path string
		err := c.build(name, "-s -w", []tool{{name, pkg, &path, false}})
		return path, err
	}
	var tools Tools
	switch name {
	case "kubectl":
		err := c.kubernetes(&tools)
		return tools.Kubectl, err
	case "python":
		return c.python()
	case monitoring:
		return c.manifests(monitoring, prometheusOperator.what, prometheusOperator)
	}
	return "", fmt.Errorf("no tool %q; there are %s", name, strings.Join(ToolNames(), ", "))
}

// ToolNames lists what Tool knows.
func ToolNames() []string {
	names := []string{"kubectl", "python", monitoring}
	for name := range extras {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
