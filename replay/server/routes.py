"""The endpoints that Ollama has, and what it says of those it has not.

Read off ollama:server/routes.go@v0.33.0, answers measured on 0.24.0.
"""

from __future__ import annotations

from tonearm.replay.server.reply import Plain, text_reply

_GET, _POST, _HEAD_GET = ("GET",), ("POST",), ("HEAD", "GET")

_METHODS: dict[str, tuple[str, ...]] = {
    "/": _HEAD_GET,
    "/api/version": _HEAD_GET,
    "/api/tags": _HEAD_GET,
    "/api/status": _GET,
    "/api/ps": _GET,
    "/api/delete": ("DELETE",),
    "/api/experimental/model-recommendations": _GET,
    "/v1/models": _GET,
    **dict.fromkeys(
        (
            "/api/chat",
            "/api/copy",
            "/api/create",
            "/api/embed",
            "/api/embeddings",
            "/api/experimental/web_fetch",
            "/api/experimental/web_search",
            "/api/generate",
            "/api/me",
            "/api/pull",
            "/api/push",
            "/api/show",
            "/api/signout",
            "/v1/audio/transcriptions",
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/embeddings",
            "/v1/messages",
            "/v1/responses",
        ),
        _POST,
    ),
}
_FAMILIES: dict[str, tuple[str, ...]] = {
    "/api/blobs": ("HEAD", "POST"),
    "/api/user/keys": ("DELETE",),
    "/v1/models": _GET,
}
"""Methods of paths that are one name longer than the one given."""


def methods(path: str) -> tuple[str, ...] | None:
    """Return the methods of an endpoint, ``None`` where there is no such endpoint."""
    family, _, name = path.rpartition("/")
    return _METHODS.get(path) or (_FAMILIES.get(family) if name else None)


def turned_away(method: str, path: str) -> Plain | None:
    """Return what a request gets that no endpoint takes, ``None`` for any other request."""
    allowed = methods(path)
    if allowed is None:
        return _moved(method, path) or text_reply("404 page not found", 404)
    if method in allowed:
        return None
    return text_reply("405 method not allowed", 405, fields=(("Allow", ", ".join(allowed)),))


def _moved(method: str, path: str) -> Plain | None:
    """Return the redirect that a slash too many gets."""
    known = path.rstrip("/")
    if known == path or method not in (methods(known) or ()):
        return None
    if method == "GET":
        html = f'<a href="{known}">Moved Permanently</a>.\n\n'
        location = ("Location", known)
        return text_reply(html, 301, fields=(location,), kind="text/html; charset=utf-8")
    return Plain(status=307, fields=(("Location", known),))
