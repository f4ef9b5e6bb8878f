"""Entry point of `karyobench`: the tree of commands, and errors as one line with an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from copy import copy
from typing import Any

import typer
from typer.core import TyperGroup

from benchmark import __version__
from benchmark.cli import (
    calibrate,
    compare,
    data,
    demo,
    doctor,
    image,
    insight,
    leaderboard,
    ledger,
    plan,
    post,
    reproduce,
    results,
    run,
    score,
    status,
    store,
    submission,
)
from benchmark.errors import KaryoError


class Root(TyperGroup):
    """Its help is plain: what draws the boxes of the commands' own takes as long to import as all the rest."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Usage, options and every command with its whole summary."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl([told for one in self.get_params(ctx) if (told := one.get_help_record(ctx))])
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(command.help)) for name, command in self.commands.items()])


def _summary(text: str | None) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join((text or "").partition("\n\n")[0].split())


app = typer.Typer(
    name="karyobench",
    cls=Root,
    help="Does pre-training on a related stain help this architecture on these chromosomes?\n\n"
    "Start with: karyobench demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(submission.app, name="submission")
app.add_typer(ledger.app, name="ledger")
app.add_typer(image.app, name="image")
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(results.app, name="results")
app.add_typer(insight.app, name="insight")
app.add_typer(post.app, name="post")
app.add_typer(store.app, name="store")
app.command("plan")(plan.plan)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("reproduce")(reproduce.reproduce)
app.command("calibrate")(calibrate.calibrate)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


INTERRUPTED = 130


def _asked(arguments: Sequence[str]) -> typer.Typer:
    """The tree with nothing but the command that is asked for, since Typer reads the options of all that it is given."""
    name = arguments[0] if arguments else None
    small = copy(app)
    small.registered_commands = [one for one in app.registered_commands if one.name == name]
    small.registered_groups = [one for one in app.registered_groups if one.name == name]
    return small if small.registered_commands or small.registered_groups else app


def main() -> None:
    """Run the command line; a `KaryoError` is one line on standard error."""
    gc.set_threshold(50_000, 20, 20)  # what a command makes, it mostly keeps
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for them reads every installed package
    try:
        _asked(sys.argv[1:])()
    except KaryoError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except SystemExit as error:
        if error.code == INTERRUPTED:  # Typer has made it of a KeyboardInterrupt
            typer.echo("stopped; what is finished is kept, the same command continues", err=True)
        raise
    except BrokenPipeError:
        sys.exit(141)


if __name__ == "__main__":
    main()
