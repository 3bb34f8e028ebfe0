// The dialog in which a target is chosen by typing some of its letters.
"use strict";

inspection.Picker = class {
  constructor(targets) {
    this.targets = targets;
    by("picker-text").addEventListener("input", () => this.#filter());
    by("picker-text").addEventListener("keydown", (event) => this.#key(event));
    by("picker-list").addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) this.#close(Number(row.dataset.target));
    });
    by("picker").addEventListener("close", () => this.settle?.(undefined));
  }

  /** The number of the chosen target, or undefined. */
  choose(name) {
    by("picker").setAttribute("aria-label", `Choose the target of ${name}`);
    by("picker-text").value = "";
    by("picker").showModal();
    this.#filter();
    return new Promise((resolve) => { this.settle = resolve; });
  }

  #filter() {
    const words = by("picker-text").value.toLowerCase().split(/[\s/]+/).filter(Boolean);
    // Beginnings of words, so that "mouth u" is not mouth/a as well.
    const fits = (parts) => words.every((word) => parts.some((part) => part.startsWith(word)));
    this.found = this.targets.flatMap(({ name }, number) => (fits([...name.split(/[/_]/), ...name.split("/")]) ? [number] : []));
    this.selected = 0;
    by("picker-note").textContent = this.found.length ? "" : "No target is called so: take letters back, or Escape leaves the target as it is.";
    this.#show();
  }

  #show() {
    by("picker-list").replaceChildren(...this.found.map((target, number) => {
      const row = document.createElement("li");
      row.textContent = this.targets[target].name + (this.targets[target].sampled ? "" : " (not sampled)");
      row.dataset.target = target;
      row.id = `picker-${target}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(number === this.selected));
      return row;
    }));
    const chosen = by("picker-list").children[this.selected];
    chosen?.scrollIntoView({ block: "nearest" });
    by("picker-text").setAttribute("aria-activedescendant", chosen?.id ?? "");
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.selected = Math.max(0, Math.min(this.selected + step, this.found.length - 1));
      this.#show();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.found.length) this.#close(this.found[this.selected]);
    }
  }

  #close(target) {
    const settle = this.settle;
    this.settle = undefined;
    by("picker").close();
    settle?.(target);
  }
};
