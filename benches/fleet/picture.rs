//! Time and memory against the size of the fleet, as a picture.

use std::fmt::Write as _;

use crate::figures::{Point, Run, real, real_bytes};

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 200.0;
const MARGIN: (f64, f64) = (50.0, 40.0);

struct Line {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// Two panels beside each other: seconds, and megabytes.
pub fn of(run: &Run) -> String {
    let line = |name, colour, figure: fn(&Point) -> Option<f64>| Line {
        name,
        colour,
        points: run.points.iter().filter_map(|point| Some((f64::from(point.tenants), figure(point)?))).collect(),
    };
    let times = [
        line("converge", "#c2410c", |point| Some(point.converge.seconds)),
        line("floor", "#1d4ed8", |point| Some(point.floor.as_ref()?.seconds)),
        line("objects alone", "#6b7280", |point| Some(point.floor.as_ref()?.objects_seconds)),
        line("restart, all verified", "#15803d", |point| Some(point.restart.as_ref()?.verified_seconds)),
    ];
    let memory = [
        line("memory after", "#c2410c", |point| Some(real_bytes(point.converge.usage.rss_bytes) / 1e6)),
        line("peak", "#1d4ed8", |point| Some(real_bytes(point.converge.usage.peak_bytes) / 1e6)),
    ];
    let total = 2.0 * (WIDTH + 2.0 * MARGIN.0);
    let high = HEIGHT + 3.0 * MARGIN.1;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {high}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{total}\" height=\"{high}\" fill=\"white\"/>\n"
    );
    panel(&mut svg, 0.0, "seconds", &times);
    panel(&mut svg, WIDTH + 2.0 * MARGIN.0, "megabytes", &memory);
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, left: f64, unit: &str, lines: &[Line]) {
    let most = |part: fn(&(f64, f64)) -> f64| lines.iter().flat_map(|line| &line.points).map(part).fold(1.0, f64::max);
    let (widest, highest) = (most(|point| point.0), most(|point| point.1) * 1.1);
    let x = |tenants: f64| left + MARGIN.0 + tenants / widest * WIDTH;
    let y = |figure: f64| MARGIN.1 + HEIGHT - figure / highest * HEIGHT;
    let (x0, y0) = (x(0.0), y(0.0));
    let _ = writeln!(
        svg,
        "<path d=\"M {x0:.1} {:.1} V {y0:.1} H {:.1}\" fill=\"none\" stroke=\"#111\"/>\n<text x=\"{x0:.1}\" y=\"{:.1}\">{unit} \
         (up) against tenants</text>",
        y(highest),
        x(widest),
        MARGIN.1 / 2.0
    );
    for part in 0..=4_u8 {
        let figure = highest * f64::from(part) / 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{figure:.0}</text>",
            x0 - 4.0,
            y(figure) + 4.0
        );
    }
    for (place, line) in lines.iter().enumerate().filter(|(_, line)| !line.points.is_empty()) {
        let colour = line.colour;
        let path: Vec<String> =
            line.points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for point in &line.points {
            let (at, under) = (x(point.0), y0 + 14.0);
            let _ = writeln!(
                svg,
                "<circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>\n<text x=\"{at:.1}\" y=\"{under:.1}\" \
                 text-anchor=\"middle\">{:.0}</text>",
                y(point.1),
                point.0
            );
        }
        let row = y0 + 32.0 + 14.0 * real(place);
        let _ = writeln!(svg, "<text x=\"{x0:.1}\" y=\"{row:.1}\" fill=\"{colour}\">{}</text>", line.name);
    }
}
