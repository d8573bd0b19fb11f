package cache

import "testing"

func TestAPatchChangesTheOnePlaceThatItIsFor(t *testing.T) {
	p := patch{file: "event.go", was: "if a {", now: "if a && b {"}
	changed, err := p.apply([]byte("x\nif a {\n}\n"))
	if err != nil || string(changed) != "x\nif a && b {\n}\n" {
		t.Errorf("%q, %v", changed, err)
	}
	for _, other := range []string{"x\n", "if a {\n}\nif a {\n}\n"} {
		if changed, err := p.apply([]byte(other)); err == nil {
			t.Errorf("another release is changed to %q", changed)
		}
	}
}
