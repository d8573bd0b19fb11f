//! Progress while it changes: on a terminal the whole is drawn anew, elsewhere what has changed is printed.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::InspectError;

/// Between the end of one look and the next, where people watch.
pub const PERIOD: Duration = Duration::from_secs(2);

/// So many looks in a row may fail, once one has not: a server that is made anew meanwhile ends nothing.
const FAILURES: usize = 5;

/// What one look comes to.
pub struct Frame {
    /// All of it, for a terminal.
    pub text: String,
    /// Line by line, to see what has changed.
    pub lines: Vec<String>,
    /// One line of it all.
    pub summary: String,
    /// Whether what is waited for is so.
    pub done: bool,
}

/// How it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Whether the output is a terminal that can be drawn on.
    pub redraw: bool,
    /// Between the end of one look and the next.
    pub period: Duration,
    /// For how long to wait until all are Ready; `None` where nothing ends it but the caller.
    pub until_ready: Option<Duration>,
}

/// Looks again and again.
///
/// # Errors
/// Where the first look fails or several in a row, nobody reads any more, or all are not Ready in time.
pub async fn watch(
    wishes: Wishes,
    out: &mut impl Write,
    mut look: impl AsyncFnMut() -> Result<Frame, InspectError>,
) -> Result<(), InspectError> {
    let began = Instant::now();
    let mut before: Option<Frame> = None;
    let mut failures = 0;
    loop {
        let frame = match look().await {
            Err(InspectError::Cluster(_)) if before.is_some() && failures < FAILURES => {
                failures += 1;
                tokio::time::sleep(wishes.period).await;
                continue;
            }
            seen => seen?,
        };
        failures = 0;
        let text = if wishes.redraw { redrawn(before.as_ref(), &frame) } else { changed(before.as_ref(), &frame) };
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(InspectError::Print)?;
        if let Some(patience) = wishes.until_ready {
            if frame.done {
                return Ok(());
            }
            if began.elapsed() >= patience {
                let waited = format!("{} s", patience.as_secs());
                return Err(InspectError::NotReady { waited, summary: frame.summary });
            }
        }
        before = Some(frame);
        let left = wishes.until_ready.map_or(wishes.period, |patience| patience.saturating_sub(began.elapsed()));
        tokio::time::sleep(wishes.period.min(left)).await;
    }
}

/// Draws over what stands there, where anything is different.
fn redrawn(before: Option<&Frame>, frame: &Frame) -> String {
    if before.is_some_and(|before| before.text == frame.text) {
        return String::new();
    }
    // Home, each line to its end, and what is left below.
    format!("\x1b[H{}\x1b[J", frame.text.replace('\n', "\x1b[K\n"))
}

/// Lines that were not there before, and the summary where it is another one.
fn changed(before: Option<&Frame>, frame: &Frame) -> String {
    let is_new = |line: &&String| before.is_none_or(|before| !before.lines.contains(line));
    let mut lines: Vec<&str> = frame.lines.iter().filter(is_new).map(String::as_str).collect();
    if before.is_none_or(|before| before.summary != frame.summary) {
        lines.push(&frame.summary);
    }
    // Each line has its end, the last one too.
    lines.push("");
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::listing::ListError;

    fn frame(lines: &[&str], done: bool) -> Frame {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Frame { text: format!("{}\n", lines.join("\n")), summary: format!("{} lines", lines.len()), lines, done }
    }

    #[tokio::test]
    async fn elsewhere_than_on_a_terminal_only_what_has_changed_is_printed() {
        let mut frames = vec![frame(&["a: Ready", "b: Ready"], true), frame(&["a: Ready", "b: Busy"], false)];
        frames.push(frame(&["a: Busy", "b: Busy"], false));
        let mut out = Vec::new();
        let wishes = Wishes { redraw: false, period: Duration::ZERO, until_ready: Some(Duration::from_mins(1)) };
        let ended = watch(wishes, &mut out, async || Ok(frames.pop().expect("it ends with the last"))).await;
        ended.expect("all are ready");
        assert_eq!(String::from_utf8_lossy(&out), "a: Busy\nb: Busy\n2 lines\na: Ready\nb: Ready\n");
    }

    #[tokio::test]
    async fn a_look_that_fails_ends_nothing_unless_it_is_the_first_or_one_of_many() {
        let broken = || InspectError::Cluster(ListError::NotServed { plural: "tenants" });
        let wishes = Wishes { redraw: false, period: Duration::ZERO, until_ready: Some(Duration::from_mins(1)) };
        let mut looks = 0;
        let mut out = Vec::new();
        let ended = watch(wishes, &mut out, async || {
            looks += 1;
            if (2..=6).contains(&looks) { Err(broken()) } else { Ok(frame(&["a"], looks > 6)) }
        })
        .await;
        ended.expect("five failures are borne");
        assert_eq!(looks, 7);
        let mut looks = 0;
        let ended = watch(wishes, &mut out, async || {
            looks += 1;
            if looks == 1 { Ok(frame(&["a"], false)) } else { Err(broken()) }
        })
        .await;
        assert!(ended.is_err() && looks == 7, "{looks}");
        assert!(watch(wishes, &mut out, async || Err(broken())).await.is_err(), "the first");
    }

    #[tokio::test]
    async fn patience_ends_and_says_how_they_stand() {
        let wishes = Wishes { redraw: true, period: Duration::ZERO, until_ready: Some(Duration::ZERO) };
        let mut out = Vec::new();
        let ended = watch(wishes, &mut out, async || Ok(frame(&["a: Busy"], false))).await;
        let error = ended.expect_err("not ready");
        assert_eq!(error.to_string(), "not all are Ready after 0 s: 1 lines");
        assert_eq!(String::from_utf8_lossy(&out), "\x1b[Ha: Busy\x1b[K\n\x1b[J");
    }
}
