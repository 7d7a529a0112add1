"""The options that commands share. Those of a run are made of their declarations in `importer.options`.

A command gets them as one argument, `given`, and those about speaking as `output`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from importer.cli.help import local
from importer.cli.output import (
    LocalizedOption,
    OutputOptions,
    choose_json_lines,
    lang_option,
    language,
)
from importer.models import Mode
from importer.option_layers import GivenOptions
from importer.option_types import (
    ChoiceValue,
    FilesValue,
    FlagValue,
    FolderValue,
    HeaderRowValue,
    IntegerValue,
    ModeValue,
    NumberValue,
    Option,
    OptionGroup,
    TextValue,
    ValueKind,
    option_text,
)
from importer.options import declared_options

F = TypeVar("F", bound=Callable[..., Any])


class ModeType(click.ParamType[Mode]):
    """replace, update, keep, or the API's own 0, 1, 2."""

    name = "replace|update|keep"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mode:
        if isinstance(value, Mode):
            return value
        text = str(value).strip().lower()
        for mode in Mode:
            if text in (mode.label, str(int(mode))):
                return mode
        said = local("{value!r} is none of replace (0), update (1), keep (2)")
        self.fail(said.format(value=value), param, ctx)


class Amount(click.FloatRange):
    """A number in a range; nan, which is in every range, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(local("{value!r} is not a number").format(value=value), param, ctx)
        return number


class HeaderRowType(click.ParamType[int | str]):
    """A row number, or `none` for a file without a header."""

    name = "N|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value).strip().lower()
        if text == "none":
            return text
        if text.isdecimal() and len(text) < 20 and int(text) >= 1:
            return int(text)
        said = local("{value!r} is neither a row number from 1 nor `none`")
        self.fail(said.format(value=value), param, ctx)


def _click_type(kind: ValueKind) -> dict[str, Any]:
    match kind:
        case FlagValue():
            return {"is_flag": True}
        case TextValue():
            return {}
        case ChoiceValue(words):
            return {"type": click.Choice([str(word) for word in words])}
        case IntegerValue(least, most):
            return {"type": click.IntRange(least, most)}
        case NumberValue(least, most):
            return {"type": Amount(least, most)}
        case FolderValue():
            return {"type": click.Path(file_okay=False, path_type=Path)}
        case FilesValue():
            return {"type": click.Path(), "multiple": True}
        case HeaderRowValue():
            return {"type": HeaderRowType()}
        case ModeValue():
            return {"type": ModeType()}


def _click_option(option: Option) -> Callable[[F], F]:
    shown = {"default": option_text(option.default), "show_default": True} if option.show_default else {}
    if isinstance(option.kind, FlagValue) and option.default is None:
        shown = {"default": None}  # a flag that is neither on nor off unless it is given
    more = {"metavar": option.metavar, **_click_type(option.kind), **shown}
    return _localized(*option.flags, option.name, **option.help, **more)


def _localized(*names: str, en: str, zh: str, **more: Any) -> Callable[[F], F]:
    return click.option(*names, cls=LocalizedOption, texts={"en": en, "zh": zh}, **more)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def run_options(*wanted: OptionGroup | str) -> Callable[[F], F]:
    """Add the options of these groups, or of these names; the command gets what was given as `given`.

    Used twice on a command, both add to the same `given`.
    """
    known = declared_options().values()
    options = [option for one in wanted for option in known if one in (option.group, option.name)]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*args: Any, **values: Any) -> Any:
            source = click.get_current_context().get_parameter_source
            taken = {option.name: values.pop(option.name) for option in options}
            found = {n: value for n, value in taken.items() if source(n) is not ParameterSource.DEFAULT}
            before: GivenOptions = values.pop("given", GivenOptions())
            given = before.joined(GivenOptions.read(found | {"lang": language()}))
            return function(*args, **values, given=given)

        return _all(*(_click_option(option) for option in options))(command)  # type: ignore[return-value]

    return decorate


profile_option = _localized(
    "--profile",
    metavar="NAME",
    en="Settings from [profile.NAME] of importer.toml.",
    zh="使用 importer.toml 中 [profile.NAME] 的设置。",
)

sandbox_options = _all(
    _localized(
        "--sandbox",
        is_flag=True,
        en="Import into a CRM on this machine that goes away afterwards.",
        zh="导入到本机的模拟 CRM，用后即弃。",
    ),
    _localized(
        "--sandbox-store",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        en="The same, but what it stores is kept in FILE.",
        zh="同上，但数据保存在 FILE 中。",
    ),
)

cluster_options = _all(
    _localized(
        "--cluster",
        metavar="ADDRESS",
        en="Import on a Dask cluster: tcp://HOST:PORT, or local for processes of this machine.",
        zh="在 Dask 集群上导入：tcp://主机:端口，或 local（本机进程）。",
    ),
    _localized(
        "--parallel",
        type=click.IntRange(1, 64),
        default=4,
        show_default=True,
        metavar="N",
        en="With --cluster local: how many processes.",
        zh="与 --cluster local 同用：进程数。",
    ),
)

sandbox_store_option = _localized(
    "--sandbox-store",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    en="The run went to the sandbox that keeps its customers in FILE (default: where it went).",
    zh="该次运行所用沙箱保存客户的文件（默认：当时的文件）。",
)

sending_options = run_options(OptionGroup.SENDING)
report_options = run_options(OptionGroup.REPORTS)
reading_options = run_options(OptionGroup.READING)
"""How a file is read: run, validate, inspect, mapping suggest and check."""


def _output_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Add options about speaking; the command gets them as `output`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*args: Any, **values: Any) -> Any:
            names = values.keys() & OutputOptions.__dataclass_fields__.keys()
            output = OutputOptions(**{name: values.pop(name) for name in names})
            return function(*args, **values, output=output)

        return _all(*options)(command)  # type: ignore[arg-type]

    return decorate


_quiet = _localized("--quiet", "-q", is_flag=True, en="Print only errors.", zh="只输出错误。")
_verbose = _localized(
    "--verbose",
    "-v",
    is_flag=True,
    en="Tell every retry, wait and batch on stderr.",
    zh="在 stderr 上说明每次重试、等待和批次。",
)
_log_json = _localized(
    "--log-json",
    is_flag=True,
    is_eager=True,
    callback=choose_json_lines,
    en="Log as JSON lines on stderr.",
    zh="在 stderr 上以 JSON 行记录日志。",
)
_yes = _localized(
    "--yes", "-y", is_flag=True, en="Answer every question with yes.", zh="所有问题都回答“是”。"
)
speaking_options = _output_options(_quiet, _verbose, _log_json, lang_option)

import_options = _all(
    run_options(
        OptionGroup.SOURCE,
        OptionGroup.MODE,
        OptionGroup.MAPPING,
        OptionGroup.READING,
        OptionGroup.CHECKING,
    ),
    profile_option,
    sandbox_options,
    run_options(OptionGroup.SENDING, OptionGroup.REPORTS),
    _output_options(_yes, _quiet, _verbose, _log_json, lang_option),
)
"""Everything that `run` and `validate` take."""
