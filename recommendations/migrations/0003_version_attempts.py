"""A training that kills its workers ends: attempts are counted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0002_publish_guard")]
    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="attempts"),
        ),
    ]
