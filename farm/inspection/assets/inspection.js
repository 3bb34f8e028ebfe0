// The page: two lists and the pictures, by models or by names, and the keys.
"use strict";

inspection.start = async (collection) => {
  const backend = new inspection.LocalBackend();
  const store = new inspection.Store(collection, backend);
  await store.open();
  inspection.page = new inspection.Page(collection, store, new inspection.Pictures(backend));
};

const ROW = 46; // pixels a row
const SIDES = { left: ", on the character's left", right: ", on the character's right", both: ", on both sides", "": "" };
const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

inspection.Page = class {
  grouped = false; // the left list: models, or names
  at = { models: 0, names: 0 }; // the selected row of the left list in either view
  place = 0; // the selected row of the middle list

  constructor(collection, store, pictures) {
    Object.assign(this, { collection, store, pictures });
    this.canvases = Object.fromEntries(["neutral", "applied", "difference", "before", "after"].map((id) => [id, by(id)]));
    this.outer = new inspection.List(by("outer"), ROW, (row, number) => this.#fillOuter(row, number), (number) => this.goOuter(number));
    this.inner = new inspection.List(by("inner"), ROW, (row, number) => this.#fillInner(row, number), (number) => this.goInner(number));
    this.picker = new inspection.Picker(collection.targets);
    this.saving = new inspection.List(by("saving-list"), ROW, (row, number) => this.#fillSaving(row, number));
    store.watch(() => this.#refresh());
    this.#listen();
    this.show(false);
  }

  // What is selected.

  get model() { return this.collection.models[this.grouped ? this.use.model : this.at.models]; }
  get name() { return this.collection.names[this.grouped ? this.collection.byCount[this.at.names] : this.morph.named]; }
  get uses() { return this.collection.names[this.collection.byCount[this.at.names]].uses; }
  get use() { return this.grouped ? this.uses[this.place] : { model: this.at.models, place: this.place }; }
  get morph() { return this.collection.morph(this.use); }

  // Moving about.

  show(grouped) {
    this.grouped = grouped;
    by("by-model").setAttribute("aria-pressed", String(!grouped));
    by("by-name").setAttribute("aria-pressed", String(grouped));
    const length = grouped ? this.collection.names.length : this.collection.models.length;
    by("outer-title").textContent = counted(length, grouped ? "name" : "model");
    this.outer.reset(length);
    this.goOuter(grouped ? this.at.names : this.at.models);
  }

  goOuter(number, place = 0) {
    this.outer.select(number);
    this.at[this.grouped ? "names" : "models"] = this.outer.selected;
    const length = this.grouped ? this.uses.length : this.collection.models[this.at.models].morphs.length;
    this.place = Math.max(0, Math.min(place, length - 1));
    this.inner.reset(length, this.place);
    this.#showMorph();
  }

  goInner(number) {
    this.inner.select(number);
    this.place = this.inner.selected;
    this.#showMorph();
  }

  /** The next row of the middle list, or the next of the left one. */
  next() {
    if (this.place + 1 < this.inner.length) this.goInner(this.place + 1);
    else if (this.outer.selected + 1 < this.outer.length) this.goOuter(this.outer.selected + 1);
  }

  /** The next morph that nobody decided about, after this one. */
  nextOpen() {
    const length = this.outer.length;
    for (let step = 0; step <= length; step++) {
      const outer = (this.outer.selected + step) % length;
      const uses = this.#usesOf(outer);
      const place = uses.findIndex((use, number) =>
        this.collection.morph(use).decided === undefined && (step > 0 || number > this.place));
      if (place < 0) continue;
      if (step > 0) this.goOuter(outer, place);
      else this.goInner(place);
      return;
    }
    this.say("Nothing is open.");
  }

  #usesOf(outer) {
    if (this.grouped) return this.collection.names[this.collection.byCount[outer]].uses;
    return this.collection.models[outer].morphs.map((_, place) => ({ model: outer, place }));
  }

  // Deciding. `wide`: for all models with this name, or for all that is open in this model.

  async confirm(wide) {
    if (!this.inner.length) return;
    if (wide && this.grouped) return this.#decideAll(this.collection.proposalOf(this.name));
    if (wide) {
      const outcome = this.collection.outcome(this.model);
      const changes = this.model.morphs.flatMap((morph, place) =>
        morph.decided === undefined ? [{ model: this.model.number, place, target: outcome[place] }] : []);
      await this.#make(changes, `${counted(changes.length, "morph")} of ${this.model.name} confirmed.`);
      return this.goOuter(this.outer.selected + 1);
    }
    return this.#give(this.collection.outcome(this.model)[this.use.place]);
  }

  async reject(wide) {
    if (this.inner.length) await (wide && this.grouped ? this.#decideAll(inspection.NONE) : this.#give(inspection.NONE));
  }

  async change(wide) {
    if (!this.inner.length) return;
    const target = await this.picker.choose(this.name.name);
    if (target !== undefined) await (wide && this.grouped ? this.#decideAll(target) : this.#give(target));
  }

  async #give(target) {
    await this.#make(this.collection.giving(this.use, target), `${this.name.name}: ${this.#title(target)}.`);
    this.next();
  }

  async #decideAll(target) {
    const { changes, exceptions } = this.collection.givingAll(this.name, target);
    const left = exceptions.length ? ` Left open: ${counted(exceptions.length, "exception")}, the first because it ${this.collection.objection(exceptions[0], target) || "has its name twice in the model"}.` : "";
    await this.#make(changes, `${this.name.name}: ${this.#title(target)}, in ${counted(changes.length, "model")}.${left}`);
    this.goOuter(this.outer.selected + 1);
  }

  async undo() {
    const first = await this.#kept(() => this.store.undo());
    if (!first) return this.say("There is nothing to undo.");
    if (!this.grouped) this.goOuter(first.model, first.place);
    else {
      const number = this.collection.byCount.indexOf(this.collection.morph(first).named);
      const uses = this.#usesOf(number);
      this.goOuter(number, uses.findIndex((use) => use.model === first.model && use.place === first.place));
    }
    this.#refresh();
    return this.say("Taken back.");
  }

  async #make(changes, said) {
    this.say(said);
    await this.#kept(() => this.store.decide(changes));
    this.#refresh();
  }

  /** What `work` gives; when the browser has no room for a decision, that is said. */
  async #kept(work) {
    try {
      return await work();
    } catch (error) {
      this.say(`This could not be kept (${error.message}): save the mapping now, and make room in the browser's storage.`);
      return undefined;
    }
  }

  // Showing.

  say(text) { by("status").textContent = text; }

  #title(target) { return target >= 0 ? this.collection.targets[target].name : "plays nothing"; }

  #refresh() {
    this.outer.refresh();
    this.inner.refresh();
    this.#showMorph();
  }

  #fillOuter(row, number) {
    const uses = this.#usesOf(number);
    const done = uses.reduce((sum, use) => sum + (this.collection.morph(use).decided !== undefined), 0);
    if (this.grouped) {
      const { name, reading, panel } = this.collection.names[this.collection.byCount[number]];
      const proposal = this.#title(this.collection.proposalOf(this.collection.names[this.collection.byCount[number]]));
      fill(row, name, reading, `${panel === "*" ? "" : `${panel}, `}${proposal}`, `${done} / ${uses.length}`, done === uses.length);
    } else {
      const model = this.collection.models[number];
      const { count, samples } = this.collection.samples(model);
      fill(row, model.name, "", `${count} targets: ${samples} samples`, `${done} / ${uses.length}`, done === uses.length);
    }
  }

  #fillInner(row, number) {
    const use = this.grouped ? this.uses[number] : { model: this.at.models, place: number };
    const model = this.collection.models[use.model], morph = model.morphs[use.place];
    const target = this.collection.outcome(model)[use.place];
    const against = morph.decided === undefined ? this.collection.objection(use, target) : "";
    const { name, reading } = this.collection.names[morph.named];
    const state = morph.decided === undefined ? (target < 0 ? "" : "proposed") : "✓";
    if (this.grouped) fill(row, model.name, "", this.#title(target), state, morph.decided !== undefined, against);
    else fill(row, name, reading, this.#title(target), state, morph.decided !== undefined, against);
    this.#thumbnail(row, model.id, morph.index);
  }

  async #thumbnail(row, id, index) {
    const wanted = `${id}/${index}`;
    let canvas = row.querySelector("canvas");
    if (!canvas) row.prepend(canvas = document.createElement("canvas"));
    if (canvas.dataset.shows === wanted) return;
    canvas.dataset.shows = wanted;
    canvas.width = 0;
    await new Promise((resolve) => setTimeout(resolve, 120)); // rows that only pass by fetch nothing
    if (canvas.dataset.shows !== wanted || !canvas.isConnected) return;
    try {
      const shown = await this.pictures.of(id);
      if (canvas.dataset.shows === wanted) this.pictures.thumbnail(canvas, shown, shown.morphs.get(index));
    } catch { /* the large pictures say what is wrong */ }
  }

  #showMorph() {
    const { decided } = this.store, { total } = this.collection;
    by("progress").value = total ? decided / total : 0;
    by("progress-text").textContent = `${decided} of ${total} decided`;
    by("inner-title").textContent = this.grouped ? `${this.name.name}: ${counted(this.inner.length, "model")}` : this.model.name;
    const empty = !this.inner.length;
    by("shown").hidden = empty;
    if (empty) return by("inner-note").textContent = "No morph of this model moves anything.";
    const { count, samples } = this.collection.samples(this.model);
    by("inner-note").textContent = `${this.grouped ? `${this.model.name}: ` : ""}${count} target morphs: ${samples} samples (more than ${this.collection.rule.many}: ${this.collection.rule.samples_many}, else ${this.collection.rule.samples_few})`;
    const { morph, name } = this;
    by("morph-name").textContent = name.name;
    by("morph-reading").textContent = name.reading;
    const target = this.collection.outcome(this.model)[this.use.place];
    const against = this.collection.objection(this.use, target);
    const sure = morph.confidence == null ? "" : `, confidence ${Math.round(morph.confidence * 100)} %`;
    by("verdict").textContent = morph.decided !== undefined ? `Decided: ${this.#title(target)}.`
      : target < 0 ? "Not proposed for any target." : `Proposed: ${this.#title(target)}${sure}.${against ? ` But it ${against}.` : ""}`;
    by("verdict").className = against && morph.decided === undefined ? "against" : morph.decided !== undefined ? "done" : "";
    by("hint").textContent = this.grouped
      ? "Decides for all models whose picture does not speak against it; with Shift for this model alone."
      : "Shift + Enter confirms all that is open in this model.";
    this.#showPictures();
    return undefined;
  }

  async #showPictures() {
    const { morph, model } = this;
    const current = () => this.inner.length && this.morph === morph;
    for (const id of ["morph-facts", "effect"]) by(id).textContent = "\u00a0";
    by("reasons").replaceChildren();
    try {
      const shown = await this.pictures.of(model.id);
      if (!current()) return;
      const found = shown.morphs.get(morph.index);
      this.pictures.show(this.canvases, shown, found);
      const side = (morph.side === "both" ? /both|mouth/ : /left|right/).test(found.effect) ? "" : SIDES[morph.side];
      by("effect").textContent = `At weight 1 it ${found.effect}${side}.`;
      const left = shown.record.left_out ? `; ${shown.record.left_out} further morphs of the model were not drawn` : "";
      by("morph-facts").textContent = `${found.kind} morph ${morph.index}, ${found.pixels} pixels change${left}`;
      by("reasons").replaceChildren(...found.reasons.map((reason) => Object.assign(document.createElement("li"), { textContent: reason })));
      by("shown").dataset.shows = `${model.id}/${morph.index}`;
    } catch (error) {
      if (current()) by("effect").textContent = `The pictures cannot be shown: ${error.message}`;
    }
  }

  // Saving.

  #fillSaving(row, number) {
    const model = this.collection.models[number];
    const { count, samples } = this.collection.samples(model);
    const open = model.morphs.filter((morph) => morph.decided === undefined).length;
    fill(row, model.name, "", `${count} target morphs: ${samples} samples`, open ? `${open} open` : "✓", !open);
  }

  save() {
    const { models, rule } = this.collection;
    const full = models.filter((model) => this.collection.samples(model).count > rule.many).length;
    const open = this.collection.total - this.store.decided;
    by("saving-text").textContent =
      `${full} of ${models.length} models have more than ${rule.many} target morphs and get ${rule.samples_many} samples, the others ${rule.samples_few}. `
      + (open ? `${open} morphs are open: for them the proposals are written.` : "Everything is decided.");
    by("saving").showModal();
    this.saving.reset(models.length);
    by("download").focus();
  }

  #download() {
    inspection.download(inspection.mappingTable(this.collection), "mapping.csv");
    by("saving").close();
    this.say("mapping.csv is downloaded.");
  }

  // Keys and buttons.

  #listen() {
    const actions = {
      j: () => this.goInner(this.place + 1), ArrowDown: () => this.goInner(this.place + 1),
      k: () => this.goInner(this.place - 1), ArrowUp: () => this.goInner(this.place - 1),
      n: () => this.goOuter(this.outer.selected + 1), ArrowRight: () => this.goOuter(this.outer.selected + 1),
      p: () => this.goOuter(this.outer.selected - 1), ArrowLeft: () => this.goOuter(this.outer.selected - 1),
      o: () => this.nextOpen(),
      Enter: (shift) => this.confirm(this.grouped !== shift),
      c: (shift) => this.change(this.grouped && !shift),
      x: (shift) => this.reject(this.grouped && !shift),
      u: () => this.undo(), m: () => this.show(false), g: () => this.show(true), s: () => this.save(),
      "?": () => by("keys").showModal(),
    };
    addEventListener("keydown", (event) => {
      if (event.defaultPrevented) return; // a dialog's, which may have been closed by it
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.key === "Enter" && event.target.closest("button")) return; // the button's own
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) return;
      event.preventDefault();
      action(event.shiftKey);
    });
    const buttons = {
      "by-model": "m", "by-name": "g", undo: "u", save: "s", help: "?", confirm: "Enter", change: "c", reject: "x",
    };
    for (const [id, key] of Object.entries(buttons)) {
      by(id).addEventListener("click", (event) => { by(id).blur(); actions[key](event.shiftKey); });
    }
    by("download").addEventListener("click", () => this.#download());
    by("not-now").addEventListener("click", () => by("saving").close());
    by("keys-close").addEventListener("click", () => by("keys").close());
    addEventListener("resize", () => this.#showMorph());
  }
};
