package proc

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Ports below the ranges from which Linux and macOS take the local ends of outgoing connections: a port that was free
// when it was chosen is then not taken by a passing connection before its server binds it.
const lowestPort, highestPort = 18000, 29999

// Ports hands out free loopback ports. A lock file per port keeps instances that start at the same time apart.
type Ports struct {
	dir     string
	janitor *Janitor
	held    []*os.File
}

// NewPorts keeps its lock files in dir, which all instances of one user share.
func NewPorts(dir string, janitor *Janitor) (*Ports, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Ports{dir: dir, janitor: janitor}, nil
}

// Take returns a port that nobody listens on.
func (p *Ports) Take() (int, error) {
	for range 500 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if p.tryTake(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("found no free port between %d and %d on 127.0.0.1", lowestPort, highestPort)
}

func (p *Ports) tryTake(port int) bool {
	lock, err := os.OpenFile(filepath.Join(p.dir, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false
	}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		lock.Close()
		return false
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		lock.Close()
		return false
	}
	listener.Close()
	p.janitor.OwnPath(lock.Name())
	p.held = append(p.held, lock)
	return true
}

// Release gives all ports back.
func (p *Ports) Release() {
	for _, lock := range p.held {
		os.Remove(lock.Name())
		lock.Close()
	}
	p.held = nil
}
