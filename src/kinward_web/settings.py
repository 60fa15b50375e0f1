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
| `KINWARD_PROXY` | address of the reverse proxy that adds TLS; its `X-Forwarded-*` are believed |
| `KINWARD_TIME_ZONE` | time zone of the pages |

Limits on wrong passwords and codes are counted in the cache: in memory with SQLite, where one
process serves, and in the database's own table with PostgreSQL, where several may.
"""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from kinward_web.secrets import read_or_make_secret

PACKAGE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("KINWARD_HOME", Path.home() / ".kinward"))
DEMO = os.environ.get("KINWARD_DEMO") == "1"
INSECURE_HTTP = os.environ.get("KINWARD_INSECURE_HTTP") == "1"
COUNTRY = os.environ.get("KINWARD_COUNTRY", "cn")

DEBUG = False
SECRET_KEY = os.environ.get("KINWARD_SECRET_KEY") or read_or_make_secret(HOME / "secret.key")
ALLOWED_HOSTS = os.environ.get("KINWARD_HOSTS", "127.0.0.1,localhost").split(",")
if (DEMO or INSECURE_HTTP) and not set(ALLOWED_HOSTS) <= {"127.0.0.1", "localhost", "[::1]"}:
    raise ImproperlyConfigured(
        "KINWARD_DEMO and KINWARD_INSECURE_HTTP are for this machine alone: unset KINWARD_HOSTS"
    )

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "kinward_web.audit",
    "kinward_web.accounts",
    "kinward_web.registry",
    "kinward_web.casework",
    "kinward_web.public",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "kinward_web.middleware.security_headers",
    "allauth.account.middleware.AccountMiddleware",
    # Every page asks for a login unless its view says `@login_not_required`.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "kinward_web.middleware.actor_middleware",
    "kinward_web.middleware.RefusalMiddleware",
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
                "kinward_web.context.shell",
            ],
            "libraries": {"kinward": "kinward_web.templatetags.kinward"},
            "builtins": ["kinward_web.templatetags.kinward"],
        },
    }
]
FORM_RENDERER = "kinward_web.forms.Renderer"


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
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "kinward_cache",
    }
    if os.environ.get("DATABASE_URL")
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# ---------------------------------------------------------------- sign-in
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {"user_attributes": ("email", "full_name")}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_RESET_TIMEOUT = 24 * 3600
ACCOUNT_ADAPTER = "kinward_web.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "30/m/ip,5/5m/key",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    # Case number and PIN of a family, and other short secrets: `kinward_web.limits`.
    "pin": "20/m/ip,5/15m/key",
}
MFA_ADAPTER = "kinward_web.accounts.adapters.SecondFactorAdapter"
ACCOUNT_FORMS = {"login": "kinward_web.accounts.forms.SignInForm"}
MFA_FORMS = {
    "activate_totp": "kinward_web.accounts.forms.ActivateForm",
    "authenticate": "kinward_web.accounts.forms.CodeForm",
    "reauthenticate": "kinward_web.accounts.forms.FreshCodeForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = INSECURE_HTTP
MFA_TOTP_ISSUER = "Kinward"
# A telephone's clock may be 30 s off; `accounts.forms` refuses a code that was used before.
MFA_TOTP_TOLERANCE = 1
# No mail is sent: an administrator hands out the links for new passwords.
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# ---------------------------------------------------------------- sessions and cookies
SESSION_COOKIE_AGE = 30 * 60
"""Seconds without a request after which a session ends; `SESSION_LONGEST` bounds it in all."""
SESSION_LONGEST = 10 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = False
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_HTTP
# The prefix makes browsers refuse such a cookie from elsewhere; it needs TLS.
SESSION_COOKIE_NAME = "kinward" if INSECURE_HTTP else "__Host-kinward"
CSRF_COOKIE_NAME = "kinward-csrf" if INSECURE_HTTP else "__Host-kinward-csrf"
CSRF_FAILURE_VIEW = "kinward_web.error_pages.csrf_failure"

# ---------------------------------------------------------------- transport and content
SECURE_SSL_REDIRECT = not INSECURE_HTTP
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else 2 * 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
        "worker-src": [SELF],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "中文"), ("vi", "Tiếng Việt")]
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = not INSECURE_HTTP
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = os.environ.get("KINWARD_TIME_ZONE", "Asia/Shanghai")

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [PACKAGE / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "kinward_web.static_files.Storage"},
}
WHITENOISE_MAX_AGE = 60
WHITENOISE_ALLOW_ALL_ORIGINS = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
