"""One HTML page over the models of a collection: a row a model, its morphs and warnings behind it. Needs no server."""

import html
from collections.abc import Sequence

from farm.models.inventory import Inventory
from farm.poses import MANY_TARGETS, has_many
from farm.wording import counted

_HEADINGS = ("model", "format", "title", "vertices", "morphs", "targets", "samples", "neck, head", "textures", "notes")


def overview_page(found: Sequence[tuple[str, Inventory]], refused: Sequence[tuple[str, str]]) -> str:
    """The page's HTML. `found` are (path, inventory), `refused` are (path, reason)."""
    rows = "\n".join(_rows(path, inventory) for path, inventory in found)
    bad = "\n".join(f"<li><code>{_safe(path)}</code>: {_safe(reason)}</li>" for path, reason in refused)
    full = sum(has_many(inventory.target_morphs) for _, inventory in found)
    many = f"{full} of them with more than {MANY_TARGETS} target morphs"
    summary = f"{counted(len(found), 'model')}, {many}; {counted(len(refused), 'file')} refused."
    return _PAGE.format(
        summary=summary,
        headings="".join(f"<th>{heading}</th>" for heading in _HEADINGS),
        rows=rows,
        refused=f"<h2>Refused</h2><ul>{bad}</ul>" if refused else "",
    )


def _safe(value: object) -> str:
    return html.escape(str(value))


def _rows(path: str, inventory: Inventory) -> str:
    textures = len(inventory.textures_found) + len(inventory.textures_absent)
    cells = (
        f"<code>{_safe(path)}</code>",
        _safe(inventory.format),
        _safe(inventory.title),
        inventory.vertices,
        len(inventory.morphs),
        inventory.target_morphs,
        inventory.samples,
        f"{_safe(inventory.neck)}, {_safe(inventory.head)}<br><small>{_safe(inventory.bone_rule)}</small>",
        f"{len(inventory.textures_found)} of {textures}",
        _details(inventory),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _details(inventory: Inventory) -> str:
    warnings = "".join(f"<li>{_safe(warning)}</li>" for warning in inventory.warnings)
    morphs = "".join(
        f"<tr><td>{m.index}</td><td>{_safe(m.name)}</td><td>{_safe(m.kind)}</td><td>{_safe(m.panel)}</td><td>{m.moved}</td>"
        f"<td>{_safe(m.proposal or '')}</td><td>{'' if m.confidence is None else f'{m.confidence:.2f}'}</td>"
        f"<td>{_safe('; '.join(m.reasons))}</td></tr>"
        for m in inventory.morphs
    )
    licence = "".join(f"<li>{_safe(key)}: {_safe(value)}</li>" for key, value in inventory.licence.items())
    return (
        (
            f"<details class=warn><summary>{counted(len(inventory.warnings), 'warning')}</summary><ul>{warnings}</ul>"
            "</details>"
            if warnings
            else ""
        )
        + (
            f"<details><summary>comment, licence</summary><pre>{_safe(inventory.comment)}</pre><ul>{licence}</ul></details>"
        )
        + (
            f"<details><summary>{counted(len(inventory.morphs), 'morph')}</summary><table><tr><th>index</th><th>morph</th>"
            "<th>type</th>"
            f"<th>panel</th><th>moves</th><th>target</th><th>sure</th><th>reasons</th></tr>{morphs}</table></details>"
            if inventory.morphs
            else ""
        )
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Facefarm: a collection</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 2rem; color: #282c34; }}
table {{ border-collapse: collapse; }} td, th {{ text-align: left; vertical-align: top; padding: .25rem .7rem; }}
body > table > tbody > tr {{ border-top: 1px solid #dde; }} .warn {{ color: #a50; }}
td:last-child {{ min-width: 14rem; }} td:nth-child(2) {{ white-space: nowrap; }}
pre {{ white-space: pre-wrap; max-width: 40rem; }} small {{ color: #778; }}
</style></head><body><h1>A collection of models</h1><p>{summary}</p>
<table><thead><tr>{headings}</tr></thead><tbody>
{rows}
</tbody></table>
{refused}
</body></html>
"""
