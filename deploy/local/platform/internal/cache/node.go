package cache

import (
	"errors"
	"path/filepath"

	"openclaw.io/local/platform/internal/image"
	"openclaw.io/local/platform/internal/node"
)

// NodeTools is what a real node runs beside the programs of its machine.
type NodeTools struct {
	Kubelet, Proxy string
	Images         []string // archives
}

// DNSImage is what names are answered by.
const DNSImage = "openclaw.local/coredns:1"

// Node builds whatever of a real node is missing.
func (c *Cache) Node() (NodeTools, error) {
	var tools NodeTools
	var dns, pause string
	const cmd = "k8s.io/kubernetes/cmd/"
	err := errors.Join(
		c.build(recipe{module: "kubernetes", ldflags: kubernetesFlags}, []tool{
			{"kubelet", cmd + "kubelet", &tools.Kubelet, false},
			{"kube-proxy", cmd + "kube-proxy", &tools.Proxy, false},
		}),
		c.build(recipe{module: "coredns", ldflags: stripped}, []tool{{"coredns", "openclaw.io/local/coredns", &dns, false}}),
		c.build(recipe{module: "platform", ldflags: stripped}, []tool{{"pause", "openclaw.io/local/platform/pause", &pause, false}}),
	)
	if err != nil {
		return tools, err
	}
	for _, one := range []struct{ reference, program string }{{node.PauseImage, pause}, {DNSImage, dns}} {
		archive, err := c.imageOf(one.reference, one.program)
		if err != nil {
			return tools, err
		}
		tools.Images = append(tools.Images, archive)
	}
	return tools, nil
}

// imageOf makes an image of one static program, beside that program.
func (c *Cache) imageOf(reference, program string) (string, error) {
	archive, name := program+".tar", filepath.Base(program)
	return archive, c.once(filepath.Dir(program), archive, "making the image "+reference, func() error {
		return image.Write(archive, image.Image{
			Reference: reference, Entrypoint: []string{"/" + name}, User: "65532:65532",
			Files: []image.File{{Path: "tmp", Mode: 0o1777}, {Path: name, Mode: 0o755, Source: program}},
		})
	})
}
