"""Ask the running shop for every page and endpoint once, as a visitor, a shopper, staff and a partner."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import CookieJar

from django.contrib import admin
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern

from catalog.models import Product, Shopper, User
from config.demo import accounts
from config.demo.programs import HOST
from explanations.services import recommendations_for
from recommendations.models import Placement

API = "api/"
LANGUAGES = ("en", "zh-hans")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
# What an address answers to GET when it works: a form's target takes POST only.
FINE = {*range(200, 300), 405}


class Visitor:
    """Someone who asks, with cookies, a language, and perhaps a key."""

    def __init__(self, *, port: int, name: str, headers: Mapping[str, str]) -> None:
        self.name = name
        self._base = f"http://{HOST}:{port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._opener.addheaders = list(headers.items())

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> tuple[int, str]:
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(self._base + path, data=data)  # noqa: S310  always http
        try:
            with self._opener.open(request, timeout=30) as response:
                return response.status, response.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def sign_in(self, path: str, *, username: str, password: str) -> bool:
        """Fill in the form at `path`; the page after it no longer asks for a password."""
        token = TOKEN.search(self.ask(path)[1])
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
        status, page = self.ask(path, form)
        return status in FINE and 'type="password"' not in page


def check_everything(*, port: int, say: Callable[[str], None]) -> list[str]:
    """What did not answer as it should; empty when all is well."""
    problems: list[str] = []
    asked = 0
    for visitor, path in _requests(port, problems):
        status, body = visitor.ask(path)
        asked += 1
        if status not in FINE:
            problems.append(f"{path} answered {status} to {visitor.name}")
        elif (
            path.startswith("/api/v1/shoppers/")
            and path.endswith(f"?placement={Placement.HOME}")
            and not _is_personal(body)
        ):
            problems.append(f"{path} shows no recommendation of the shopper's own")
    say(f"Checked {asked} addresses: " + (f"{len(problems)} problems" if problems else "all answer"))
    return problems


def _is_personal(body: str) -> bool:
    """Recommendations for this shopper alone, each with the status of its explanation."""
    answer = json.loads(body)
    shown = answer["recommendations"]
    return bool(answer["is_personal"] and shown and all(each["explanation"]["status"] for each in shown))


def _requests(port: int, problems: list[str]) -> Iterator[tuple[Visitor, str]]:
    known = accounts.read()
    regular = accounts.PERSONAS[0].username
    account = Shopper.objects.get(user=User.objects.get(username=regular))
    for language in LANGUAGES:
        visitor = Visitor(port=port, name=f"a visitor ({language})", headers={"Accept-Language": language})
        shopper = Visitor(port=port, name=f"a shopper ({language})", headers={"Accept-Language": language})
        staff = Visitor(port=port, name=f"staff ({language})", headers={"Accept-Language": language})
        if not shopper.sign_in(reverse("sign_in"), username=regular, password=known[regular]):
            problems.append(f"{regular} cannot sign in ({language})")
        if not staff.sign_in(reverse("admin:login"), username=accounts.STAFF, password=known[accounts.STAFF]):
            problems.append(f"{accounts.STAFF} cannot sign in to the admin ({language})")
        for who, samples in ((visitor, _samples(None)), (shopper, _samples(account))):
            for path in _paths(samples, problems, is_api=False):
                yield who, path
        for path in _admin_paths():
            yield staff, path
    partner = Visitor(port=port, name="a partner", headers={"Authorization": f"Bearer {known[accounts.KEY]}"})
    samples = _samples(account)
    for path in _paths(samples, problems, is_api=True):
        if path.endswith("/recommendations"):
            yield partner, f"{path}?placement={Placement.HOME}"
            yield partner, f"{path}?placement={Placement.BUY_AGAIN}"
            yield partner, f"{path}?placement={Placement.PRODUCT}&product={urllib.parse.quote(samples['external_id'])}"
        else:
            yield partner, path


def _samples(shopper: Shopper | None) -> dict[str, str]:
    """A value for every parameter that stands in an address, such that this shopper may see it."""
    product = Product.objects.recommendable().order_by("pk")[0]
    shown = recommendations_for(shopper=shopper, placement=Placement.HOME).items
    return {
        "shoppers/external_id": shopper.external_id if shopper else "",
        "external_id": product.external_id,
        "product": product.external_id,
        "placement": Placement.HOME,
        "recommendation_id": shown[0].id if shown else "none-is-shown",
    }


def _paths(samples: Mapping[str, str], problems: list[str], *, is_api: bool) -> Iterator[str]:
    """Every address outside the admin with its parameters filled in; what cannot be filled in is a problem."""
    for route in _routes(get_resolver(), ""):
        if route.startswith("admin/") or route.startswith(API) is not is_api:
            continue
        kind = "shoppers/" if "shoppers/" in route else ""
        values = {name: samples.get(kind + name) or samples.get(name, "") for name in PARAMETER.findall(route)}
        missing = [name for name, value in values.items() if not value]
        if missing:
            problems.append(f"/{route} is not checked: no sample of {', '.join(missing)}")
            continue
        yield "/" + PARAMETER.sub("{\\1}", route).format_map(
            {name: urllib.parse.quote(values[name]) for name in values}
        )


def _routes(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if not isinstance(pattern.pattern, RoutePattern):
            continue  # catch-alls
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _routes(pattern, route)


def _admin_paths() -> Iterator[str]:
    """The index, every list, and the first row of each."""
    yield reverse("admin:index")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        try:
            yield reverse(f"{name}_changelist")
        except NoReverseMatch:  # a proxy that shows no list
            continue
        first = model._default_manager.order_by("pk").first()
        if first is not None:
            yield reverse(f"{name}_change", args=[first.pk])
