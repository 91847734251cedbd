"""The command python -m experiments.report results/singleshot/RUN ... --output report.html."""

from collections.abc import Sequence
from pathlib import Path

from experiments.report.options import Options
from experiments.report.page import page, read_run
from experiments.runs.folders import write_atomically
from experiments.runs.options import parse, refuse


def main(args: Sequence[str] | None = None) -> None:
    """Writes the page that the command line asks for."""
    options = parse(Options, "python -m experiments.report", args)
    output: Path = options.output
    try:
        runs = [read_run(folder, output.parent) for folder in options.runs]
        text = page(runs, title=options.title, shown=options.rows)
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, lambda path: path.write_text(text, encoding="utf-8"))
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"can't use {error.filename}: {error.strerror}")
    names = ", ".join(run.name for run in runs)
    print(f"{output} shows {names} ({len(text.encode()) / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
