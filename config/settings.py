"""Every setting, driven by the environment; the README's table lists the variables."""

import secrets
from pathlib import Path
from typing import Any

import environ
import structlog
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config.revision import code_revision

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- services -------------------------------------------------------------------------------
LOCAL_DIR = Path(env.str("BECAUSE_LOCAL_DIR", default=str(BASE_DIR / ".local")))
IS_DATABASE_EMBEDDED = "DATABASE_URL" not in env.ENVIRON
IS_BROKER_EMBEDDED = "REDIS_URL" not in env.ENVIRON
IS_EMBEDDED = IS_DATABASE_EMBEDDED or IS_BROKER_EMBEDDED

if IS_EMBEDDED:
    from config.embedded import ensure_services

    _services = ensure_services(LOCAL_DIR, postgres=IS_DATABASE_EMBEDDED, valkey=IS_BROKER_EMBEDDED)
# Not written to the environment: our child processes would take it for a database that is not embedded.
DATABASE_URL = _services.database_url if IS_DATABASE_EMBEDDED else env.str("DATABASE_URL")
REDIS_URL = _services.redis_url if IS_BROKER_EMBEDDED else env.str("REDIS_URL")


def _secret_key() -> str:
    """From the environment; in embedded mode a random one is kept beside the data."""
    if "SECRET_KEY" in env.ENVIRON:
        return str(env.str("SECRET_KEY"))
    if not IS_DATABASE_EMBEDDED:
        raise ImproperlyConfigured("SECRET_KEY is not set. Give it 50 random characters that stay the same.")
    path = LOCAL_DIR / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = _secret_key()
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

_database: dict[str, Any] = env.db_url_config(DATABASE_URL, engine="django.db.backends.postgresql")
_database["OPTIONS"] = {**_database.get("OPTIONS", {}), "connect_timeout": 10}
if env.bool("DATABASE_POOL", default=False):  # the web process only: Celery's prefork closes a pool at every task
    _database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=10)}
else:
    _database["CONN_MAX_AGE"] = 60
    _database["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": _database}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# --- applications ---------------------------------------------------------------------------
INSTALLED_APPS = [
    "config",
    "explanations",
    "recommendations",
    "catalog",
    "config.admin_config.BecauseAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_structlog",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "config.context_processors.page",
            ]
        },
    }
]

# --- accounts -------------------------------------------------------------------------------
AUTH_USER_MODEL = "catalog.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1  # hours
AXES_LOCKOUT_TEMPLATE = "catalog/locked_out.html"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_IPWARE_PROXY_COUNT = env.int("NUM_PROXIES", default=0)

# --- security -------------------------------------------------------------------------------
IS_HTTPS = env.bool("HTTPS", default=not IS_DATABASE_EMBEDDED)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.int("NUM_PROXIES", default=0) else None
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- languages and time ---------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")

# --- static files ---------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
WHITENOISE_USE_FINDERS = IS_DATABASE_EMBEDDED  # the demo needs no collectstatic
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": LOCAL_DIR / "media"}},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if IS_DATABASE_EMBEDDED
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
    # Weights travel through this storage, so that trainer and server share no disk.
    "artifacts": {"BACKEND": env.str("ARTIFACT_STORAGE", default="recommendations.artifacts.PostgresStorage")},
}

# --- API ------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["catalog.api.authentication.PartnerKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["catalog.api.permissions.HasScope"],
    "DEFAULT_SCHEMA_CLASS": "catalog.api.schema.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["catalog.api.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["catalog.api.throttling.PartnerThrottle"],
    "DEFAULT_THROTTLE_RATES": {"partner": env.str("API_RATE", default="1000/min")},
    "EXCEPTION_HANDLER": "catalog.api.errors.exception_handler",
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "UNAUTHENTICATED_USER": None,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,  # a batch of 1,000 with one bad row names that row alone
}
API_MAX_BODY = env.int("API_MAX_BODY", default=10_000_000)  # bytes
SPECTACULAR_SETTINGS = {
    "TITLE": "Because",
    "DESCRIPTION": "Send products and events, fetch recommendations with the reason for each.",
    "VERSION": "1.0.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,  # what may be left out of a request is never missing from an answer
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_NAME_OVERRIDES": {
        "Absence": "explanations.api.codes.ABSENCES.items",
        "Band": "explanations.api.codes.BANDS.items",
        "Cause": "explanations.api.codes.CAUSES.items",
        "ErrorCode": "catalog.api.errors.MEANINGS.items",
        "NotUsed": "explanations.api.codes.NOT_USED.items",
        "Option": "explanations.api.codes.OPTIONS.items",
        "Placement": "recommendations.models.Placement",
        "ReasonType": "explanations.api.codes.REASON_TYPES.items",
        "Status": "explanations.api.codes.STATUSES.items",
        "Strength": "explanations.api.codes.STRENGTHS.items",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "catalog.api.schema.tell_limits",
    ],
}

