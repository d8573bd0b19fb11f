package node

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"
)

//go:embed config/*
var config embed.FS

// owned are the directories that these programs want to have for themselves wherever they run.
var owned = []string{"/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/etc/cni"}

// shielded are settings of the whole machine that a kubelet writes. It gets files that hold what it wants already.
var shielded = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// patience ends what would never end: the cable that nobody lays, a containerd that does not answer.
const patience = 2 * time.Minute

// Init is the life of a node's first process: it prepares its namespaces, starts the node's programs, and ends when one of them does.
func Init(dir string) error {
	spec, err := Read(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(mounts(spec), network(spec), configure(spec)); err != nil {
		return err
	}
	keeper := keeper{spec: spec, names: map[int]string{}}
	if err := keeper.start("containerd", "containerd", "--config", spec.path("containerd.toml")); err != nil {
		return err
	}
	if err := keeper.images(); err != nil {
		return err
	}
	if err := startOutside(spec, &keeper); err != nil {
		return err
	}
	programs := [][]string{
		{"agent", spec.Program, "forward", "--listen", AgentAddress.String(), "--to", spec.Agent},
		{"policies", spec.Program, "policies", "--kubeconfig", spec.Kubeconfig.Policies},
		{"kubelet", spec.Kubelet, "--config", spec.path("kubelet.yaml"), "--kubeconfig", spec.Kubeconfig.Kubelet,
			"--hostname-override", Name, "--node-ip", spec.Node.String()},
		{"kube-proxy", spec.Proxy, "--config", spec.path("proxy.yaml")},
	}
	for _, one := range programs {
		if err := keeper.start(one[0], one[1:]...); err != nil {
			return err
		}
	}
	return keeper.reap()
}

// mounts gives the node a /proc, a /run and directories of its own, on the host's root file system.
func mounts(spec *Spec) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keeping mounts to itself: %w", err)
	}
	// The kubelet wants to hand mounts on to containers.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts inside: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	for _, dir := range []string{"/run/netns", "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, dir := range owned {
		if err := bind(filepath.Join(spec.path("root"), dir), dir, true); err != nil {
			return err
		}
	}
	for name, value := range shielded {
		file := spec.path("sysctl." + strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(file, "/proc/sys/"+name, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func bind(from, to string, directory bool) error {
	if directory {
		if err := errors.Join(os.MkdirAll(from, 0o755), os.MkdirAll(to, 0o755)); err != nil {
			return err
		}
	}
	if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", from, to, err)
	}
	return nil
}

// network waits for the node's end of the cable, which the host pushes in here.
func network(spec *Spec) error {
	if err := awaitCable(Cable); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"}, {"addr", "add", AgentAddress.Addr().String() + "/32", "dev", "lo"}, {"addr", "add", spec.Node.String() + "/30", "dev", Cable}, {"link", "set", Cable, "up"},
		{"route", "add", "default", "via", spec.Host.String()},
	} {
		if err := run("ip", args...); err != nil {
			return err
		}
	}
	for _, setting := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile("/proc/sys/"+setting, []byte("1"), 0o644); err != nil {
			return err
		}
	}
	// Nobody outside knows the pods' addresses.
	return run("iptables", "--wait", "-t", "nat", "-A", "POSTROUTING", "-s", PodRange.String(), "-o", Cable, "-j", "MASQUERADE")
}

// awaitCable waits for the end of a cable that somebody outside pushes into this namespace.
func awaitCable(name string) error {
	deadline := time.Now().Add(patience)
	for run("ip", "link", "show", name) != nil {
		if time.Now().After(deadline) {
			return fmt.Errorf("nobody has laid the cable %s", name)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

func run(program string, args ...string) error {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func configure(spec *Spec) error {
	files := map[string]string{
		"containerd.toml": spec.path("containerd.toml"), "kubelet.yaml": spec.path("kubelet.yaml"), "proxy.yaml": spec.path("proxy.yaml"),
		"cni.json": "/etc/cni/net.d/10-pods.conflist",
	}
	values := struct {
		*Spec
		PauseImage, Plugins, Bridge, Name string
		Pods, DNS                         fmt.Stringer
	}{spec, PauseImage, cniPlugins, Bridge, Name, PodRange, DNSService}
	for name, path := range files {
		var text bytes.Buffer
		if err := template.Must(template.ParseFS(config, "config/"+name)).Execute(&text, values); err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text.Bytes(), 0o600)); err != nil {
			return err
		}
	}
	// Names outside the cluster are nobody's here.
	return os.WriteFile(spec.path("resolv.conf"), nil, 0o644)
}

// keeper keeps the node's programs, and reaps whatever the kernel leaves to the first process.
type keeper struct {
	spec  *Spec
	names map[int]string
}

func (k *keeper) start(name string, command ...string) error {
	_, err := k.startWith(name, 0, command...)
	return err
}

// startWith starts a program in further namespaces of its own.
func (k *keeper) startWith(name string, namespaces uintptr, command ...string) (int, error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return 0, err
	}
	log, err := os.OpenFile(k.spec.path("logs", name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	pid, err := syscall.ForkExec(path, command, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, log.Fd(), log.Fd()}, Sys: &syscall.SysProcAttr{Setpgid: true, Cloneflags: namespaces},
	})
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", name, err)
	}
	k.names[pid] = name
	return pid, nil
}

// images waits for containerd, and gives it everything that pods here are made of.
func (k *keeper) images() error {
	ctr := func(args ...string) error { return run("ctr", append([]string{"--namespace", "k8s.io"}, args...)...) }
	deadline := time.Now().Add(patience)
	for {
		err := ctr("version")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("containerd does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, archive := range k.spec.Images {
		if err := ctr("images", "import", archive); err != nil {
			return err
		}
	}
	return nil
}

// reap returns when one of the node's programs has ended, which none should.
func (k *keeper) reap() error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return err
		}
		if name, known := k.names[pid]; known {
			return fmt.Errorf("%s ended unexpectedly (code %d); its log: %s", name, status.ExitStatus(), k.spec.path("logs", name+".log"))
		}
	}
}
