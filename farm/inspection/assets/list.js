// A list of any length of which only the rows in sight are in the page.
"use strict";

inspection.List = class {
  #rows = new Map();

  /** `fill(row, number)` writes row `number` into the element `row`; `picked(number)` is called for a click. */
  constructor(box, height, fill, picked = () => {}) {
    Object.assign(this, { box, height, fill, picked, length: 0, selected: 0 });
    this.space = document.createElement("div");
    this.space.className = "space";
    box.replaceChildren(this.space);
    box.tabIndex = 0;
    box.addEventListener("scroll", () => this.#show(false));
    new ResizeObserver(() => this.#show(false)).observe(box);
    this.space.addEventListener("click", (event) => {
      const row = event.target.closest("[data-number]");
      if (row) this.picked(Number(row.dataset.number));
    });
  }

  /** Show `length` rows anew, with this one selected and in sight. */
  reset(length, selected = 0) {
    this.length = length;
    this.space.style.height = `${length * this.height}px`;
    this.select(selected);
  }

  /** There are more rows than before; the same is selected. */
  grow(length) {
    this.length = length;
    this.space.style.height = `${length * this.height}px`;
    this.#show(true);
  }

  /** Select a row, bring it into sight, and write all rows in sight anew. */
  select(number) {
    this.selected = Math.max(0, Math.min(number, this.length - 1));
    const top = this.selected * this.height, room = this.box.clientHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + this.height > this.box.scrollTop + room) this.box.scrollTop = top + this.height - room;
    this.#show(true);
  }

  /** Write the rows in sight anew. */
  refresh() { this.#show(true); }

  #show(anew) {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 2);
    const last = Math.min(this.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + 2);
    for (const [number, row] of this.#rows) {
      if (number < first || number >= last) { row.remove(); this.#rows.delete(number); }
    }
    for (let number = first; number < last; number++) {
      let row = this.#rows.get(number);
      if (row && !anew) continue;
      if (!row) {
        row = document.createElement("div");
        row.className = "row";
        row.id = `${this.box.id}-${number}`;
        row.dataset.number = number;
        row.style.top = `${number * this.height}px`;
        row.style.height = `${this.height}px`;
        row.setAttribute("role", this.box.getAttribute("role") === "listbox" ? "option" : "listitem");
        this.#rows.set(number, row);
        this.space.append(row);
      }
      row.setAttribute("aria-selected", String(number === this.selected));
      row.setAttribute("aria-setsize", this.length);
      row.setAttribute("aria-posinset", number + 1);
      this.fill(row, number);
    }
    this.box.setAttribute("aria-activedescendant", `${this.box.id}-${this.selected}`);
  }
};

/** A row with two lines: what it is, and below what becomes of it. */
function fill(row, title, reading, below, state, done, against = "") {
  let text = row.querySelector(".text");
  if (!text) {
    text = document.createElement("div");
    text.className = "text";
    text.append(...["bdi", "small", "span", "b"].map((tag) => document.createElement(tag)));
    row.append(text);
  }
  const values = [title, reading, against ? `${below}: but ${against}` : below, state];
  values.forEach((value, number) => { text.children[number].textContent = value; });
  row.classList.toggle("done", done);
  row.classList.toggle("against", Boolean(against));
}
