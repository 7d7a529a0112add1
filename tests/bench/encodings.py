"""Compare the importer's judgement of encodings with charset-normalizer's: `python -m tests.bench.encodings`.

Files of customers in many languages, encoded as programs of those countries write them. An answer is right if
the text comes out as it was, and wrong if it comes out otherwise. `asked` means that no encoding was named.
"""

from __future__ import annotations

import io
import random
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from importer.errors import InputError
from importer.readers.base import ReadOptions
from importer.readers.code_pages import CODE_PAGES
from importer.readers.encoding import find_encoding, scan_file

EXPORTS = Path(__file__).parents[1] / "data" / "exports"
WORDS = {
    "Spanish": "José María Peña Muñoz Núñez Ibáñez Gómez Ángel Íñigo Málaga Cádiz León Logroño Sofía",
    "French": "François Lefèvre Hélène Gaël Noël Zoé Bérénice Besançon Orléans Saint-Étienne Ça Benoît Chloé",
    "German": "Jürgen Groß Müller Schröder Käthe Jäger Köln München Düsseldorf Österreich Weiß Björn Straße",
    "Portuguese": "João Conceição Simões Araújo Gonçalves São Paulo Brasília Márcia Antônio Inês Luís",
    "Italian": "Niccolò Forlì Nicolò Pietà Cefalù Città Viganò Lunedì Università Salò Rosà Mosè",
    "Swedish": "Åsa Östberg Sjöström Håkan Göran Malmö Göteborg Jönköping Västerås Ängström Pär",
    "Danish": "Søren Kjær Åse Jørgensen Sørensen Ærø Aabenraa Rødovre Bjørn Gråsten Møller",
    "Icelandic": "Þórunn Guðmundsdóttir Sigurður Ægir Jóhannsson Ísafjörður Hafnarfjörður Björk Örn Þór",
    "Polish": "Łukasz Wiśniewski Małgorzata Dąbrowska Wójcik Zieliński Kraków Łódź Gdańsk Poznań Grażyna Żak",
    "Czech": "Jiří Dvořák Kateřina Novák Černý Růžička Plzeň Ústí Žďár Věra Šárka Beneš Kučera Tomáš",
    "Hungarian": "Gábor Kovács Szőke Erzsébet Győr Pécs Hódmezővásárhely Zsófia Tűzoltó Őrsi Füredi Ágnes",
    "Romanian": "Ştefan Ţurcanu Brăila Iaşi Bîrlad Mădălina Andreea Gheorghiţă Constanţa Timişoara Răzvan",
    "Croatian": "Đurđa Kovačević Živko Šimić Željka Čačak Šibenik Perić Marić Žarko Štefica",
    "Turkish": "Ayşe Yılmaz Öztürk Oğuz Çağlar İbrahim Şahin Gülşen Iğdır Muğla Eskişehir İstanbul Doğan",
    "Russian": "Иван Петров Ольга Сидорова Наталья Кузнецова Москва Екатеринбург Алексей Щербаков Юлия",
    "Ukrainian": "Олександр Шевченко Ганна Їжакевич Київ Харків Євген Ґава Львів Марія Ковальчук Андрій",
    "Bulgarian": "Георги Димитров Мария Иванова София Пловдив Желязко Ъглов Петър Стоянов Цветелина Бургас",
    "Serbian": "Ђорђе Петровић Љубица Нишић Његош Београд Јелена Џајић Крагујевац Живковић",
    "Simplified Chinese": "张伟 王芳 李小明 欧阳娜娜 刘洋 陈静 杨秀英 北京市朝阳区 上海浦东新区 广州 经理",
    "Traditional Chinese": "陳小明 林美玲 王大同 張淑芬 黃志豪 臺北市信義區 高雄市 劉雅婷 蔡佩珊 吳宗翰 桃園",
    "Japanese": "太郎 山田 花子 鈴木 さくら 佐藤 田中 高橋 ユミコ 東京都 渋谷区 大阪市 エリカ 伊藤 渡辺",
    "Korean": "김철수 이영희 박지성 강하늘 서울특별시 부산광역시 최민호 정수진 대구 광주 윤서연 한지민",
    "Vietnamese": "Hoàng Nguyễn Đạt Trần Hải Phạm Lê Thị Hồng Đà Nẵng Hồ Chí Minh Vũ Đức Ngô Quỳnh",
    "Greek": "Γιώργος Παπαδόπουλος Μαρία Νικολάου Αθήνα Θεσσαλονίκη Ελένη Κωνσταντίνου Πάτρα Δημήτρης",
    "Hebrew": "משה כהן רחל לוי ירושלים תל אביב יעקב פרץ שרה חיפה דוד מזרחי",
    "Arabic": "محمد أحمد فاطمة علي القاهرة الرياض عبد الله حسن مريم دبي يوسف إبراهيم",
    "Lithuanian": "Jūratė Kazlauskienė Šarūnas Žemaitis Vilnius Šiauliai Panevėžys Eglė Česnulis Ąžuolas",
    "Latvian": "Jānis Bērziņš Līga Kalniņa Rīga Jūrmala Ģirts Ķēniņš Šķēle Zigurds Ņina",
    "Estonian": "Jüri Õunapuu Pärnu Tõnu Kärg Ülo Võru Märt Šmidt Põlva Külli",
    "Thai": "สมชาย ใจดี สมหญิง กรุงเทพ เชียงใหม่ ประเสริฐ วิไล ภูเก็ต นภา ศรีสุข",
}  # fmt: skip
ENCODINGS = {
    "cp1252": ("Spanish", "French", "German", "Portuguese", "Italian", "Swedish", "Danish", "Icelandic"),
    "cp1250": ("Polish", "Czech", "Hungarian", "Romanian", "Croatian"),
    "cp1254": ("Turkish",),
    "cp1251": ("Russian", "Ukrainian", "Bulgarian", "Serbian"),
    "cp1258": ("Vietnamese",),
    "gb18030": ("Simplified Chinese",),
    "big5": ("Traditional Chinese",),
    "shift_jis": ("Japanese",),
    "euc_kr": ("Korean",),
    "cp1253": ("Greek",),
    "cp1255": ("Hebrew",),
    "cp1256": ("Arabic",),
    "cp1257": ("Lithuanian", "Latvian", "Estonian"),
    "cp874": ("Thai",),
    "koi8_r": ("Russian",),
    "cp866": ("Russian",),
    "cp850": ("Spanish", "French", "German"),
    "mac_roman": ("Spanish", "French", "German"),
    "iso8859_2": ("Polish", "Czech", "Hungarian"),
    "euc_jp": ("Japanese",),
}
OURS = frozenset(list(ENCODINGS)[:9])
ROWS = (3, 30, 300)
SEEDS = 3
Guess = Callable[[bytes], str | None]


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, the text that was meant, and the group it is counted in."""

    group: str
    raw: bytes
    text: str


def samples() -> Iterator[Sample]:
    """Generated files in all languages and sizes, and the Chinese exports as Chinese programs write them."""
    for codec, languages in ENCODINGS.items():
        group = "code pages the importer knows" if codec in OURS else "other code pages"
        for language in languages:
            for rows in ROWS:
                for seed in range(SEEDS):
                    text = _table(language, rows, random.Random(f"{language} {rows} {seed}"))
                    yield _encoded(group, text, codec)
    for path in sorted(EXPORTS.glob("*.csv")):
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError:
            continue
        if not text.isascii():
            chinese = any("\u4e00" <= mark <= "\u9fff" for mark in text)
            with_page = _encoded("exports", text, "gb18030" if chinese else "cp1252")
            if with_page.text == text:
                yield with_page


def _table(language: str, rows: int, chance: random.Random) -> str:
    words = WORDS[language].split()
    lines = ["first_name,last_name,email,city"]
    for row in range(rows):
        first, last, city = chance.choice(words), chance.choice(words), chance.choice([*words, "Paris", ""])
        lines.append(f"{first},{last},customer{row}@example.com,{city}")
    return "\n".join(lines) + "\n"


def _encoded(group: str, text: str, codec: str) -> Sample:
    if codec == "cp1258":
        text = _decomposed(text)
    raw = text.encode(codec, "ignore")
    return Sample(group, raw, raw.decode(codec))


def _decomposed(text: str) -> str:
    """Vietnamese as Windows-1258 has it: letters, then tones."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    found = []
    for mark in text:
        parts = unicodedata.normalize("NFD", mark)
        found.append(
            unicodedata.normalize("NFC", "".join(part for part in parts if part not in tones))
            + "".join(part for part in parts if part in tones)
        )
    return "".join(found)


