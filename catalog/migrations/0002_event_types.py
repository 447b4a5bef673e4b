"""The event types every shop starts with; staff may edit and add."""

from django.apps.registry import Apps as StateApps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# code, verb in English, verb in Chinese, strength, polarity, is_target
EVENT_TYPES = [
    ("view", "viewed", "浏览过", 0.2, 1, False),
    ("cart", "put in the basket", "加入过购物车", 0.5, 1, False),
    ("purchase", "bought", "购买过", 1.0, 1, True),
    ("rating", "rated", "评价过", 0.7, 1, False),
    ("return", "returned", "退回过", 0.5, -1, False),
    ("not_interested", "marked as not interesting", "标记为不感兴趣", 1.0, -1, False),
]


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    event_type = apps.get_model("catalog", "EventType")
    for code, verb_en, verb_zh_hans, strength, polarity, is_target in EVENT_TYPES:
        event_type.objects.create(
            code=code,
            verb_en=verb_en,
            verb_zh_hans=verb_zh_hans,
            strength=strength,
            polarity=polarity,
            is_target=is_target,
        )


def delete(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("catalog", "EventType").objects.filter(code__in=[row[0] for row in EVENT_TYPES]).delete()


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [migrations.RunPython(create, delete)]
