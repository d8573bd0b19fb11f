"""draw.py DATA PNG: the dashboard as test_dashboard.py kept it, in the dashboard's own places, with its titles, units and legends.

Drawn here and not by Grafana: colours of series that the dashboard does not name, fonts and the rounding of axes are ours.
"""

import datetime
import io
import json
import math
import re
import sys

import matplotlib

matplotlib.use("agg")
import matplotlib.dates  # noqa: E402
import matplotlib.pyplot  # noqa: E402
import matplotlib.ticker  # noqa: E402
from PIL import Image  # noqa: E402

# Pixels: of the whole, of a row of the grid, between two panels.
WIDTH, ROW, GAP, DPI = 1440, 29, 8, 100
PAGE, PANEL, LINE, TEXT, FAINT = "#f4f5f5", "#ffffff", "#dcdee1", "#24292e", "#6b737b"
NAMED = {
    "green": "#3d9c44",
    "red": "#d63649",
    "orange": "#e8811c",
    "blue": "#3274d9",
    "light-blue": "#8ab8ff",
    "purple": "#a352cc",
    "text": TEXT,
}
SERIES = ["#56a64b", "#e0b400", "#3274d9", "#ff780a", "#e02f44", "#8f3bb8", "#37872d", "#1f60c4", "#c4162a", "#b877d9", "#6ed0e0", "#705da0"]


def figure_text(value, unit, decimals=None):
    if unit == "s":
        for size, name in ((86400, "days"), (3600, "hours"), (60, "mins"), (1, "s")):
            if value >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1000:.3g} ms"
    number = f"{value:.{decimals}f}" if decimals is not None else f"{value:.3g}"
    return {"ops": f"{number} ops/s", "reqps": f"{number} req/s"}.get(unit, number)


def legend_text(pattern, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), pattern)


def colour_of(value, steps):
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return NAMED[reached[-1]]


def stat(figure, box, panel, series):
    defaults, options = panel["fieldConfig"]["defaults"], panel["options"]
    shown = [(labels, value, target) for target in panel["targets"] for labels, value in series[target["refId"]]]
    if not shown:
        figure.text(*middle(box), "No data", ha="center", va="center", color=FAINT, fontsize=13)
    for index, (labels, value, target) in enumerate(shown):
        text = figure_text(value, defaults["unit"], defaults.get("decimals"))
        if options["textMode"] == "name":
            text = legend_text(target["legendFormat"], labels)
        x, y = middle(box)
        y += ((len(shown) - 1) / 2 - index) * 0.012
        size = 21 if len(text) < 12 else 14
        figure.text(x, y, text, ha="center", va="center", color=colour_of(value, defaults["thresholds"]["steps"]), fontsize=size)


def middle(box):
    left, bottom, width, height = box
    return left + width / 2, bottom + height * 0.42


def timeseries(figure, box, panel, series, began, ended):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    left, bottom, width, height = box
    pixel_x, pixel_y = 1 / WIDTH, 1 / (figure.get_figheight() * DPI)
    axes = figure.add_axes((left + 58 * pixel_x, bottom + 52 * pixel_y, width - 74 * pixel_x, height - 86 * pixel_y))
    colours = {rule["matcher"]["options"]: NAMED[rule["properties"][0]["value"]["fixedColor"]] for rule in panel["fieldConfig"]["overrides"]}
    named = [
        (legend_text(target["legendFormat"], labels), [(at, value) for at, value in points if value == value])
        for target in panel["targets"]
        for labels, points in series[target["refId"]]
    ]
    # Where a point is missing nothing is drawn, as the dashboard says.
    step = min((after - at for _, points in named for (at, _), (after, _) in zip(points, points[1:])), default=0)
    base = {}
    for index, (name, points) in enumerate(named):
        colour = colours.get(name, SERIES[index % len(SERIES)])
        gaps = [(at + step, math.nan) for (at, _), (after, _) in zip(points, points[1:]) if after - at > 1.5 * step]
        points = sorted(points + gaps)
        times = [datetime.datetime.fromtimestamp(at, datetime.UTC) for at, _ in points]
        low = [base.get(at, 0.0) if custom["stacking"]["mode"] == "normal" else 0.0 for at, _ in points]
        high = [value + under for (_, value), under in zip(points, low)]
        if custom["stacking"]["mode"] == "normal":
            base.update({at: top for (at, _), top in zip(points, high)})
        point = "." if custom["showPoints"] == "auto" else None
        axes.plot(times, high, color=colour, linewidth=custom["lineWidth"] + 0.2, label=name, marker=point, markersize=3)
        if custom["fillOpacity"]:
            axes.fill_between(times, low, high, color=colour, alpha=custom["fillOpacity"] / 100, linewidth=0)
    if not named:
        axes.text(0.5, 0.5, "No data", ha="center", va="center", color=FAINT, fontsize=11, transform=axes.transAxes)
    axes.set_xlim(*[datetime.datetime.fromtimestamp(at, datetime.UTC) for at in (began, ended)])
    top = max([defaults.get("max", 0), axes.get_ylim()[1], 1 if defaults.get("decimals") == 0 else 0])
    axes.set_ylim(defaults.get("min"), top)
    axes.xaxis.set_major_locator(matplotlib.dates.MinuteLocator())
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M"))
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, integer=defaults.get("decimals") == 0))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: figure_text(value, defaults["unit"], defaults.get("decimals"))))
    axes.tick_params(labelsize=7, colors=FAINT, length=0)
    axes.grid(color=LINE, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if named:
        columns = max(1, min(len(named), int(width * WIDTH / (45 + 5.4 * max(len(name) for name, _ in named)))))
        keep = columns * 2
        handles, labels = axes.get_legend_handles_labels()
        if len(labels) > keep:
            labels[keep - 1] = f"and {len(labels) - keep + 1} more"
        axes.legend(
            handles[:keep], labels[:keep], loc="upper left", bbox_transform=figure.transFigure,
            bbox_to_anchor=(left + 14 * pixel_x, bottom + 36 * pixel_y), ncols=columns, fontsize=6.5,
            frameon=False, labelcolor=TEXT, handlelength=1.2, columnspacing=1.2, borderaxespad=0,
        )


def main(data, picture):
    with open(data) as file:
        kept = json.load(file)
    rows = max(one["panel"]["gridPos"]["y"] + one["panel"]["gridPos"]["h"] for one in kept["panels"])
    height = rows * ROW + GAP
    figure = matplotlib.pyplot.figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor=PAGE)
    for one in kept["panels"]:
        panel, place = one["panel"], one["panel"]["gridPos"]
        unit = (WIDTH - GAP) / 24
        left, top = GAP + place["x"] * unit, GAP + place["y"] * ROW
        width, tall = place["w"] * unit - GAP, place["h"] * ROW - GAP
        box = (left / WIDTH, 1 - (top + tall) / height, width / WIDTH, tall / height)
        if panel["type"] == "row":
            figure.text(box[0], box[1] + box[3] / 2, panel["title"], va="center", color=TEXT, fontsize=11, weight="bold")
            continue
        figure.add_artist(matplotlib.patches.Rectangle(box[:2], box[2], box[3], facecolor=PANEL, edgecolor=LINE, linewidth=0.8, zorder=-2))
        figure.text((left + 10) / WIDTH, 1 - (top + 14) / height, panel["title"], va="center", color=TEXT, fontsize=8.5)
        if panel["type"] == "stat":
            stat(figure, box, panel, one["series"])
        else:
            timeseries(figure, box, panel, one["series"], kept["began"], kept["ended"])
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor=PAGE)
    Image.open(drawn).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
