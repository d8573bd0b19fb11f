// Package awsproxy stands between an operator and the AWS emulators. It mends what the emulators get wrong, so that the
// operator sees what AWS documents; it injects faults; and it keeps a log of calls, without their bodies.
package awsproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Account is the emulated account and its one cluster.
type Account struct {
	Region, ID, Cluster, TenantRole string
}

// RoleARN is the ARN of a role of the account.
func (a Account) RoleARN(name string) string { return "arn:aws:iam::" + a.ID + ":role/" + name }

// Proxy is the AWS of one instance.
type Proxy struct {
	account  Account
	upstream map[string]string // service → base URL of the emulator that plays it
	client   *http.Client
	mends    map[string]mend // "service.Operation" → mend

	associations *associations
	secrets      *secrets
	faults       faults
	calls        callLog
	recorder     *Recorder // nil: nobody examines this run
	sessions     *sessions
	judge        Judge  // of what pods ask with credentials that they were given
	node         string // the address from which pods ask; empty where there are none
}

// A mend answers a call, usually by forwarding it and correcting what comes back.
type mend func(context.Context, *Call) (*Reply, error)

// New makes a proxy in front of ministack (EKS) and moto (the rest).
func New(account Account, ministack, moto string) *Proxy {
	p := &Proxy{
		account:  account,
		upstream: map[string]string{EKS: ministack, SecretsManager: moto, IAM: moto, STS: moto},
		client: &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{
			MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64, DisableCompression: true,
		}},
		associations: newAssociations(),
		secrets:      newSecrets(),
		sessions:     newSessions(),
	}
	p.mends = map[string]mend{}
	p.registerEKS()
	p.registerSecrets()
	return p
}

// Record lets everything that is asked from now on be examined afterwards.
func (p *Proxy) Record(recorder *Recorder) { p.recorder = recorder }

// Serve answers the calls for one service on a listener until the listener closes.
func (p *Proxy) Serve(service string, listener net.Listener) error {
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.handle(service, w, r) }),
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	err := server.Serve(listener)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) handle(service string, w http.ResponseWriter, r *http.Request) {
	call, err := parse(service, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	call.from, _, _ = net.SplitHostPort(r.RemoteAddr)
	call.after = p.recorder.answered()
	if known := p.associations.find(call.associationID); known != nil {
		call.Identity = known.Namespace + "/" + known.ServiceAccount
	}
	// A request that could not be recorded is refused: a run with gaps would prove nothing.
	if err := p.recorder.value(call); err != nil {
		http.Error(w, "not recorded: "+err.Error(), http.StatusInsufficientStorage)
		return
	}
	reply, fault, done := p.answer(r.Context(), call)
	if err := p.recorder.request(call, reply, fault, done); err != nil {
		http.Error(w, "not recorded: "+err.Error(), http.StatusInsufficientStorage)
		return
	}
	p.calls.add(call, reply, fault)
	if reply == nil {
		drop(w)
		return
	}
	reply.write(w)
}

// answer carries a call out, through the faults that wait for it. No reply means: close the connection without one. done
// says whether it succeeded, whatever the caller is told.
func (p *Proxy) answer(ctx context.Context, call *Call) (reply *Reply, fault string, done bool) {
	// A call that hangs is carried out in the end, though its caller has long given up.
	before := p.faults.apply(context.WithoutCancel(ctx), call, "before")
	if before.ends() {
		return before.reply(call), before.rule, false
	}
	reply, err := p.carryOut(ctx, call)
	if err != nil {
		reply = call.fail(http.StatusBadGateway, "ServiceUnavailableException", "the emulator did not answer: "+err.Error())
	}
	done = reply.ok()
	hidden := p.faults.hide(p, call, reply)
	after := p.faults.apply(ctx, call, "after")
	if after.ends() {
		return after.reply(call), after.rule, done
	}
	return reply, strings.Join(strings.Fields(before.rule+" "+hidden+" "+after.rule), " "), done
}

func (p *Proxy) carryOut(ctx context.Context, call *Call) (*Reply, error) {
	if refusal, err := p.refusal(ctx, call); refusal != nil || err != nil {
		return refusal, err
	}
	if mended, ok := p.mends[call.Service+"."+call.Operation]; ok {
		return mended(ctx, call)
	}
	return p.forward(ctx, call)
}

// forward sends a call to its emulator as it is.
func (p *Proxy) forward(ctx context.Context, call *Call) (*Reply, error) {
	target := p.upstream[call.Service] + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	// An operator that goes away in the middle of a call does not take the call back: AWS would carry it out too.
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), call.method, target, bytes.NewReader(call.body))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Authorization", "Content-Type", "X-Amz-Target", "X-Amz-Date", "X-Amz-Security-Token", "Accept"} {
		if value := call.header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	reply := &Reply{Status: response.StatusCode, Header: http.Header{}, Body: body}
	for _, name := range []string{"Content-Type", "X-Amzn-Requestid", "X-Amzn-Errortype"} {
		if value := response.Header.Get(name); value != "" {
			reply.Header.Set(name, value)
		}
	}
	reply.Code = errorCode(call.Service, reply)
	return reply, nil
}

// own makes a call of the proxy itself, which no log shows and no fault hits.
func (p *Proxy) own(service, method, path string, query url.Values, header http.Header, body []byte) *Call {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=platform/20250101/%s/%s/aws4_request, SignedHeaders=host, Signature=none",
		p.account.Region, service))
	return &Call{Service: service, method: method, path: path, query: query, header: header, body: body}
}

// drop closes the connection with a reset, as a broken network would.
func drop(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}
