// Package node is one real Kubernetes node on a machine without a container engine: containerd, kubelet, kube-proxy and whatever they
// start, in network, mount and process namespaces of their own. The first process in there is this program again (init.go); when it
// ends, the kernel ends everything else, and the node's half of the cable to the host goes with its namespace.
//
// It needs Linux and root. What is particular to a machine without CAP_SYS_RESOURCE, and to cgroup v1, stands where it is done.
package node

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// cniPlugins is where Debian's containernetworking-plugins puts them.
const cniPlugins = "/usr/lib/cni"

// needed are the programs of the host, and the Debian packages that have them.
var needed = []struct{ program, pack string }{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"}, {"iptables", "iptables"}, {"iptables-restore", "iptables"},
	{"ip", "iproute2"}, {"conntrack", "conntrack"}, {cniPlugins + "/bridge", "containernetworking-plugins"},
	{cniPlugins + "/host-local", "containernetworking-plugins"}, {"debootstrap", "debootstrap"},
}

// Check says what is missing for a real node, and how to get it.
func Check() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a real node needs Linux, and this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("a real node needs root: containers, namespaces and iptables rules are made")
	}
	var packages []string
	for _, one := range needed {
		if _, err := exec.LookPath(one.program); err != nil && !slices.Contains(packages, one.pack) {
			packages = append(packages, one.pack)
		}
	}
	if len(packages) > 0 {
		return fmt.Errorf("a real node needs programs that are not here: apt-get install --no-install-recommends %s", strings.Join(packages, " "))
	}
	return nil
}
