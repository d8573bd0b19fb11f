// Command platform builds, starts and supervises the local platform. People start it through platform.sh.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"openclaw.io/local/platform/internal/proc"
)

const usage = `The local platform: a Kubernetes control plane, played nodes or a real one, an emulated AWS account, and stand-ins for the Gateway
and the Pod Identity webhook, as ordinary processes on loopback. No container engine, no cloud.

  platform.sh build                          fill the cache (minutes the first time, then seconds); with --real-node [--openclaw DIR]
                                             with what that needs
  platform.sh up   [--name NAME]             start an instance in the background and wait until it is ready
  platform.sh up   --real-node [--openclaw DIR]
                                             the same with a node that runs containers and enforces network policies (Linux, root)
  platform.sh down [--name NAME] [--all]     end it; nothing is left of it
  platform.sh list                           all instances
  platform.sh status [--name NAME]           one instance: addresses, processes, memory
  eval "$(platform.sh env [--name NAME])"    KUBECONFIG, kubectl and the AWS endpoints for this shell
  platform.sh kubeconfig --service-account NAMESPACE/NAME [--name NAME] [--out FILE]
                                             a kubeconfig with that ServiceAccount's rights (token for 24 h)
  platform.sh run  [--dir DIR]               an instance in the foreground, until Ctrl-C, SIGTERM or (with
                                             --until-stdin-eof) the end of its standard input
  platform.sh guard -- COMMAND ARGS…         run COMMAND, and kill it when guard's own standard input ends
  platform.sh tool NAME                      where kubectl, helm, prometheus, promtool, the emulators' python or the CRDs of
                                             the Prometheus operator are, after building or fetching what is missing
  platform.sh provisioner …                  the host-path provisioner for clusters made by deploy/kind

  platform.sh COMMAND --help                 the command's flags

NAME is "default" unless given; --dir DIR stands for an instance that was started with run --dir. Several instances run
side by side. A ready instance describes itself in platform.json in its directory; what goes wrong is in logs/ beside it.

  OPENCLAW_PLATFORM_CACHE   where binaries are kept (default: ${XDG_CACHE_HOME:-~/.cache}/openclaw-tenant-operator)
  KUBEBUILDER_ASSETS        a directory with etcd, kube-apiserver and kubectl to use instead of building them
  TMPDIR                    instances live below it
`

// exitCode ends the program with a code and, where there is one, without a message.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

var commands = map[string]func(args []string) error{
	"build":       build,
	"run":         runForeground,
	"up":          up,
	"down":        down,
	"list":        list,
	"status":      status,
	"env":         env,
	"kubeconfig":  kubeconfig,
	"guard":       guard,
	"tool":        toolPath,
	"provisioner": provision,
	"node":        first,
	"policies":    policies,
	"forward":     forward,
	"outside":     playOutside,
	"janitor":     func([]string) error { proc.RunJanitor(os.Stdin); return nil },
}

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--help" || os.Args[1] == "-h" || os.Args[1] == "help" {
		fmt.Print(usage)
		return
	}
	command, known := commands[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "platform.sh: no command %q; platform.sh --help lists them\n", os.Args[1])
		os.Exit(2)
	}
	err := command(os.Args[2:])
	var code exitCode
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintf(os.Stderr, "platform.sh %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// parse reads a command's flags; a misspelled one has been reported already.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(os.Stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return exitCode(2)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; --help shows the flags", flags.Arg(0))
	}
	return nil
}

func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
