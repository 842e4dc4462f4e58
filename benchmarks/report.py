"""What a run of `benchmarks.http` found, as JSON, as tables and as a plot."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

RESULTS = Path(__file__).parent / "results" / "http.json"
WARM, GROWTH, COLD = "documents", "growth", "cold"
COLORS = {"standard": "#9aa5b1", "planned": "#1f6feb", "floor": "#2da44e"}


@dataclass(frozen=True)
class Measurement:
    """A row of a table. `part` tells of which: `WARM`, `GROWTH` or `COLD`."""

    part: str
    database: str
    execution: str
    benchmark: str
    clients: int
    requests: int
    cpu_ms_per_request: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    response_bytes: int
    peak_rss_mb: float


@dataclass
class Run:
    """When and where something was measured, with which options, and what came out."""

    measured_at: str
    machine: dict[str, str]
    options: dict[str, Any]
    rows: list[Measurement] = field(default_factory=list)

    def of(self, part: str) -> list[Measurement]:
        return [row for row in self.rows if row.part == part]


COLUMNS: dict[str, Callable[[Measurement], str]] = {
    "database": lambda row: row.database,
    "document": lambda row: row.benchmark,
    "execution": lambda row: row.execution,
    "clients": lambda row: f"{row.clients}",
    "CPU ms/request": lambda row: milliseconds(row.cpu_ms_per_request),
    "requests/s": lambda row: f"{row.requests_per_second:,.1f}",
    "p50 ms": lambda row: milliseconds(row.p50_ms),
    "p99 ms": lambda row: milliseconds(row.p99_ms),
    "answer bytes": lambda row: f"{row.response_bytes:,}",
    "peak RSS MB": lambda row: f"{row.peak_rss_mb:.0f}",
}


def write(run: Run, is_whole: bool) -> str:
    """Writes the results as JSON and, for a run with nothing left out, as tables and as a plot; answers the tables."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(orjson.dumps(asdict(run), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    text = tables(run)
    if is_whole:
        RESULTS.with_suffix(".md").write_text(text, "utf-8")
        draw(run, RESULTS.with_suffix(".png"))
    return text


def tables(run: Run) -> str:
    """The report in Markdown, which can be read as it is."""
    about = {**run.machine, **{name: written(value) for name, value in run.options.items()}}
    documents = [[cell(row) for cell in COLUMNS.values()] for row in run.of(WARM)]
    parts = [
        "# Benchmarks over HTTP",
        f"Measured at {run.measured_at} by `make bench`; `python -m benchmarks.http --help` explains the columns.",
        "\n".join(f"- {name}: {value}" for name, value in about.items()),
        "![CPU milliseconds per request](http.png)",
        "## Documents",
        table(list(COLUMNS), documents, 3),
        "## Ratios of CPU ms/request",
        table(["database", "document", "clients", "standard / planned", "planned / floor"], ratios(run.of(WARM)), 2),
    ]
    if run.of(GROWTH):
        parts += [
            "## CPU ms/request by the number of customers, each with addresses, 1 client",
            side_by_side(run.of(GROWTH)),
        ]
    if run.of(COLD):
        parts += [
            "## CPU ms/request with a known text, and with a new one each time: one customer, 6 relations, 1 client",
            side_by_side(run.of(COLD)),
        ]
    return "\n\n".join(parts) + "\n"


def ratios(rows: Iterable[Measurement]) -> list[list[str]]:
    """For each database, document and number of clients, how the executions compare; `-` for what was not measured."""
    by_case: dict[tuple[str, str, int], dict[str, float]] = {}
    for row in rows:
        by_case.setdefault((row.database, row.benchmark, row.clients), {})[row.execution] = row.cpu_ms_per_request
    return [
        [database, document, f"{clients}", ratio(took, "standard", "planned"), ratio(took, "planned", "floor")]
        for (database, document, clients), took in by_case.items()
    ]


def ratio(took: dict[str, float], one: str, other: str) -> str:
    return f"{took[one] / took[other]:.1f}" if took.get(other) and one in took else "-"


def side_by_side(rows: Sequence[Measurement]) -> str:
    """A table with a line for each database and execution, and a column for each benchmark."""
    names = list(dict.fromkeys(row.benchmark for row in rows))
    by_line: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        by_line.setdefault((row.database, row.execution), {})[row.benchmark] = milliseconds(row.cpu_ms_per_request)
    lines = [[*line, *(took.get(name, "-") for name in names)] for line, took in by_line.items()]
    return table(["database", "execution", *names], lines, 2)


def table(titles: list[str], lines: Iterable[list[str]], text_columns: int) -> str:
    """A Markdown table with aligned columns: text to the left, numbers to the right."""
    cells = [titles, *lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    aligned = [
        [
            text.ljust(width) if place < text_columns else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in cells
    ]
    rule = ["-" * width if place < text_columns else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [aligned[0], rule, *aligned[1:]])


def milliseconds(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def written(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else f"{value:,g}"


def draw(run: Run, file: Path) -> None:
    """Writes a plot as PNG: a panel for each database, and in it a group of bars for each document, with 1 client."""
    from matplotlib.figure import Figure

    rows = [row for row in run.of(WARM) if row.clients == min(run.options["clients"])]
    documents = list(dict.fromkeys(row.benchmark for row in rows))
    databases = list(dict.fromkeys(row.database for row in rows))
    figure = Figure(figsize=(10, 4.8), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(databases), sharey=True, squeeze=False)[0]
    for panel, database in zip(panels, databases, strict=True):
        for position, (execution, color) in enumerate(COLORS.items()):
            took = {
                documents.index(row.benchmark): row.cpu_ms_per_request
                for row in rows
                if (row.database, row.execution) == (database, execution)
            }
            bars = panel.bar([place + (position - 1) * 0.28 for place in took], took.values(), 0.27, color=color)
            panel.bar_label(bars, [milliseconds(each) for each in took.values()], fontsize=8, padding=1)
            bars.set_label(execution)
        panel.set_title(database)
        panel.set_yscale("log")
        panel.set_xticks(range(len(documents)), [name.replace(", ", ",\n") for name in documents], fontsize=8)
        panel.yaxis.set_major_formatter("{x:g}")
        panel.grid(axis="y", alpha=0.3)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("CPU ms per request (log scale; less is better)")
    panels[0].margins(y=0.1)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLORS), frameon=False)
    machine = run.machine
    figure.suptitle(
        f"CPU of the server process per request, 1 worker: {machine['CPU']}, Python {machine['Python']}", fontsize=10
    )
    figure.savefig(file)
