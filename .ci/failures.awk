# Of a log of cargo test: what each failed test panicked with, and where in the tests that was. A test's own story, which follows its
# message, is left to the log.

function say(line) { print substr(line, 1, 400) }

/^---- .* stdout ----$/ { test = $2; told = 0; next }
test != "" && /panicked at / { print "ci: failed: " test; say($0); left = 6; next }
left > 0 && /^stack backtrace:$/ { left = 0 }
left > 0 { say($0); left--; next }
test != "" && /^ +at \.\/(tests|src|benches)\// && told < 8 { say($0); told++ }
/^failures:$/ { test = "" }