# --- Celery ---------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Longer than the longest task: Redis would deliver it a second time. Recovery of a killed shard or
# training does not wait for this: leases and the reaper do that.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 24 * 3600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5  # seconds that a cold shutdown leaves to a running task
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {  # all others: default
    "recommendations.tasks.train": {"queue": "gpu"},
    "explanations.tasks.compute_shard": {"queue": "precompute"},
    "explanations.tasks.refresh_shoppers": {"queue": "realtime"},
    "explanations.tasks.answer": {"queue": "realtime"},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "config.beat:VisibleScheduler"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
DJANGO_STRUCTLOG_CELERY_ENABLED = True

# --- logs: JSON, ids only -------------------------------------------------------------------
LOG_FORMAT = env.str("LOG_FORMAT", default="console" if IS_DATABASE_EMBEDDED else "json")
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [structlog.processors.TimeStamper(fmt="iso"), structlog.stdlib.add_log_level],
        },
        "console": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.dev.ConsoleRenderer(
                colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            ),
            "foreign_pre_chain": [structlog.stdlib.add_log_level],
        },
    },
    "handlers": {"default": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["default"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        "django_structlog": {"level": env.str("REQUEST_LOG_LEVEL", default="WARNING")},
    },
}

# --- Because --------------------------------------------------------------------------------
REWRITING_URL = env.str("REWRITING_URL", default="")  # off where there is none
REWRITING_KEY = env.str("REWRITING_KEY", default="")
REWRITING_MODEL = env.str("REWRITING_MODEL", default="")
REWRITING_FOLDER = env.str("REWRITING_FOLDER", default="")  # a model on the worker's own disk, instead
if REWRITING_URL and REWRITING_FOLDER:
    raise ImproperlyConfigured("REWRITING_URL and REWRITING_FOLDER are both set. Unset one.")
REWRITING_SECONDS = env.float("REWRITING_SECONDS", default=20)
SHOP_NAME = env.str("SHOP_NAME", default="Because")
PAGE_TITLE_SUFFIX = _("recommendations with a reason")
TEXT_ENCODER = env.str("TEXT_ENCODER", default="")  # of titles and descriptions; empty: none
TRAINING_DEVICE = env.str("TRAINING_DEVICE", default="auto")
TRAINING_PROCESSES = env.int("TRAINING_PROCESSES", default=0)  # 0: one for each GPU, one on a CPU
TRAINING_CONFIG = env.json("TRAINING_CONFIG", default={})  # of trainings that are not told otherwise
CODE_REVISION = env.str("CODE_REVISION", default=code_revision(BASE_DIR))  # recorded with every training
# Composition: what the catalogue asks for when a shopper's history changed. It knows the name only.
SHOPPERS_CHANGED_TASK = "explanations.tasks.refresh_shoppers"
SHOPPERS_CHANGED_QUEUE = "realtime"
# And what forgets, in the same transaction, what is taken out of a shopper's history.
HISTORY_WITHDRAWN = "explanations.withdrawal.withdraw"
SHOPPER_ERASED = "explanations.recounts.ask"  # before the rows of one who is erased are gone
# Likewise what computes a shard, and what follows when another run goes live.
SHARD_TASK = "explanations.tasks.compute_shard"
SHARD_QUEUE = "precompute"
RUN_PUBLISHED = "explanations.recounts.reopen"  # in the transaction that publishes
RUN_PUBLISHED_TASK = "explanations.tasks.refresh_stale"
RUN_PUBLISHED_QUEUE = "default"
VERSION_GUARDS = ["explanations.checks.gate_of"]  # each gets a trained version and adds its checks to the gate
PUBLISH_GUARDS = ["explanations.publishing.obstacles"]  # each gets the run and says what speaks against it
# A killed worker's training or shard is free for another one after so long.
LEASE_SECONDS = env.float("LEASE_SECONDS", default=30)
