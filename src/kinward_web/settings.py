"""Settings of the web application, read from the environment.

| variable | meaning |
| --- | --- |
| `KINWARD_HOME` | folder of the database, documents and keys (default `~/.kinward`) |
| `DATABASE_URL` | `postgres://…` for an agency; without it SQLite in `KINWARD_HOME` |
| `KINWARD_DATABASE_ROLE` | PostgreSQL role that the application assumes; it owns no table |
| `KINWARD_SECRET_KEY` | signs sessions; made and kept in `KINWARD_HOME` if absent |
| `KINWARD_HOSTS` | host names that are served, separated by commas |
| `KINWARD_COUNTRY` | policy file in force: `cn`, `vn` or another in `rules/policies` |
| `KINWARD_DEMO` | `1` shows that all data is synthetic and prints the logins |
| `KINWARD_INSECURE_HTTP` | `1` allows cookies without TLS, for a demo on this machine alone |
"""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

from kinward_web.secrets import read_or_make_secret

PACKAGE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("KINWARD_HOME", Path.home() / ".kinward"))
DEMO = os.environ.get("KINWARD_DEMO") == "1"
INSECURE_HTTP = os.environ.get("KINWARD_INSECURE_HTTP") == "1"
COUNTRY = os.environ.get("KINWARD_COUNTRY", "cn")

DEBUG = False
SECRET_KEY = os.environ.get("KINWARD_SECRET_KEY") or read_or_make_secret(HOME / "secret.key")
ALLOWED_HOSTS = os.environ.get("KINWARD_HOSTS", "127.0.0.1,localhost").split(",")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "kinward_web.audit",
    "kinward_web.accounts",
    "kinward_web.registry",
    "kinward_web.casework",
    "kinward_web.public",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "kinward_web.urls"
WSGI_APPLICATION = "kinward_web.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]


def _database() -> dict[str, object]:
    url = os.environ.get("DATABASE_URL")
    if url:
        database = dict(dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True))
        role = os.environ.get("KINWARD_DATABASE_ROLE")
        if role:
            database["OPTIONS"] = {"assume_role": role}
        return database
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": HOME / "kinward.sqlite3",
        "OPTIONS": {
            # Writers queue instead of failing when two transactions would upgrade their locks.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            ),
        },
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "中文"), ("vi", "Tiếng Việt")]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = os.environ.get("KINWARD_TIME_ZONE", "Asia/Shanghai")

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [PACKAGE / "static"]
