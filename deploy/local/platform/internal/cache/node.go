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

// DNSImage and ProbeImage are what names are answered by, and what tests try connections with.
const (
	DNSImage   = "openclaw.local/coredns:1"
	ProbeImage = "openclaw.local/agnhost:1"
)

// Node builds whatever of a real node is missing.
func (c *Cache) Node() (NodeTools, error) {
	var tools NodeTools
	var agnhost, dns, pause string
	const kubernetes = "k8s.io/kubernetes/"
	err := errors.Join(
		c.build("kubernetes", kubernetesFlags, []tool{
			{"kubelet", kubernetes + "cmd/kubelet", &tools.Kubelet, false},
			{"kube-proxy", kubernetes + "cmd/kube-proxy", &tools.Proxy, false},
			{"agnhost", kubernetes + "test/images/agnhost", &agnhost, false},
		}),
		c.build("coredns", "-s -w", []tool{{"coredns", "openclaw.io/local/coredns", &dns, false}}),
		c.build("platform", "-s -w", []tool{{"pause", "openclaw.io/local/platform/pause", &pause, false}}),
	)
	if err != nil {
		return tools, err
	}
	for _, one := range []struct{ reference, program string }{{node.PauseImage, pause}, {DNSImage, dns}, {ProbeImage, agnhost}} {
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
	archive := program + ".tar"
	if exists(archive) {
		return archive, nil
	}
	name := filepath.Base(program)
	return archive, c.locked(filepath.Dir(program), func() error {
		if exists(archive) {
			return nil
		}
		return image.Write(archive, image.Image{
			Reference: reference, Entrypoint: []string{"/" + name}, User: "65532:65532",
			Files: []image.File{{Path: "tmp", Mode: 0o1777}, {Path: name, Mode: 0o755, Source: program}},
		})
	})
}
