"""What the names of materials and bones say about the part of the character that they stand for.

Names are Japanese, Chinese or English, and often several words run together (N00_000_00_FaceMouth_00_FACE); they are
compared after NFKC and without case. Words that say exactly what something is ("hair") are told from those that only say
where it is ("face": a material of that name often holds the eyes and the brows too).
"""

import re
import unicodedata
from enum import Enum, auto


class Hint(Enum):
    """What a name says."""

    ACCESSORY = auto()
    HAIR = auto()
    LID = auto()
    """The skin of an eyelid, lashes, and eyes that are drawn closed: they belong to the face."""
    BROW = auto()
    EYE = auto()
    LIPS = auto()
    MOUTH = auto()
    NECK = auto()
    CLOTHES = auto()
    """Clothes, and parts of the body that are no head."""
    SKIN = auto()
    """Skin or body: anywhere."""
    FACE = auto()
    """On the face or the head, whatever it is."""


# Words of one hint; Latin ones between \b stand alone or next to a digit, "_", "." or a change of case. What a word of an
# earlier hint has taken is not read again, so 髪飾り is no hair and eyebrow no eye.
_WORDS = (
    (
        Hint.ACCESSORY,
        r"髪飾|髪留|髪止|髪ゴム|ヘア(?:ピン|バンド|ゴム|クリップ|アクセ|アクセサリー)|[发髮]饰|头饰|[发髮][夹夾]|耳飾|首飾|首輪|胸飾|飾|饰|装飾|"
        r"帽|眼鏡|目鏡|眼镜|めがね|メガネ|サングラス|ゴーグル|眼帯|リボン|蝴蝶结|アクセ|カチューシャ|ヘッド(?:ホン|フォン|セット|ドレス)|ティアラ|"
        r"イヤリング|ピアス|耳环|ネックレス|ペンダント|チョーカー|冠|花|角|仮面|マスク|"
        r"hair[ _.-]*(?:pin|band|tie|clip|acc|ornament|ribbon|bow|deco)\w*|"
        r"glasses|goggle|ribbon|accessor|ornament|head(?:phone|set|band|dress)|earring|ear[ _.-]*ring|piercing|necklace|"
        r"choker|pendant|tiara|crown|helmet|\bhats?\b|\bcap\b|\bhorns?\b|\bmask\b|\bacc\b|\bhood\b",
    ),
    (
        Hint.LID,
        r"瞼|まぶた|マブタ|二重|睫毛?|まつ[げ毛]|マツ[ゲ毛]|アイ(?:ライン|ラッシュ|シャドウ?|シャドー)|"
        r"(?:閉じ?た?|とじた?)[目眼]|[目眼](?:を?閉|を?とじ|[闭閉]合)\w*|"
        r"eye[ _.-]*(?:lid|lash|line)|eyes?[ _.-]*clos\w*|\bclosed?[ _.-]*eyes?|\blids?\b|lash|matu?s?uge",
    ),
    (Hint.BROW, r"眉毛?|まゆ毛?|マユ毛?|eye[ _.-]*brow|brow(?!n)|\bmayu(?:ge)?\b"),
    (
        Hint.EYE,
        r"白目|黒目|瞳|虹彩|"
        r"(?<![網縫継木境])(?<!縫い)(?<!継ぎ)(?<!つなぎ)目|眼|"
        r"eye|\biris\b|iris(?=\d|_)|pupil|sclera|cornea|\bhitomi\b|\bshirome\b",
    ),
    (Hint.LIPS, r"唇|リップ|\blips?\b"),
    (
        Hint.MOUTH,
        r"(?<![袖裾襟入出蛇窓])口|歯(?!車)|舌|べろ|ベロ|牙|齿|嘴|mouth|teeth|tooth|tongue|\boral\b|\bfang",
    ),
    (
        Hint.HAIR,
        r"髪|髮|头发|[前后後]发|刘海|もみあげ|モミアゲ|揉み?上げ|アホ毛|あほ毛|くせ毛|癖毛|後れ毛|後毛|襟足|おさげ|お下げ|"
        r"ツインテ(?:ール)?|ポニテ|ポニーテール|サイドテール|三つ編み|ヘア|(?<!c)hair|ahoge|\bbangs?\b|"
        r"pony[ _.-]*tail|twin[ _.-]*tail|"
        r"カミ|^かみ|\bkami\b|maegami|usirogami|ushirogami",
    ),
    (
        Hint.CLOTHES,
        r"服|衣|スカート|ズボン|パンツ|トップス|ボトムス|シャツ|ブラウス|ジャケット|コート|パーカー|ニット|セーター|スーツ|ドレス|ワンピース|"
        r"アンダー|インナー|下着|ブラ|水着|靴|ソックス|タイツ|ストッキング|ニーソ|ブーツ|手袋|グローブ|ネクタイ|マント|ベルト|ボタン|フード|"
        r"クローク|袖|襟|裾|裙|裤|鞋|袜|衫|手|足|腕|脚|指|爪|胸|腰|胴|尾|しっぽ|尻尾|翼|"
        r"cloth|shirt|skirt|shoe|\bsock|stocking|tights|boot|dress|jacket|coat\b|sleeve|collar|pants|trousers|shorts|"
        r"outfit|uniform|glove|sweater|\btops?\b|bottoms?\b|onepiece|one[ _.-]piece|\btie\b|necktie|\bbelt|\bcape\b|"
        r"\barms?\b|\blegs?\b|\bhands?\b|\bfoot\b|\bfeet\b|\bnails?\b|\bbra\b|backpack|\bbag\b",
    ),
    (Hint.NECK, r"首|neck"),
    (Hint.SKIN, r"肌|皮膚|体|身体|からだ|素体|皮肤|skin|body|\btorso\b"),
    (
        Hint.FACE,
        r"顔|頭|かお|脸|臉|头|頬|赤面|青ざめ|照れ|涙|汗|鼻|耳|face|\bhead\b|cheek|blush|\btear|\bnose\b|\bears?\b|\bkao\b",
    ),
)
_PATTERNS = tuple((hint, re.compile(words)) for hint, words in _WORDS)
_WEAK = (Hint.SKIN, Hint.FACE)
_LIGHT = re.compile(r"ハイライト|highlight")
"""The light in an eye, unless the name says whose light it is."""


