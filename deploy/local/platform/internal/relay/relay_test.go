package relay

import (
	"fmt"
	"io"
	"net"
	"testing"
)

func TestWhatIsSaidGoesBothWaysAndToItsEnd(t *testing.T) {
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		return listener
	}
	far, near := listen(), listen()
	go func() {
		connection, err := far.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		asked, _ := io.ReadAll(connection)
		fmt.Fprintf(connection, "you said %s", asked)
	}()
	go func() { _ = Serve(near, far.Addr().String()) }()
	connection, err := net.Dial("tcp", near.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(connection, "hello")
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(connection); err != nil || string(answer) != "you said hello" {
		t.Fatalf("%q %v", answer, err)
	}
}
