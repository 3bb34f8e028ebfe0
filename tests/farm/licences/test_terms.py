"""What VRM's fields, VRoid Hub's addresses and free texts permit."""

import pytest

from farm.licences.terms import Permission, Ruling, terms_of

USE, REDISTRIBUTION, MODIFICATION, COMMERCIAL = Permission
YES, NO, UNSAID = Ruling


def answers(vrm_1: bool = False, texts: tuple[str, ...] = (), **licence: str) -> tuple[Ruling, ...]:
    terms = terms_of(vrm_1, licence, [("readme.txt", text) for text in texts])
    return tuple(terms.answer(permission).answer for permission in Permission)


def test_where_nothing_is_said_nothing_is_permitted() -> None:
    assert answers() == (UNSAID,) * 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CC0", (YES, YES, YES, YES)),
        ("CC_BY_NC_ND", (YES, YES, NO, NO)),
        ("Redistribution_Prohibited", (YES, NO, UNSAID, YES)),
        ("Other", (YES, UNSAID, UNSAID, YES)),
    ],
)
def test_a_named_licence_of_vrm_0_and_its_fields_hold_together(name: str, expected: tuple[Ruling, ...]) -> None:
    assert answers(allowedUserName="Everyone", commercialUssageName="Allow", licenseName=name) == expected


def test_vrm_1_forbids_what_it_leaves_out() -> None:
    assert answers(vrm_1=True) == (NO, NO, NO, NO)
    assert answers(
        vrm_1=True,
        avatarPermission="everyone",
        allowRedistribution="true",
        modification="allowModification",
        commercialUsage="corporation",
    ) == (YES, YES, YES, YES)
    assert terms_of(True, {}, ()).credit is YES


def test_vroid_hub_says_it_in_an_address() -> None:
    address = "https://hub.vroid.com/license?allowed_to_use_user=everyone&corporate_commercial_use=disallow&credit=unnecessary"

    terms = terms_of(False, {"otherPermissionUrl": address + "&redistribution=allow"}, ())

    assert terms.answer(REDISTRIBUTION).answer is YES
    assert terms.answer(COMMERCIAL).answer is NO
    assert terms.credit is NO
    assert answers(otherPermissionUrl=address.replace("hub.vroid.com", "hub.vroid.com.evil.test")) == (UNSAID,) * 4
    assert answers(otherPermissionUrl="http://[broken") == (UNSAID,) * 4


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("改変・再配布自由、商用利用禁止", {COMMERCIAL}),
        ("このモデルの再配布は禁止です。\n改造はご自由に。", {REDISTRIBUTION}),
        ("■禁止事項\n・再配布\n・商用利用\n\n■その他\n・改変", {REDISTRIBUTION, COMMERCIAL}),
        ("请勿二次配布，改造请随意", {REDISTRIBUTION}),
        ("Do not redistribute this model. You may edit it", {REDISTRIBUTION}),
        ("For non-commercial use", {COMMERCIAL}),
        ("改変は禁止していません", set()),
        ("再配布可、改変可", set()),
        ("この度はダウンロードありがとうございます", set()),
    ],
)
def test_of_a_text_only_what_it_forbids_counts(text: str, forbidden: set[Permission]) -> None:
    terms = terms_of(False, {}, [("readme.txt", text)])

    assert {each for each in Permission if terms.answer(each).answer is NO} == forbidden
    assert {each for each in Permission if terms.answer(each).answer is YES} == set()


def test_a_ban_in_a_text_goes_before_a_field_and_says_where_it_stands() -> None:
    terms = terms_of(False, {"licenseName": "CC0"}, [("読んでね.txt", "商用利用は禁止")])

    assert terms.answer(COMMERCIAL).answer is NO
    assert terms.answer(COMMERCIAL).source == "読んでね.txt: 商用利用は禁止"
