"""The words that a rewriting may be made of. Whatever is not here, and not in the template, is refused."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED = {
    "en": words(
        """
        a along also an and as at because before bought by chosen earlier every for from goes here history
        in is it item items list may might of on ones order orders other others our pairs picked picks
        product products purchase purchases reason recommend recommended shown similar since so suggest
        suggested suggestion that the these thing things this times to together too usually we were what
        which with you your
        """
    ),
    "zh-hans": words(
        """
        一次 一起 与 中 为您 之前 也 了 以前 以及 件 你 共 其他 其它 历史 及 另外 另有 可
        可以 和 商品 因为 在 它 并 您 我们 所以 推荐 搭配 是 曾 曾经 有 次 正在 此 每
        浏览 由于 的 相似 看 等 类似 给您 而 订单 记录 购买 过 过去 还 这个 这件 这款 适合
        通常 里
        """
    ),
}
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
