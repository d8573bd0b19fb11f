package awsproxy

import (
	"sort"
	"sync"
	"time"
)

// Entry is one line of the call log. Bodies are never kept: they hold secrets.
type Entry struct {
	Seq         int64     `json:"seq"`
	Time        time.Time `json:"time"` // when the answer went out
	Service     string    `json:"service"`
	Operation   string    `json:"operation"`
	Mutating    bool      `json:"mutating"`
	AccessKeyID string    `json:"accessKeyId"`
	Target      string    `json:"target,omitempty"`
	Identity    string    `json:"identity,omitempty"`
	Token       string    `json:"clientRequestToken,omitempty"`
	Status      int       `json:"status"` // 0: the connection was dropped
	ErrorCode   string    `json:"errorCode,omitempty"`
	Fault       string    `json:"fault,omitempty"` // the rules that touched it
}

const keptCalls = 200_000

type callLog struct {
	mu      sync.Mutex
	entries []Entry
	last    int64
}

func (l *callLog) add(call *Call, reply *Reply, fault string) {
	entry := Entry{
		Time: time.Now().UTC(), Service: call.Service, Operation: call.Operation, Mutating: call.Mutating,
		AccessKeyID: call.AccessKeyID, Target: call.Target, Identity: call.Identity, Token: call.Token, Fault: fault,
	}
	if reply != nil {
		entry.Status, entry.ErrorCode = reply.Status, reply.Code
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	entry.Seq = l.last
	l.entries = append(l.entries, entry)
	if len(l.entries) > keptCalls {
		l.entries = append([]Entry(nil), l.entries[keptCalls/10:]...)
	}
}

// since returns what came after a sequence number, and the newest number.
func (l *callLog) since(seq int64) ([]Entry, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].Seq > seq })
	return append([]Entry{}, l.entries[first:]...), l.last
}
