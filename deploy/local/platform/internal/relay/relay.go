// Package relay hands TCP connections on to another address.
package relay

import (
	"io"
	"net"
	"time"
)

// patience is how long a connection onwards may take.
const patience = 5 * time.Second

// Serve hands on whatever comes until the listener closes.
func Serve(listener net.Listener, to string) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go hand(connection, to)
	}
}

func hand(connection net.Conn, to string) {
	defer connection.Close()
	onwards, err := net.DialTimeout("tcp", to, patience)
	if err != nil {
		return
	}
	defer onwards.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{onwards, connection}, {connection, onwards}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			// The other side may still have something to say.
			if half, is := way[0].(*net.TCPConn); is {
				_ = half.CloseWrite()
			}
			ended <- struct{}{}
		}()
	}
	<-ended
	<-ended
}
