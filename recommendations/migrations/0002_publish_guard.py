"""No run becomes live while one of its slates is unexplained, whoever writes the UPDATE."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_unexplained_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM recommendations_slate WHERE run_id = NEW.id)
       OR EXISTS (SELECT FROM recommendations_slate WHERE run_id = NEW.id AND explained_at IS NULL) THEN
        RAISE EXCEPTION 'run % has no slates or a slate without its explanation', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'live_run_is_explained';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER live_run_is_explained BEFORE INSERT OR UPDATE ON recommendations_run
    FOR EACH ROW WHEN (NEW.state = 'live') EXECUTE FUNCTION refuse_unexplained_run();
"""
DROP = """
DROP TRIGGER live_run_is_explained ON recommendations_run;
DROP FUNCTION refuse_unexplained_run();
"""


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
