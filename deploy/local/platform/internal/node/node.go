package node

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// Name is the node's name.
const Name = "local-real"

// The addresses inside. Pods, Services and the bridge are the same on every node: nobody outside sees them.
var (
	PodRange     = netip.MustParsePrefix("10.244.0.0/24")
	ServiceRange = netip.MustParsePrefix("10.96.0.0/16")
	APIService   = netip.MustParseAddr("10.96.0.1")
	DNSService   = netip.MustParseAddr("10.96.0.10")
)

// Bridge is what the pods hang on; Cable is the node's end of the way to the host.
const (
	Bridge = "cni0"
	Cable  = "node0"
)

// AgentAddress is where pods ask for credentials (EKS user guide).
var AgentAddress = netip.MustParseAddrPort("169.254.170.23:80")

// PauseImage is what holds a pod's namespaces.
const PauseImage = "openclaw.local/pause:1"

// Spec is what the first process of a node is told, in a file.
type Spec struct {
	Dir        string // absolute, the node's own: state, configuration and logs
	Cgroup     string // name of the node's cgroup below each hierarchy's root
	Host, Node netip.Addr
	Kubelet    string // programs
	Proxy      string
	Program    string   // this program
	Images     []string // archives
	Agent      string   // host and port of what gives pods their credentials
	Kubeconfig struct{ Kubelet, Proxy, Policies string }
	PKI        struct{ CA, Cert, Key string }
}

const specFile = "node.json"

func (s *Spec) path(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}

// Write stores the spec for the first process.
func (s *Spec) Write() error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("logs"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(s.path(specFile), content, 0o600)
}

// Read reads it back.
func Read(dir string) (*Spec, error) {
	content, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return nil, err
	}
	spec := &Spec{}
	return spec, json.Unmarshal(content, spec)
}

// Addresses gives each instance a cable of its own: two addresses of 10.251.0.0/16, by its API server's port, which no other has.
func Addresses(port int) (host, node netip.Addr, err error) {
	if port < 1 || port > 65535 {
		return host, node, fmt.Errorf("%d is no port", port)
	}
	// 16,384 pairs of neighbours: two ports that are taken at the same time and are 16,384 apart are refused by the kernel.
	base := uint32(10)<<24 | 251<<16 | uint32(port%16384)<<2
	at := func(offset uint32) netip.Addr {
		n := base + offset
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return at(1), at(2), nil
}
