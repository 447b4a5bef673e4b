"""Groups that are sensitive when they are made: health, sexuality, religion, minors, debt and the like.

A start and no judgement: staff edit the flag of every group in the admin, and it holds for all groups below.
"""

import re

# Words of a path or of an English name, and pieces of a Chinese one.
ENGLISH = {
    "health": "health medical medicine medicines medication pharmacy prescription prescriptions drug drugs vitamins "
    "supplements diabetes diabetic cancer incontinence disability disabled mobility hearing dental psychiatry "
    "therapy addiction smoking nicotine alcohol dieting obesity slimming",
    "sexuality": "sex sexual sexuality erotic adult lingerie condom condoms contraception contraceptives fertility "
    "lgbt lgbtq gay lesbian transgender",
    "pregnancy and small children": "pregnancy maternity prenatal baby babies infant infants nursing breastfeeding "
    "nappies diapers minors underage",
    "religion and belief": "religion religious bible bibles quran koran torah church mosque synagogue prayer rosary "
    "hymn hymns",
    "politics and unions": "political politics campaigning union unions",
    "origin": "ethnic ethnicity race racial",
    "money and law": "debt debts loan loans credit bankruptcy gambling betting lottery casino legal criminal",
    "grief and violence": "funeral funerals bereavement mourning divorce weapons weapon firearms ammunition knives",
}
CHINESE = {
    "健康": "健康 医疗 医药 药品 处方 保健 糖尿病 癌症 失禁 残疾 助听 口腔 心理治疗 戒烟 戒酒 减肥 肥胖",
    "性": "成人用品 情趣 性用品 避孕 计生 生育 同性恋 跨性别",
    "孕婴": "孕妇 孕产 母婴 婴儿 新生儿 哺乳 尿布 纸尿裤 未成年",
    "宗教": "宗教 圣经 古兰经 教堂 清真寺 佛教 祈祷 念珠",
    "政治": "政治 竞选 工会",
    "出身": "民族 种族",
    "钱与法律": "债务 贷款 信用 破产 赌博 博彩 彩票 法律服务 刑事",
    "丧葬与暴力": "丧葬 殡葬 悼念 离婚 武器 枪支 弹药",
}
_WORDS = frozenset(word for words in ENGLISH.values() for word in words.split())
_PIECES = tuple(piece for pieces in CHINESE.values() for piece in pieces.split())


def is_sensitive(*, path: str, name_en: str = "", name_zh_hans: str = "") -> bool:
    """Whether the group itself has such a name: what is above it counts by itself."""
    words = re.findall(r"[a-z]+", f"{path.rpartition('/')[2]} {name_en}".lower())
    return not _WORDS.isdisjoint(words) or any(piece in name_zh_hans for piece in _PIECES)
