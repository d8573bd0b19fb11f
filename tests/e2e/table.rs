//! Tables of what was expected and what was measured, which are part of the documentation.

use std::{env, fs, path::Path};

/// Compares measured tables with the committed ones. `OPENCLAW_WRITE=1` writes them.
pub fn committed(file: &str, title: &str, tables: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/isolation").join(file);
    println!("{tables}");
    let measured = &format!(
        "# {title}\n\nWritten by `OPENCLAW_WRITE=1 make e2e`; [isolation](README.md) says how it was measured.\n\n{tables}"
    );
    if env::var_os("OPENCLAW_WRITE").is_some() {
        fs::create_dir_all(path.parent().expect("a directory")).expect("docs/isolation");
        fs::write(&path, measured).expect("the table is written");
        return;
    }
    let stands = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(stands, *measured, "{}: OPENCLAW_WRITE=1 make e2e writes what was measured", path.display());
}

/// The same for a table inside a page that people write, between `<!-- name -->` and `<!-- /name -->`.
pub fn committed_part(file: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    println!("{table}");
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).expect("where the table begins");
    let (stands, after) = rest.split_once(&end).expect("where the table ends");
    if env::var_os("OPENCLAW_WRITE").is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).expect("the table is written");
        return;
    }
    assert_eq!(stands, table, "{}: OPENCLAW_WRITE=1 make e2e writes what was measured", path.display());
}

/// Renders rows under a head, aligned for people who read it as text.
pub fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).chain([head[column].len()]).max().unwrap_or(0))
        .collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>();
    let mut text = line(head.to_vec()) + &line(rule.iter().map(String::as_str).collect());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}
