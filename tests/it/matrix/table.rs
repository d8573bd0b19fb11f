//! The table of all cells, as Markdown.

use std::{fmt, fs, path::Path, time::Duration};

use super::{Trouble, rows::Row};

/// How one cell ended.
pub enum Cell {
    /// As it must.
    Right,
    /// Otherwise, and how.
    Wrong(String),
    /// There is no such fault of this call.
    Senseless,
}

/// All cells, row by row.
pub struct Table<'a> {
    pub rows: &'a [Row],
    pub faults: &'a [Trouble],
    pub cells: Vec<Cell>,
    pub took: Duration,
}

impl Table<'_> {
    fn count(&self, wanted: impl Fn(&Cell) -> bool) -> usize {
        self.cells.iter().filter(|cell| wanted(cell)).count()
    }

    /// Whether every cell that makes sense ended as it must, and none is missing.
    pub fn is_all_right(&self) -> bool {
        self.cells.len() == self.rows.len() * self.faults.len()
            && self.count(|cell| matches!(cell, Cell::Wrong(_))) == 0
    }

    /// Writes it where CI finds it.
    pub fn write(&self) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/output");
        fs::create_dir_all(&directory).expect("tests/output");
        fs::write(directory.join("aws-fault-matrix.md"), self.to_string()).expect("the table is written");
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, row: &Row, cells: &[Cell]) -> fmt::Result {
        write!(f, "| {} {} | {} |", row.service, row.operation, row.scene.words())?;
        for (cell, (_, _, name)) in cells.iter().zip(self.faults) {
            let word = match cell {
                Cell::Right => "right",
                Cell::Wrong(_) => "**WRONG**",
                Cell::Senseless => "n/a",
            };
            write!(f, " {word:width$} |", width = name.len())?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Each call to AWS × each fault: how it ended after the fault had gone\n")?;
        write!(f, "| call | because |")?;
        self.faults.iter().try_for_each(|(_, _, name)| write!(f, " {name} |"))?;
        write!(f, "\n|---|---|")?;
        self.faults.iter().try_for_each(|_| write!(f, "---|"))?;
        writeln!(f)?;
        let by_row = || self.rows.iter().zip(self.cells.chunks(self.faults.len()));
        by_row().try_for_each(|(row, cells)| self.line(f, row, cells))?;
        let (right, senseless) =
            (self.count(|cell| matches!(cell, Cell::Right)), self.count(|cell| matches!(cell, Cell::Senseless)));
        let all = self.rows.len() * self.faults.len() - senseless;
        let took = self.took.as_secs();
        writeln!(f, "\n{right} of {all} cells right; {senseless} n/a (only listings can be stale); {took} s")?;
        for (row, cells) in by_row() {
            for (cell, (_, _, name)) in cells.iter().zip(self.faults) {
                if let Cell::Wrong(why) = cell {
                    writeln!(f, "\n- {} {} ({}), {name}: {why}", row.service, row.operation, row.scene.words())?;
                }
            }
        }
        Ok(())
    }
}
