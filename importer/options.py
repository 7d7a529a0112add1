"""The options of one run: how it reads, checks, sends and reports. Each is declared once, here.

Everything else that knows options is derived from the fields of `RunOptions`: the options of the command
line (`importer.cli.parameters`), the keys of `[profile.NAME]` and `[job.NAME]` (`importer.config`), what the
journal keeps for `resume` (`importer.option_layers`), the settings that reports show, and the table in the
documentation. Who signs and where requests go is in `importer.config`. `--help` passes through this module,
so it imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from importer.contracts import DEFAULT_CONTRACT, NAMES
from importer.messages import LANGUAGES
from importer.models import Mode
from importer.option_types import (
    ChoiceValue,
    Duplicates,
    FilesValue,
    FlagValue,
    FolderValue,
    IntegerValue,
    Keep,
    ModeValue,
    NumberValue,
    Option,
    OptionGroup,
    TextValue,
    declare,
)
from importer.reading_options import ReadingOptions


@dataclass(frozen=True, slots=True)
class RunOptions(ReadingOptions):
    """How one run reads, checks, sends and reports: the options of `importer run` by the same names."""

    mode: Mode | None = declare(
        None,
        ModeValue(),
        "For customers the CRM has already: replace (0), update (1, the default) or keep (2).",
        "对 CRM 中已有的客户：replace（0，覆盖）、update（1，更新，默认）或 keep（2，保留）。",
        group=OptionGroup.MODE,
        flags=("--mode", "--type"),
        profile=True,
        job=True,
        keep=Keep.COLUMN,
        report=True,
        repeat=True,
    )
    """None: the mode of the run that a re-imported report names, else update."""
    mapping: str | None = declare(
        None,
        TextValue(),
        "A ready-made mapping or a mapping file.",
        "内置映射的名称，或映射文件。",
        group=OptionGroup.MAPPING,
        metavar="NAME|FILE",
        job=True,
        report=True,
        repeat=True,
    )
    country: str | None = declare(
        None,
        TextValue(),
        "Of which country phones without a country code are: CN, or its name.",
        "没有国家区号的号码属于哪个国家：CN，或国家名称。",
        group=OptionGroup.MAPPING,
        metavar="COUNTRY",
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    """Where no column names the country."""
    contract: str | None = declare(
        None,
        ChoiceValue(NAMES),
        f"Which variant of the API (default: {DEFAULT_CONTRACT}).",
        f"使用哪个版本的 API（默认：{DEFAULT_CONTRACT}）。",
        group=OptionGroup.MAPPING,
        profile=True,
        job=True,
        keep=Keep.COLUMN,
        report=True,
        repeat=True,
    )
    dry_run: bool = declare(
        False,
        FlagValue(),
        "Stop before the socket: everything but the sending.",
        "除发送以外，全部照做。",
        group=OptionGroup.DRY_RUN,
        keep=Keep.COLUMN,
    )
    concurrency: int = declare(
        4,
        IntegerValue(1, 64),
        "Requests in flight (default: 4).",
        "同时发出的请求数（默认：4）。",
        group=OptionGroup.SENDING,
        metavar="N",
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
    )
    rate: float | None = declare(
        None,
        NumberValue(0),
        "Requests a second over all runs of an access key (default: 10, to loopback no limit; 0: no limit).",
        "每秒请求数，同一访问密钥的各次运行合计（默认：10，发往本机时不限；0：不限）。",
        group=OptionGroup.SENDING,
        metavar="N",
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
    )
    patience: float = declare(
        300.0,
        NumberValue(0, seconds=True),
        "How long an absent server is waited for (default: 300).",
        "服务器无响应时最多等待多少秒（默认：300）。",
        group=OptionGroup.SENDING,
        metavar="SECONDS",
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
    )
    wait: float | None = declare(
        None,
        NumberValue(0, seconds=True),
        "How long to wait while another run sends to the same place (default: 3600; 0: exit 75 at once).",
        "另一次运行正发往同一目标时，最多等待多少秒（默认：3600；0：立即以 75 退出）。",
        group=OptionGroup.SENDING,
        metavar="SECONDS",
        profile=True,
        job=True,
    )
    """None: an hour, in a job its time limit."""
    settle: float | None = declare(
        None,
        NumberValue(0, 86400, seconds=True),
        "How long a request without an answer may still be carried out; later rows of its customers wait"
        " that long (default: 60).",
        "没有得到响应的请求可能仍会被执行；同一客户后面的行会等待多少秒（默认：60）。",
        group=OptionGroup.SENDING,
        metavar="SECONDS",
        profile=True,
        keep=Keep.SETTINGS,
        report=True,
    )
    """None: as long as an answer is waited for. A job's `settle` is about files that come in."""
    canary: bool | None = declare(
        None,
        FlagValue(),
        "Send one row first and look at its answer (default: to a tenant never reached, except on loopback).",
        "先发送一行并检查响应（默认：从未到达过的租户才如此，本机地址除外）。",
        group=OptionGroup.SENDING,
        flags=("--canary/--no-canary",),
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
    )
    """None: the journal and the address decide."""
    attempts: int = declare(
        8, IntegerValue(1), "Requests for one batch at most.", "每批最多请求的次数。", keep=Keep.SETTINGS
    )
    duplicates: Duplicates = declare(
        Duplicates.SEND,
        ChoiceValue(tuple(Duplicates), Duplicates),
        "A row that shares a phone or e-mail with an earlier one.",
        "如何处理与前面的行共用电话或邮箱的行。",
        group=OptionGroup.CHECKING,
        show_default=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    tag: str | None = declare(
        None,
        TextValue(),
        "A tag for every row; {date} and {file} are filled in.",
        "为每行添加标签；{date} 和 {file} 会被替换。",
        group=OptionGroup.MAPPING,
        metavar="TEXT",
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    suppress: tuple[str, ...] = declare(
        (),
        FilesValue(),
        "A table of phones and e-mails, or their SHA-256, of people who must not be sent. Repeatable.",
        "不得发送的人员名单：含电话和邮箱（或其 SHA-256）的表格；可多次使用。",
        group=OptionGroup.CHECKING,
        metavar="FILE",
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    strict: bool = declare(
        False,
        FlagValue(),
        "Warnings count as errors; notes do not.",
        "警告按错误处理；说明不算。",
        group=OptionGroup.CHECKING,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    max_invalid: float | None = declare(
        None,
        NumberValue(0, 100),
        "Validate the whole file first; send nothing if more is invalid (exit 6).",
        "先校验整个文件；无效行超过该百分比时一行也不发送（退出码 6）。",
        group=OptionGroup.CHECKING,
        metavar="PERCENT",
        keep=Keep.SETTINGS,
        repeat=True,
    )
    """Percent of the rows."""
    limit: int | None = declare(
        None,
        IntegerValue(1),
        "Only the first N rows.",
        "只处理前 N 行。",
        group=OptionGroup.CHECKING,
        metavar="N",
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    report_dir: Path | None = declare(
        None,
        FolderValue(),
        "Where the reports go (default: reports/<run id>/; of an earlier run, beside its reports).",
        "报告放在哪里（默认：reports/<运行号>/；针对以前的运行时，放在其报告旁）。",
        group=OptionGroup.REPORTS,
        job=True,
        keep=Keep.COLUMN,
    )
    excel_report: bool = declare(
        False,
        FlagValue(),
        "Also annotated.xlsx: your workbook, bad cells marked.",
        "另写 annotated.xlsx：在您的工作簿中标出有问题的单元格。",
        group=OptionGroup.REPORTS,
        job=True,
        keep=Keep.SETTINGS,
    )
    resend_unknown: bool = declare(
        False,
        FlagValue(),
        "Send rows with neither phone nor e-mail again after an unknown outcome.",
        "既无电话也无邮箱的行结果未知时，重新发送。",
        group=OptionGroup.SENDING,
        job=True,
    )
    changed_only: bool = declare(
        False,
        FlagValue(),
        "Only rows of customers that are new, or differ from what this destination last took.",
        "只发送新客户，或与该目标上次收到的内容不同的行。",
        group=OptionGroup.CHECKING,
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
        repeat=True,
    )
    keep_before: bool = declare(
        False,
        FlagValue(),
        "First read what the CRM has of these customers, and keep it in before.csv: one query for each.",
        "先读取 CRM 中这些客户的现有内容，保存到 before.csv：每个客户一个查询。",
        group=OptionGroup.SENDING,
        profile=True,
        job=True,
        keep=Keep.SETTINGS,
        report=True,
    )
    full: bool = declare(
        False,
        FlagValue(),
        "With --changed-only: send all rows this once, and note what they say.",
        "与 --changed-only 一起：这一次发送所有行，并记录其内容。",
        group=OptionGroup.CHECKING,
        keep=Keep.SETTINGS,
        report=True,
    )
    overwrite_newer: bool = declare(
        False,
        FlagValue(),
        "Also send rows whose customer a later run has imported.",
        "客户已被之后的运行导入的行也照样发送。",
        group=OptionGroup.SENDING,
        report=True,
    )
    rejected: bool = declare(
        False,
        FlagValue(),
        "Also the rows that the server rejected.",
        "也重发被服务器拒绝的行。",
        group=OptionGroup.RETRY,
        keep=Keep.SETTINGS,
    )
    mask: bool = declare(
        False,
        FlagValue(),
        "Mask found values in messages.",
        "在提示中遮盖单元格内容。",
        group=OptionGroup.REPORTS,
        job=True,
        keep=Keep.SETTINGS,
    )
    lang: str = declare(
        "en",
        ChoiceValue(LANGUAGES),
        "Language of messages and reports (default: the locale's).",
        "提示和报告的语言（默认：系统语言）。",
        flags=("--lang",),
        job=True,
        keep=Keep.SETTINGS,
    )
    """In no group: every command has `--lang`, whether it concerns a run or not."""
    sandbox_store: str | None = declare(
        None,
        TextValue(),
        "The file in which the sandbox keeps its customers.",
        "沙箱保存客户的文件。",
        flags=("--sandbox-store",),
        keep=Keep.SETTINGS,
        repeat=True,
    )
    """The sandbox that the run goes to. In no group: where a run goes is no matter of these options."""


@cache
def declared_options() -> Mapping[str, Option]:
    """Return all options by name, in the order of their declaration."""
    return {one.name: _named(one) for one in dataclasses.fields(RunOptions)}


def _named(one: dataclasses.Field[Any]) -> Option:
    option: Option = one.metadata["option"]
    flags = option.flags or ((f"--{one.name.replace('_', '-')}",) if option.group else ())
    return dataclasses.replace(option, name=one.name, default=one.default, flags=flags)
