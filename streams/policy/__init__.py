"""The policy: its loading, checking, content and compliance windows."""
