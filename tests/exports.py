"""Small realistic files of every ready-made mapping, and the customers they are to become.

Headers are those of real exports (`bench/headers.json`); people are invented.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HEADERS: Mapping[str, Sequence[str]] = json.loads(
    (Path(__file__).parent / "bench" / "headers.json").read_text("utf-8")
)


@dataclass(frozen=True)
class Export:
    """One file of an export: its rows and, for those that are sent, the customers in `sea`."""

    mapping: str
    header: str | Sequence[str]
    """Its key in headers.json, or the header itself."""
    rows: Sequence[Mapping[str, str]]
    customers: Sequence[Mapping[str, str | int]]
    delimiter: str = ","
    encoding: str = "utf-8"

    @property
    def columns(self) -> Sequence[str]:
        return HEADERS[self.header] if isinstance(self.header, str) else self.header

    def write(self, folder: Path) -> Path:
        """The export as a file."""
        path = folder / f"{self.mapping}.csv"
        with path.open("w", encoding=self.encoding, newline="") as file:
            writer = csv.DictWriter(file, self.columns, restval="", delimiter=self.delimiter)
            writer.writeheader()
            writer.writerows(self.rows)
        return path


def person(first: str, last: str, **more: str | int) -> dict[str, str | int]:
    """A customer as the API takes it."""
    return {"first_name": first, "last_name": last, **more}


EXPORTS = (
    Export(
        "api-names",
        ("first_name", "last_name", "sms_phone", "gender", "tagStr", "customize_field"),
        [
            {
                "first_name": "Zhang",
                "last_name": "San",
                "sms_phone": "18163725558",
                "gender": "0",
                "tagStr": "test,99",
                "customize_field": '{"customize_1_14": "aa"}',
            }
        ],
        [
            person(
                "Zhang",
                "San",
                sms_phone="18163725558",
                gender=0,
                tagStr="test,99",
                customize_field='{"customize_1_14": "aa"}',
            )
        ],
    ),
    Export(
        "chinese-labels",
        ("姓", "名", "手机号码", "性别", "生日", "标签"),
        [
            {
                "姓": "张",
                "名": "三",
                "手机号码": "138 1234 5678",
                "性别": "男",
                "生日": "1990年5月7日",
                "标签": "老客户、VIP",
            }
        ],
        [person("张", "三", sms_phone="13812345678", gender=1, birthday="1990-05-07", tagStr="老客户,VIP")],
    ),
    Export(
        "hubspot",
        "hubspot_contacts",
        [
            {
                "Record ID": "51",
                "First Name": "Marie",
                "Last Name": "Curie",
                "Email": "marie@example.com",
                "Phone Number": "+33 6 00 00 00 00",
                "Create Date": "2024-03-01 09:15",
                "Street Address": "1 rue X",
                "City": "Paris",
                "Postal Code": "75005",
                "Country/Region": "France",
                "Date of birth": "1967-11-07 00:00",
                "Gender": "Female",
                "Unsubscribed from all email": "false",
            }
        ],
        [
            person(
                "Marie",
                "Curie",
                email="marie@example.com",
                sms_phone="33600000000",
                address="1 rue X, Paris, 75005",
                country="France",
                birthday="1967-11-07",
                gender=0,
            )
        ],
    ),
    Export(
        "salesforce-report",
        "salesforce_contact_report",
        [
            {
                "First Name": "Ann",
                "Last Name": "Lee",
                "Phone": "(415) 555-0000",
                "Email": "ann@example.com",
                "Mailing Street": "1 Main St",
                "Mailing City": "SF",
                "Mailing Country": "USA",
                "Birthdate": "5/7/1990",
                "Description": "met at fair",
                "Contact ID": "003x",
            },
            {"First Name": "Bo", "Last Name": "Ek", "Mobile": "415-555-0001", "Birthdate": "12/25/1991"},
        ],
        [
            person(
                "Ann",
                "Lee",
                sms_phone="4155550000",
                email="ann@example.com",
                address="1 Main St, SF",
                country="USA",
                birthday="1990-05-07",
                remark="met at fair",
            ),
            person("Bo", "Ek", sms_phone="4155550001", birthday="1991-12-25"),
        ],
    ),
    Export(
        "salesforce-dataloader",
        tuple(name.upper() for name in HEADERS["salesforce_dataloader_export"]),
        [
            {
                "ID": "003x",
                "ISDELETED": "false",
                "FIRSTNAME": "Ann",
                "LASTNAME": "Lee",
                "NAME": "Ann Lee",
                "MOBILEPHONE": "+1 415-555-0000",
                "EMAIL": "ann@example.com",
                "MAILINGSTREET": "1 Main St",
                "MAILINGCITY": "SF",
                "MAILINGCOUNTRY": "USA",
                "BIRTHDATE": "1990-05-07T00:00:00.000Z",
            },
            {"ID": "003y", "ISDELETED": "true", "FIRSTNAME": "Gone", "LASTNAME": "Away"},
        ],
        [
            person(
                "Ann",
                "Lee",
                sms_phone="14155550000",
                email="ann@example.com",
                address="1 Main St, SF",
                country="USA",
                birthday="1990-05-07",
            )
        ],
    ),
    Export(
        "google-contacts-old",
        "google_contacts_csv_old",
        [
            {
                "Name": "Ann Lee",
                "Given Name": "Ann",
                "Family Name": "Lee",
                "Birthday": " --05-12",
                "Group Membership": "* myContacts ::: Family",
                "E-mail 1 - Type": "* Home",
                "E-mail 1 - Value": "ann@example.com ::: ann@work.example",
                "Phone 1 - Type": "Mobile",
                "Phone 1 - Value": "+1 415-555-0000 ::: +1 415-555-0001",
                "Address 1 - Formatted": "1 Main St\nSF",
                "Address 1 - Country": "US",
                "Notes": "n",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                tagStr="Family",
                email="ann@example.com",
                sms_phone="14155550000",
                address="1 Main St\nSF",
                country="US",
                remark="n",
            )
        ],
        encoding="utf-16",
        delimiter="\t",
    ),
    Export(
        "google-contacts",
        "google_contacts_csv_new",
        [
            {
                "First Name": "Ann",
                "Last Name": "Lee",
                "Birthday": "1990-05-07",
                "Labels": "* myContacts ::: VIP",
                "E-mail 1 - Value": "ann@example.com",
                "Phone 1 - Label": "Mobile",
                "Phone 1 - Value": "+1 415-555-0000",
                "Address 1 - Country": "US",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                birthday="1990-05-07",
                tagStr="VIP",
                email="ann@example.com",
                sms_phone="14155550000",
                country="US",
            )
        ],
    ),
    Export(
        "google-contacts-outlook",
        "google_contacts_outlook_csv",
        [
            {
                "First Name": "Ann",
                "Last Name": "Lee",
                "E-mail Address": "ann@example.com",
                "Mobile Phone": "+14155550000",
                "Home Street": "1 Main St",
                "Home City": "SF",
                "Home Country": "US",
                "Categories": "myContacts;VIP",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                sms_phone="14155550000",
                address="1 Main St, SF",
                country="US",
                tagStr="myContacts,VIP",
            )
        ],
    ),
    Export(
        "outlook-classic",
        "outlook_classic_csv",
        [
            {
                "First Name": "Jürgen",
                "Last Name": "Groß",
                "E-mail Address": "j@example.com",
                "E-mail Type": "SMTP",
                "Mobile Phone": "+49 (170) 1234567",
                "Birthday": "0/0/00",
                "Gender": "Unspecified",
                "Categories": "A;B",
                "Home Country/Region": "Germany",
            },
            {"First Name": "Ann", "Last Name": "Lee", "Birthday": "13.5.1990", "Gender": "Female"},
        ],
        [
            person(
                "Jürgen",
                "Groß",
                email="j@example.com",
                sms_phone="491701234567",
                tagStr="A,B",
                country="Germany",
            ),
            person("Ann", "Lee", birthday="1990-05-13", gender=0),
        ],
        encoding="cp1252",
        delimiter=";",
    ),
    Export(
        "outlook-com",
        "outlook_com_new_outlook_csv",
        [
            {
                "First Name": "Ann",
                "Last Name": "Lee",
                "E-mail Address": "ann@example.com",
                "Home Phone": "415 555 0000",
                "Home Country/Region": "USA",
                "Birthday": "12/31/1990",
                "Notes": "n",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                sms_phone="4155550000",
                country="USA",
                birthday="1990-12-31",
                remark="n",
            )
        ],
    ),
    Export(
        "shopify",
        "shopify_customers_export",
        [
            {
                "Customer ID": "'7210448301122",
                "First Name": "Ann",
                "Last Name": "Lee",
                "Email": "ann@example.com",
                "Accepts Email Marketing": "yes",
                "Default Address Address1": "1 Main St",
                "Default Address City": "SF",
                "Default Address Province Code": "CA",
                "Default Address Country Code": "US",
                "Default Address Phone": "(775) 555-0154",
                "Phone": "'+15555552000",
                "Tags": "VIP, wholesale",
                "Note": "n",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                address="1 Main St, SF, CA",
                country="US",
                sms_phone="15555552000",
                tagStr="VIP,wholesale",
                remark="n",
            )
        ],
    ),
    Export(
        "mailchimp",
        "mailchimp_audience",
        [
            {
                "Email Address": "ann@example.com",
                "First Name": "Ann",
                "Last Name": "Lee",
                "Address": "1 Main St  SF  CA",
                "Phone Number": "(415) 555-0000",
                "Birthday": "05/07",
                "TIMEZONE": "America/Los_Angeles",
                "CC": "us",
                "LEID": "1",
                "EUID": "2",
                "TAGS": '"VIP","Blog"',
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                address="1 Main St  SF  CA",
                sms_phone="4155550000",
                time_zone="America/Los_Angeles",
                country="us",
                tagStr="VIP,Blog",
            )
        ],
    ),
    Export(
        "woocommerce",
        "woocommerce_analytics_customers",
        [
            {
                "Name": "Ana María Pérez",
                "Username": "ana",
                "Last Active": "2024-01-02 03:04:05",
                "Email": "ana@example.com",
                "Country / Region": "ES",
                "Billing Phone": "'+34 612 345 678",
            }
        ],
        [person("Ana María", "Pérez", email="ana@example.com", country="ES", sms_phone="34612345678")],
    ),
    Export(
        "pipedrive",
        "pipedrive_people",
        [
            {
                "Person - ID": "1",
                "Person - Name": "Ann Lee",
                "Person - First name": "Ann",
                "Person - Last name": "Lee",
                "Person - Labels": "Hot lead,VIP",
                "Person - Email - Work": "ann@example.com,lee@example.com",
                "Person - Phone - Work": "+44 20 7946 0000, +44 20 7946 0001",
                "Person - Birthday": "1990-05-07",
                "Person - Postal address": "1 High St, London",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                tagStr="Hot lead,VIP",
                email="ann@example.com",
                sms_phone="442079460000",
                birthday="1990-05-07",
                address="1 High St, London",
            )
        ],
    ),
    Export(
        "klaviyo",
        "klaviyo_profiles",
        [
            {
                "Email": "ann@example.com",
                "Klaviyo ID": "01H",
                "First Name": "Ann",
                "Last Name": "Lee",
                "Phone Number": "'+14155550000",
                "Address": "1 Main St",
                "City": "SF",
                "Country": "United States",
                "Source": "popup",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                sms_phone="14155550000",
                address="1 Main St, SF",
                country="United States",
            )
        ],
        encoding="utf-8-sig",
    ),
    Export(
        "intercom",
        "intercom_users",
        [
            {
                "First name": "Ann",
                "Last name": "Lee",
                "Name": "Ann Lee",
                "Email": "ann@example.com",
                "Phone": "+61 2 1234 5678",
                "Last seen (AEDT)": "2024-01-02 03:04:05",
                "Country": "Australia",
                "Timezone": "Australia/NSW",
                "Tag": "vip,beta",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                sms_phone="61212345678",
                country="Australia",
                time_zone="Australia/NSW",
                tagStr="vip,beta",
            )
        ],
    ),
    Export(
        "zendesk",
        "zendesk_users",
        [
            {
                "name": "Ann Lee",
                "email": "ann@example.com, lee@example.com",
                "phone": "+1 (415) 555-0000",
                "role": "end-user",
                "tags": "vip_customer beta",
                "notes": "n",
            }
        ],
        [
            person(
                "Ann",
                "Lee",
                email="ann@example.com",
                sms_phone="14155550000",
                tagStr="vip_customer,beta",
                remark="n",
            )
        ],
    ),
    Export(
        "wati",
        "wati_contacts",
        [{"Name": "Asha Rao", "CountryCode": "91", "Phone": "9876543210", "AllowBroadcast": "TRUE"}],
        [person("Asha", "Rao", whats_app_phone="919876543210")],
    ),
    Export(
        "interakt",
        "interakt_users",
        [
            {
                "First Name": "Asha",
                "Last Name": "Rao",
                "Country Code": "+91",
                "Phone Number": "9876543210",
                "Email": "asha@example.com",
                "WhatsApp Opted": "TRUE",
                "City": "Pune",
            }
        ],
        [person("Asha", "Rao", whats_app_phone="919876543210", email="asha@example.com")],
    ),
    Export(
        "brevo",
        "brevo_contacts",
        [
            {
                "EMAIL": "zoe@example.com",
                "LASTNAME": "Petit",
                "FIRSTNAME": "Zoé",
                "SMS": "33611111111",
                "EMAIL_BLACKLISTED": "No",
                "ADDED_TIME": "05-07-2023 10:11",
            }
        ],
        [person("Zoé", "Petit", email="zoe@example.com", sms_phone="33611111111")],
        delimiter=";",
    ),
    Export(
        "cn-leads",
        "cn_generic_lead_template",
        [
            {
                "名称": "某某公司",
                "联系人": "欧阳娜娜",
                "电话": "13800138001",
                "邮箱": "o@example.com",
                "地址": "北京市",
                "备注": "急",
            }
        ],
        [
            person(
                "欧阳", "娜娜", sms_phone="13800138001", email="o@example.com", address="北京市", remark="急"
            )
        ],
    ),
    Export(
        "cn-weigou-members",
        "cn_member_import_weigou",
        [
            {
                "会员姓名": "李四",
                "会员卡号": "8001",
                "性别": "女",
                "生日": "1990/5/7",
                "手机号": "13800138001",
                "常用邮箱": "l@example.com",
                "省份": "广东",
            }
        ],
        [person("李", "四", gender=0, birthday="1990-05-07", sms_phone="13800138001", email="l@example.com")],
        encoding="gb18030",
    ),
    Export(
        "cn-crm-customers",
        "cn_crm_customer_export",
        [
            {
                "客户ID": "1",
                "客户姓名": "王五",
                "手机号": "13800138001",
                "邮箱": "w@example.com",
                "性别": "保密",
                "生日": "1990-05-07",
                "地址": "上海",
                "备注": "老客户",
            }
        ],
        [
            person(
                "王",
                "五",
                sms_phone="13800138001",
                email="w@example.com",
                birthday="1990-05-07",
                address="上海",
                remark="老客户",
            )
        ],
        encoding="utf-8-sig",
    ),
    Export(
        "cn-legacy-customers",
        "cn_legacy_customer_export",
        [
            {
                "类型(1:个人；2:公司)": "1",
                "客户姓名": "赵六",
                "手机号": "13800138001",
                "身份证号": "1.10101E+17",
                "地址": "广州",
            }
        ],
        [person("赵", "六", sms_phone="13800138001", address="广州")],
    ),
    Export(
        "wecom-partners",
        "wecom_upstream_downstream_import",
        [
            {
                "联系人姓名": "孙七",
                "身份": "负责人",
                "手机号": "13800138001",
                "企业名称": "某某",
                "上下游分组": "华东",
            }
        ],
        [person("孙", "七", sms_phone="13800138001", tagStr="华东")],
    ),
    Export(
        "wecom-members",
        "wecom_addressbook_import",
        [
            {
                "姓名": "周八",
                "英文ID": "zhou",
                "部门": "销售",
                "性别": "男",
                "手机": "13800138001",
                "个人邮箱": "z@example.com",
            }
        ],
        [person("周", "八", gender=1, sms_phone="13800138001", email="z@example.com")],
    ),
    Export(
        "xtransfer",
        "xtransfer_customer_import_rules",
        [
            {
                "客户名称": "John Smith",
                "国家/地区": "美国",
                "标签": "VIP；展会",
                "社交账号": "WeChat-js;WhatsApp-86-18888888888",
            }
        ],
        [person("John", "Smith", country="美国", tagStr="VIP,展会", whats_app_phone="8618888888888")],
    ),
    Export(
        "mixdesk",
        "mixdesk_contacts_rules",
        [
            {
                "姓名": "吴九",
                "电话": "+8613800138001",
                "邮箱": "w@example.com",
                "备注": "b",
                "标签": "标签1,标签2",
            }
        ],
        [
            person(
                "吴", "九", sms_phone="8613800138001", email="w@example.com", remark="b", tagStr="标签1,标签2"
            )
        ],
    ),
    Export(
        "cn-member-system",
        "cn_member_system_rules",
        [
            {
                "会员卡号": "1",
                "会员姓名": "郑十",
                "会员性别": "0",
                "会员生日": "1990/05/07",
                "会员生日类型": "1",
                "手机号": "13800138001",
            },
            {
                "会员卡号": "2",
                "会员姓名": "钱一",
                "会员性别": "2",
                "会员生日": "1990-05-07",
                "会员生日类型": "0",
                "手机号": "13800138002",
            },
        ],
        [
            person("郑", "十", gender=0, birthday="1990-05-07", sms_phone="13800138001"),
            person("钱", "一", sms_phone="13800138002"),
        ],
    ),
    Export(
        "cn-shop-customers",
        "youzan_like_customer_import",
        [{"手机号": "13800138001", "姓名": "冯二", "性别": "先生"}],
        [person("冯", "二", sms_phone="13800138001", gender=1)],
    ),
    Export(
        "jisuapp",
        "jisuapp_customer_import",
        [{"昵称": "小明", "性别": "男", "手机号": "13800138001", "分组": "A", "标签": "x,y", "积分": "5"}],
        [person("小", "明", gender=1, sms_phone="13800138001", tagStr="x,y,A")],
    ),
)
"""One for each ready-made mapping."""
