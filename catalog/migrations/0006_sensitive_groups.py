"""Groups that are there already and have a sensitive name get the flag that new ones get."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from catalog.sensitive import is_sensitive


def flag(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    category = apps.get_model("catalog", "Category")
    rows = category.objects.filter(is_sensitive=False).values_list("pk", "path", "name_en", "name_zh_hans")
    found = [pk for pk, path, en, zh in rows if is_sensitive(path=path, name_en=en, name_zh_hans=zh)]
    category.objects.filter(pk__in=found).update(is_sensitive=True)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_gifts_and_less_of_a_group")]

    # What staff flagged by hand is not told apart, so nothing is taken back.
    operations = [migrations.RunPython(flag, migrations.RunPython.noop)]
