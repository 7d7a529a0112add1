"""Which columns, cells and remarks say that somebody must not be contacted."""

from __future__ import annotations

from typing import Any

import pytest

from importer import arrow
from importer.mapping import consent
from importer.mapping.rules import Condition

GIVEN = (
    "Zgoda na info",
    "Zgoda RODO (tak/nie)",
    "Newsletter",
    "Newsletter?",
    "E-Mail Opt-in",
    "opt_in",
    "optIn",
    "GDPR consent",
    "Accepts Email Marketing",
    "Subscribed",
    "Einwilligung Newsletter",
    "DSGVO",
    "Werbung erlaubt",
    "Consentimiento",
    "LGPD",
    "Aceita newsletter",
    "Consentement RGPD",
    "是否同意接收短信",
    "订阅",
    "メルマガ配信希望",
    "마케팅 수신동의",
    "Согласие на рассылку",
    "KVKK onayı",
)
REFUSED = (
    "Unsubscribed",
    "Unsubscribed from all email",
    "HasOptedOutOfEmail",
    "Opt-out",
    "Do Not Contact",
    "doNotCall",
    "Bounced",
    "Newsletter abgemeldet am",
    "Keine Werbung",
    "Wypisany",
    "退订",
    "是否退订",
    "配信停止",
    "수신거부",
    "Descadastrado",
    "Désabonné le",
    "Отписан",
)
NEITHER = (
    "Name",
    "Phone",
    "Prodotto",
    "Optional",
    "Remark",
    "Description",
    "Points",
    "Marke",
    "Options",
    "Date of birth",
    "Noteikumi",
    "Betrag",
    "Privatadresse",
    "Anmerkung",
    "Konzern-ID",
    "备注",
    "电话",
    "Average",
    "Strona",
)


@pytest.mark.parametrize("header", GIVEN)
def test_a_column_of_consents_is_known_by_its_name(header: str) -> None:
    assert consent.kind_of(header) == "given"


@pytest.mark.parametrize("header", REFUSED)
def test_a_column_of_refusals_is_known_by_its_name(header: str) -> None:
    assert consent.kind_of(header) == "refused"


@pytest.mark.parametrize(
    "header", ["Status", "E-mail status", "状态", "Opt-in/opt-out", "Subscription Status"]
)
def test_a_column_of_states_is_known_by_its_name(header: str) -> None:
    assert consent.kind_of(header) == "state"


@pytest.mark.parametrize("header", NEITHER)
def test_other_columns_say_nothing_of_it(header: str) -> None:
    assert consent.kind_of(header) is None


@pytest.mark.parametrize(
    ("kind", "refusing", "others"),
    [
        (
            "given",
            (
                "NIE",
                "nie - tylko telefon",
                "no",
                "N",
                "0",
                "FALSE",
                "Nein",
                "nein, danke",
                "não",
                "否",
                "不同意",
                "Нет",
                "Unsubscribed",
            ),
            (
                "tak",
                "",
                "yes",
                "1",
                "ja",
                "2024-05-01",
                "No. 12 Main St",
                "Nora",
                "none yet 3",
                "同意",
                "weekly",
                "-",
            ),
        ),
        (
            "refused",
            ("yes", "TRUE", "1", "x", "2024-05-01", "退订", "spam complaint", "12.03.2025 per E-Mail"),
            ("", "no", "0", "false", "nein", "-", "N/A", "否"),
        ),
        (
            "state",
            ("unsubscribed", "Bounced", "Inactive", "inaktiv", "已退订", "opted-out", "cleaned"),
            ("active", "new", "no", "0", "", "paid", "cancelled order"),
        ),
    ],
)
def test_cells_refuse_by_what_a_yes_in_their_column_means(
    kind: consent.Kind, refusing: tuple[str, ...], others: tuple[str, ...]
) -> None:
    found = consent.refusing(kind, arrow.array([*refusing, *others]))
    assert found.tolist() == [True] * len(refusing) + [False] * len(others)


@pytest.mark.parametrize(
    ("kind", "cells", "said"),
    [
        ("given", ["tak", "NIE", "NIE", "", "nie - tel."], {"is_not": ("NIE", "nie - tel.")}),
        ("refused", ["", "2024-05-01", ""], {"filled": False}),
        ("refused", ["no", "yes", ""], {"is_": ("", "no")}),
        ("state", ["active", "bounced"], {"is_not": ("bounced",)}),
    ],
)
def test_a_condition_keeps_out_just_the_refusing_rows(
    kind: consent.Kind, cells: list[str], said: dict[str, Any]
) -> None:
    assert consent.leaving_out("C", kind, arrow.array(cells)) == Condition("C", **said)


@pytest.mark.parametrize(
    "remark",
    [
        "WYPISANY 30.09.26, nie wysyłać!",
        "Please do not contact",
        "Don’t call before noon",
        "bitte NICHT anrufen",
        "No llamar",
        "não ligar mais",
        "ne pas contacter",
        "请勿联系",
        "老客户，已退会",
        "連絡不要です",
        "Не звонить!",
        "opted  out",
    ],
)
def test_a_remark_is_read(remark: str) -> None:
    assert consent.telling_remarks(arrow.array([remark])).all()


@pytest.mark.parametrize(
    "remark", ["", "tata w Niemczech", "casino marketing", "likes calls", "老客户", "VIP", "Anruf erwünscht"]
)
def test_other_remarks_are_left_alone(remark: str) -> None:
    assert not consent.telling_remarks(arrow.array([remark])).any()


@pytest.mark.parametrize(
    "remark",
    [
        "BAJA 03/10/26",
        "Baja",
        "*BAJA*",
        "Baja 03/10/26. Avisó su mamá",
        "Baja (se mudó a León)",
        "se dio de baja en octubre",
        "ya no viene",
        "ya no viene desde el 3 de octubre",
        "03/10/26 BAJA",
        "ausgetreten zum 31.12.2025",
        "Gekündigt am 3. Oktober",
        "desistiu",
        "trancou matrícula em março",
        "berhenti sejak Oktober 2026",
        "keluar",
        "résilié le 03/10/2026",
        "parti",
        "n’est plus membre",
        "10月退会",
        "2026年10月3日退会",
        "已退学",
        "탈퇴 2026.10.03",
        "выбыл 03.10.26",
        "odszedł",
        "No longer a member",
        "left 3/10/26",
    ],
)
def test_a_remark_that_somebody_has_left_is_read_with_its_day(remark: str) -> None:
    assert consent.telling_remarks(arrow.array([remark])).all()


@pytest.mark.parametrize(
    "remark",
    [
        "baja estatura",
        "rebaja",
        "Baja California",
        "planta baja",
        "baja de peso 3 kg",
        "ya no viene los lunes",
        "left",
        "left knee hurts since 2019",
        "keluar kota",
        "cancelled the lesson on Monday",
        "partie de foot",
        "bis 18 Uhr",
        "退会しない",
        "in 2026",
    ],
)
def test_a_word_of_leaving_in_another_sentence_says_nothing(remark: str) -> None:
    assert not consent.telling_remarks(arrow.array([remark])).any()


def test_a_state_may_have_a_day_behind_it() -> None:
    cells = arrow.array(["BAJA 03/10/26", "Baja", "Activo", "baja estatura", "Activo desde 2020"])
    assert consent.refusing("state", cells).tolist() == [True, True, False, False, False]