_LIMBS = r"(?:手|足|腕|脚|指|爪|胸|腰|胴)(?![袋輪章飾甲紐帯当巻布])|\b(?:arm|leg|hand|nail)s?\b|\b(?:foot|feet)\b"
"""Words of the clothes' that are the body's own."""
_BARE = r"肌|皮膚|皮肤|\bskin\b"
_CARRIED = (
    r"尾(?!錠)|しっぽ|翼|鞄|カバン|バッグ|リュック|剣|刀|武器|杖|"
    r"\btails?\b|\bwings?\b|backpack|\bbags?\b|weapon|sword|\bguns?\b"
)


class Worn(Enum):
    """What a name says about what covers the body there."""

    BARE = auto()
    """Skin."""
    CLOTHES = auto()
    CARRIED = auto()
    """Bags and weapons; tails and wings, too, which are neither skin nor clothes."""


def worn_of(name: str) -> Worn | None:
    """What `name` says about the body; None when it says nothing, or only which part of the body it is.

    >>> worn_of("手肌"), worn_of("手足"), worn_of("手袋"), worn_of("N00_000_00_Body_00_SKIN"), worn_of("しっぽ")
    (<Worn.BARE: 1>, None, <Worn.CLOTHES: 2>, <Worn.BARE: 1>, <Worn.CARRIED: 3>)
    """
    text = _readable(name)
    if re.search(_CARRIED, text):
        return Worn.CARRIED
    if hint_of(re.sub(_LIMBS, " ", text)) is Hint.CLOTHES:
        return Worn.CLOTHES
    return Worn.BARE if re.search(_BARE, text) else None


def _readable(name: str) -> str:
    """A name as the patterns read it: words that run together apart, without width and case."""
    text = unicodedata.normalize("NFKC", name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9_])|(?<=[0-9_])(?=[A-Za-z])", " ", text)
    return text.casefold()


def hint_of(name: str) -> Hint | None:
    """What `name` says; None when it says nothing, or several things at once.

    >>> hint_of("前髪"), hint_of("髪飾り"), hint_of("F00_000_00_FaceBrow_00_FACE"), hint_of("目口眉"), hint_of("材質3")
    (<Hint.HAIR: 2>, <Hint.ACCESSORY: 1>, <Hint.BROW: 4>, None, None)
    """
    text = _readable(name)
    found = []
    for hint, pattern in _PATTERNS:
        text, count = pattern.subn(" ", text)
        if count:
            found.append(hint)
    if Hint.ACCESSORY in found:
        return Hint.ACCESSORY
    strong = [hint for hint in found if hint not in _WEAK]
    if len(strong) == 1:
        return strong[0]
    if strong:
        # The neck of a shirt is the shirt's. Of eyes and lashes together a closing lid tells which is which (`pieces`),
        # and a mouth's lips are told from its inside by what is seen of them. Whatever else is named twice stays open.
        for one, other in ((Hint.CLOTHES, Hint.NECK), (Hint.EYE, Hint.LID), (Hint.MOUTH, Hint.LIPS)):
            if set(strong) == {one, other}:
                return one
        return None
    if _LIGHT.search(text):
        return Hint.EYE
    return found[0] if len(found) == 1 else (Hint.FACE if found else None)
