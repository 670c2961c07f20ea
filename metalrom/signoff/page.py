"""A sign-off as one self-contained HTML page: the table that the terminal shows, the drawn tile, what was assumed."""

from pathlib import Path

from markupsafe import Markup

from interconnect.files import atomic_write_text
from metalrom.layout.files import NOT_DRAWN
from metalrom.layout.picture import plane_top_view
from metalrom.reports.html import page_environment
from metalrom.signoff.other_extractors import PART_BOUND, TOTAL_BOUND
from metalrom.signoff.report import sign_off_rows, verdict
from metalrom.signoff.signoff import LEVEL_BOUND, RELATIVE_BOUND, SignOffResult

TEMPLATE = "signoff.html.j2"


def write_sign_off_page(result: SignOffResult, path: Path, name: str) -> Path:
    """Write the page. name: of the configuration. Raises InputError if it cannot be written."""
    return atomic_write_text(path, sign_off_page(result, name))


def sign_off_page(result: SignOffResult, name: str) -> str:
    """The page as text: inline SVG and CSS, no script, no network."""
    plan = result.plan
    return page_environment(TEMPLATE).get_template(TEMPLATE).render(
        name=name,
        layout=result.layout.name,
        cells=plan.cells,
        kind=plan.kind,
        stack=plan.stack.name,
        verdict=verdict(result),
        failures=result.failures,
        rows=sign_off_rows(result),
        picture=Markup(plane_top_view(plan, result.shapes)),  # noqa: S704 - written by this package, escaped
        assumptions=sign_off_assumptions(result),
    )  # fmt: skip


def sign_off_assumptions(result: SignOffResult) -> tuple[str, ...]:
    """What the verdict rests on beside the checks: layer numbers, warnings of the stack, bounds, what is left out."""
    plan = result.plan
    return (
        f"Layer numbers ({plan.layers.status}): {plan.layers.source}.",
        *(["Datatype of resistor plugs: assumption, no kit has them."] if plan.kind == "res_via" else []),
        *plan.stack.warnings,
        f"Elements of the drawn cell may differ by {100 * RELATIVE_BOUND:g} % from the configured ones, levels by "
        f"{LEVEL_BOUND:g} LSB.",
        f"Values of other extractors may differ from the drawn cell's by {100 * TOTAL_BOUND:g} % for a whole bit line, "
        f"by {100 * PART_BOUND:g} % for its part to row lines and for a row line.",
        f"Not checked: {'; '.join(result.own.not_checked)}.",
        f"Not drawn: {'; '.join(NOT_DRAWN)}.",
    )
