// Package outside is the world beyond a real node, as far as packets go there: hosts of the internet, of the VPC and of the cloud's own
// services, all played by one process in a network namespace of its own. Each answers every connection with its address, so that who was
// reached is told by the answer.
package outside

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Host is one of them.
type Host struct {
	Name    string
	Address netip.Addr
}

// Hosts are those that the tables of what may pass speak of. Those of the internet have addresses that nobody there has (RFC 5737).
var Hosts = []Host{
	{"internet", netip.MustParseAddr("198.51.100.10")},
	{"permitted", netip.MustParseAddr("203.0.113.10")},
	{"names", netip.MustParseAddr("198.51.100.53")},
	{"vpc-10", netip.MustParseAddr("10.20.0.10")},
	{"vpc-172", netip.MustParseAddr("172.16.0.10")},
	{"vpc-192", netip.MustParseAddr("192.168.0.10")},
	{"carrier", netip.MustParseAddr("100.64.0.10")},
	{"metadata", netip.MustParseAddr("169.254.169.254")},
	{"link-local", netip.MustParseAddr("169.254.1.10")},
}

// Ports are what each listens on, and DNS is asked by UDP as well.
var Ports = []uint16{22, 53, 80, 443, 5432, 8443, 18789}

const dns = 53

// Cable is the outside's end of its cable to the node; Gateway is the node's, through which answers go.
const Cable = "world0"

// Near and Far are the addresses of the node's end and of the outside's.
var (
	Near = netip.MustParseAddr("10.250.255.1")
	Far  = netip.MustParseAddr("10.250.255.2")
)

// Serve answers until ctx ends.
func Serve(ctx context.Context) error {
	failed := make(chan error)
	for _, host := range Hosts {
		for _, port := range Ports {
			listener, err := net.Listen("tcp", netip.AddrPortFrom(host.Address, port).String())
			if err != nil {
				return err
			}
			go func() { failed <- answer(listener, host) }()
		}
		packets, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host.Address, dns)))
		if err != nil {
			return err
		}
		go func() { failed <- echo(packets, host) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// answer tells each caller whom it has reached.
func answer(listener net.Listener, host Host) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
		go func() {
			defer connection.Close()
			fmt.Fprintf(connection, "%s %s\n", host.Name, host.Address)
		}()
	}
}

func echo(packets *net.UDPConn, host Host) error {
	buffer := make([]byte, 512)
	for {
		_, from, err := packets.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			continue // a caller that has gone
		}
		_, _ = packets.WriteToUDPAddrPort([]byte(host.Name+" "+host.Address.String()+"\n"), from)
	}
}