def importer_guess(raw: bytes) -> str | None:
    """The encoding the importer finds; None if it asks."""
    known = frozenset({"first_name", "last_name", "email"}).__contains__
    try:
        return find_encoding(scan_file(io.BytesIO(raw)), ReadOptions(is_known=known), "file").codec
    except InputError:
        return None


def library_guess(raw: bytes) -> str | None:
    """charset-normalizer's best guess among all encodings."""
    best = charset_normalizer.from_bytes(raw).best()
    return best.encoding if best else None


def library_guess_of_ours(raw: bytes) -> str | None:
    """charset-normalizer's best guess among the code pages that the importer compares."""
    best = charset_normalizer.from_bytes(raw, cp_isolation=[page.name for page in CODE_PAGES]).best()
    return best.encoding if best else None


def verdict(sample: Sample, codec: str | None) -> str:
    """`right`, `wrong` or `asked`."""
    if codec is None:
        return "asked"
    return "right" if sample.raw.decode(codec, "replace") == sample.text else "wrong"


def main() -> None:
    """Prints a line for each way to guess and each group of files."""
    files = list(samples())
    guesses: dict[str, Guess] = {
        "importer": importer_guess,
        "charset-normalizer": library_guess,
        "charset-normalizer, the importer's nine": library_guess_of_ours,
    }
    print("| guessed by | files | number | right | asked | wrong | ms a file |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for label, guess in guesses.items():
        guess(files[0].raw)
        for group in dict.fromkeys(sample.group for sample in files):
            chosen = [sample for sample in files if sample.group == group]
            begin = time.process_time()
            answers = [guess(sample.raw) for sample in chosen]
            took = 1000 * (time.process_time() - begin) / len(chosen)
            counts = Counter(map(verdict, chosen, answers))
            row = [
                label,
                group,
                len(chosen),
                counts["right"],
                counts["asked"],
                counts["wrong"],
                f"{took:.1f}",
            ]
            print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
