"""How forms are drawn: `{{ form }}` and `{{ field.as_field_group }}` use the shared partials."""

from __future__ import annotations

from django.forms.renderers import TemplatesSetting

__all__ = ["Renderer"]


class Renderer(TemplatesSetting):
    """Draws error summary, labels, help and errors with `templates/partials`."""

    form_template_name = "partials/fields.html"
    field_template_name = "partials/field.html"
