package awsproxy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Control is what tests use to look at the account's traffic and to disturb it.
func (p *Proxy) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /calls", p.getCalls)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, p.faults.list()) })
	mux.HandleFunc("POST /faults", p.postFault)
	mux.HandleFunc("DELETE /faults", p.deleteFault)
	mux.HandleFunc("DELETE /faults/{id}", p.deleteFault)
	mux.HandleFunc("PUT /associations/{id}", p.putAssociation)
	return mux
}

func (p *Proxy) getCalls(w http.ResponseWriter, r *http.Request) {
	var since int64
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = strconv.ParseInt(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "since must be the seq of a call")
			return
		}
	}
	entries, last := p.calls.since(since)
	if rule := r.URL.Query().Get("fault"); rule != "" {
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return !slices.Contains(strings.Fields(e.Fault), rule) })
	}
	w.Header().Set("X-Last-Seq", strconv.FormatInt(last, 10))
	answer(w, http.StatusOK, entries)
}

func (p *Proxy) postFault(w http.ResponseWriter, r *http.Request) {
	var rule Rule
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rule); err != nil {
		refuse(w, http.StatusBadRequest, "not a rule: "+err.Error())
		return
	}
	added, err := p.faults.add(rule)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusCreated, added)
}

func (p *Proxy) deleteFault(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, map[string]int{"removed": p.faults.remove(r.PathValue("id"))})
}

// putAssociation makes an association look like an EKS add-on's, which no caller can do in AWS.
func (p *Proxy) putAssociation(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		OwnerARN string `json:"ownerArn"`
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	p.associations.mu.Lock()
	defer p.associations.mu.Unlock()
	known := p.associations.byID[r.PathValue("id")]
	if known == nil {
		refuse(w, http.StatusNotFound, "no association "+r.PathValue("id"))
		return
	}
	known.ownerARN = wanted.OwnerARN
	answer(w, http.StatusOK, wanted)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}
