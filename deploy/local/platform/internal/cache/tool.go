package cache

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// extras are the programs that tests use and no instance needs. Those of one module, which only pins them, are built together, when one of
// them is asked for.
var extras = []extraPrograms{
	{recipe{module: "helm", ldflags: stripped}, []string{"helm.sh/helm/v4/cmd/helm"}},
	// Nothing is discovered in any cloud here: what knows them is most of what there would be to compile.
	{recipe{module: "prometheus", ldflags: stripped, tags: "remove_all_sd"}, []string{
		"github.com/prometheus/prometheus/cmd/prometheus",
		"github.com/prometheus/prometheus/cmd/promtool",
	}},
}

// extraPrograms are those of one module.
type extraPrograms struct {
	recipe
	packages []string // each ends with its program's name
}

func (e extraPrograms) programs() []string {
	names := make([]string, len(e.packages))
	for i, pkg := range e.packages {
		names[i] = path.Base(pkg)
	}
	return names
}

// monitoring is what the CRDs of the Prometheus operator are asked for by.
const monitoring = "prometheus-operator"

// Tool says where a program (or a directory of CRDs) is, and builds or fetches it where it is missing.
func (c *Cache) Tool(name string) (string, error) {
	for _, extra := range extras {
		if slices.Contains(extra.programs(), name) {
			return c.extra(extra, name)
		}
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

// extra builds what goes with a program, and says where that is.
func (c *Cache) extra(extra extraPrograms, name string) (string, error) {
	names := extra.programs()
	paths, tools := make([]string, len(names)), make([]tool, len(names))
	for i, pkg := range extra.packages {
		tools[i] = tool{names[i], pkg, &paths[i], false}
	}
	err := c.build(extra.recipe, tools)
	return paths[slices.Index(names, name)], err
}

// ToolNames lists what Tool knows.
func ToolNames() []string {
	names := []string{"kubectl", "python", monitoring}
	for _, extra := range extras {
		names = append(names, extra.programs()...)
	}
	slices.Sort(names)
	return names
}
