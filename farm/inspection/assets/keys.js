// The keys and buttons of the page.
"use strict";

inspection.listen = (page) => {
  const actions = {
    j: () => page.goInner(page.place + 1), ArrowDown: () => page.goInner(page.place + 1),
    k: () => page.goInner(page.place - 1), ArrowUp: () => page.goInner(page.place - 1),
    n: () => page.goOuter(page.outer.selected + 1), ArrowRight: () => page.goOuter(page.outer.selected + 1),
    p: () => page.goOuter(page.outer.selected - 1), ArrowLeft: () => page.goOuter(page.outer.selected - 1),
    o: () => page.nextOpen(),
    Enter: (shift) => page.confirm(page.grouped !== shift),
    c: (shift) => page.change(page.grouped && !shift),
    x: (shift) => page.reject(page.grouped && !shift),
    u: () => page.undo(), m: () => page.show(false), g: () => page.show(true), s: () => page.saving.open(),
    r: () => page.conflict.again(), b: () => by("batch").hidden || by("batch").click(),
    "?": () => by("keys").showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return; // a dialog's, which may have been closed by it
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.target.closest("button, a")) return; // its own
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event.shiftKey);
  });
  const buttons = {
    "by-model": "m", "by-name": "g", undo: "u", save: "s", unsaved: "r", help: "?", confirm: "Enter", change: "c", reject: "x",
  };
  for (const [id, key] of Object.entries(buttons)) {
    by(id).addEventListener("click", (event) => {
      if (event.detail) by(id).blur(); // whoever came by Tab stays where he is; after a click Enter confirms again
      actions[key](event.shiftKey);
    });
  }
  for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("keydown", (event) => keepWithin(dialog, event));
  by("keys-close").addEventListener("click", () => by("keys").close());
  addEventListener("resize", () => page.refresh());
};

/** Tab goes round in a dialog, and never to the browser's own buttons between its last and its first element. */
function keepWithin(dialog, event) {
  if (event.key !== "Tab") return;
  const stops = [...dialog.querySelectorAll("button, input, [tabindex='0']")].filter((one) => !one.disabled && one.checkVisibility());
  const place = stops.indexOf(document.activeElement), step = event.shiftKey ? -1 : 1;
  if (place >= 0 && stops[place + step]) return; // the browser's own way
  event.preventDefault();
  stops.at(event.shiftKey ? -1 : 0)?.focus();
}
