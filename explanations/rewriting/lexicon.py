"""The words that a rewriting may be made of. Whatever is not here, and not in the template, is refused."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Around what the template says: that this is shown. Nobody who acts, nothing that was done, no time and no habit.
FRAME = {
    "en": words(
        "a an here in is it item items list on product products recommended shown suggested suggestion the this"
    ),
    "zh-hans": words("推荐 这件 这款 这个 此 商品 它 是 之所以"),
}
# Between its words, and where two words say the same.
ADVERBS = {"en": words("also earlier the these"), "zh-hans": words("之前 以前 曾 曾经 过去")}
SAME = {
    "en": (words("thing item product"), words("things items products")),
    "zh-hans": (),
}
# What leads a cause, and what may follow it.
LEADS = {
    "en": {"because of": ("because of", "due to"), "because": ("because", "since")},
    "zh-hans": {"因为": ("因为", "由于")},
}
CONCLUSIONS = {"en": words("so therefore"), "zh-hans": words("所以 因此")}
CAUSAL = {
    "en": words("because due hence reason since so therefore why"),
    "zh-hans": words("之所以 原因 因为 因此 所以 由于"),
}
SUPERLATIVES = {
    "en": words(
        """
        always amazing best cheapest favorite favourite finest great greatest guaranteed ideal must never
        only perfect perfectly top ultimate unbeatable
        """
    ),
    "zh-hans": words("保证 唯一 完美 必买 最 极致 永远 第一 绝对 超值 顶级 首选"),
}
TRAITS = {
    "en": words(
        """
        age am are boy child children dad family fan father girl husband like likes love lover loves man
        married men mother mum old parent poor rich single taste wife woman women young
        """
    ),
    "zh-hans": words(
        """
        先生 单身 品味 喜欢 喜爱 女士 女性 妈妈 孩子 家庭 已婚 年轻 年龄 母亲 热爱 爱好 父亲
        爸爸 男性
        """
    ),
}
SENSITIVE = {
    "en": words(
        """
        addiction cancer christian debt depression disabled disease gay health hiv ill illness jewish
        lesbian muslim political poverty pregnancy pregnant religion religious sexual sexuality
        """
    ),
    "zh-hans": words(
        """
        信仰 债务 健康 同性 孕妇 宗教 怀孕 性取向 成瘾 抑郁 政治 残疾 疾病 癌症 艾滋 负债
        贫困
        """
    ),
}
NUMBERS = {
    "en": words(
        """
        both dozen eight eleven first five four half hundred million nine once one second seven six ten
        third thousand three twelve twice two zero
        """
    ),
    "zh-hans": words("〇 一 七 万 三 两 九 二 五 亿 八 六 几 十 千 半 四 百 零"),
}
