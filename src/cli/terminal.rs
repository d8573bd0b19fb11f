//! What is at the other end of standard output.

use std::io::IsTerminal as _;

use openclaw_tenant_operator::inspect::paint::Paint;

/// What is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// Whether it is one that can be drawn on.
    pub(super) draws: bool,
    /// Its width and height, where it has any.
    pub(super) size: Option<(usize, usize)>,
    /// How text is coloured.
    pub(super) paint: Paint,
}

impl Terminal {
    /// What standard output is.
    pub(super) fn of_stdout() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let draws = std::io::stdout().is_terminal() && set("TERM").is_none_or(|term| term != "dumb");
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|size| draws && size.ws_col > 0);
        Self {
            draws,
            size: size.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row))),
            paint: Paint { colours: draws && set("NO_COLOR").is_none() },
        }
    }

    /// How wide a line may be.
    pub(super) fn width(self) -> Option<usize> {
        self.size.map(|(width, _)| width)
    }

    /// How many rows of a table have room beside its head and what follows it.
    pub(super) fn room(self) -> Option<usize> {
        self.size.map(|(_, height)| height.saturating_sub(5).max(1))
    }
}
