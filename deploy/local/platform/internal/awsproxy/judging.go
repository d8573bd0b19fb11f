package awsproxy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// largestAnswer of a judge, in bytes: an error may name every policy.
const largestAnswer = 1 << 20

// Bench is a judge who is asked on one pipe and answers on another, each question by its number.
type Bench struct {
	mu      sync.Mutex
	asks    io.Writer
	last    int
	waiting map[int]chan verdict
	gone    error
}

type verdict struct {
	ID      int    `json:"id"`
	Allowed bool   `json:"allowed"`
	Why     string `json:"why"`
	Error   string `json:"error"`
}

// NewBench reads answers until there are no more.
func NewBench(asks io.Writer, answers io.Reader) *Bench {
	bench := &Bench{asks: asks, waiting: map[int]chan verdict{}}
	go bench.listen(answers)
	return bench
}

// Judge asks.
func (b *Bench) Judge(ctx context.Context, question Question) (bool, string, error) {
	id, answer, err := b.ask(question)
	if err != nil {
		return false, "", err
	}
	defer b.forget(id)
	select {
	case <-ctx.Done():
		return false, "", ctx.Err()
	case said, open := <-answer:
		switch {
		case !open:
			return false, "", fmt.Errorf("the judge of IAM policies has gone: %w", b.gone)
		case said.Error != "":
			return false, "", fmt.Errorf("IAM's question about %s cannot be judged: %s", question.Action, said.Error)
		}
		return said.Allowed, said.Why, nil
	}
}

func (b *Bench) ask(question Question) (int, chan verdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone != nil {
		return 0, nil, fmt.Errorf("the judge of IAM policies has gone: %w", b.gone)
	}
	b.last++
	line, err := json.Marshal(struct {
		ID int `json:"id"`
		Question
	}{b.last, question})
	if err != nil {
		return 0, nil, err
	}
	answer := make(chan verdict, 1)
	b.waiting[b.last] = answer
	_, err = b.asks.Write(append(line, '\n'))
	return b.last, answer, err
}

func (b *Bench) forget(id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, id)
}

func (b *Bench) listen(answers io.Reader) {
	lines := bufio.NewScanner(answers)
	lines.Buffer(nil, largestAnswer)
	for lines.Scan() {
		var said verdict
		if json.Unmarshal(lines.Bytes(), &said) != nil {
			continue // something that a library has printed
		}
		b.mu.Lock()
		if waiting := b.waiting[said.ID]; waiting != nil {
			waiting <- said
			delete(b.waiting, said.ID)
		}
		b.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = errors.Join(io.ErrUnexpectedEOF, lines.Err())
	for _, waiting := range b.waiting {
		close(waiting)
	}
}
