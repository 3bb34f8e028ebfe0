// The page: two lists and the pictures, by models or by names.
"use strict";

inspection.start = async (data) => {
  const collection = inspection.Collection.of(data);
  const backend = new inspection.LocalBackend(collection);
  const store = new inspection.Store(collection, backend);
  await store.open();
  inspection.page = new inspection.Page(collection, store, new inspection.Pictures(backend), new inspection.Export(collection), true);
};

const ROW = 46; // pixels a row
const SIDES = { left: ", on the character's left", right: ", on the character's right", both: ", on both sides", "": "" };
const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

inspection.Page = class {
  grouped = false; // the left list: models, or names
  at = { models: 0, names: 0 }; // the selected row of the left list in either view
  place = 0; // the selected row of the middle list

  /** `way`: what is done with the annotation in the end; `may`: whether its user may decide, or only look. */
  constructor(collection, store, pictures, way, may) {
    Object.assign(this, { collection, store, pictures, may });
    this.canvases = Object.fromEntries(["neutral", "applied", "difference", "before", "after"].map((id) => [id, by(id)]));
    this.outer = new inspection.List(by("outer"), ROW, (row, number) => this.#fillOuter(row, number), (number) => this.goOuter(number));
    this.inner = new inspection.List(by("inner"), ROW, (row, number) => this.#fillInner(row, number), (number) => this.goInner(number));
    this.picker = new inspection.Picker(collection.targets);
    this.saving = new inspection.Saving(collection, way, (text) => this.say(text));
    this.conflict = new inspection.Conflict(this);
    store.changed = (thing) => { this.conflict.told(thing); this.#soon(); };
    store.watch(() => this.refresh());
    inspection.listen(this);
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

  /** The next morph that nobody decided about, after this one; of a farm's names, the next name. */
  nextOpen() {
    const length = this.outer.length;
    if (this.grouped && this.store.backend.hasVerdicts) {
      for (let step = 1; step <= length; step++) {
        const outer = (this.outer.selected + step) % length;
        if (!this.collection.names[this.collection.byCount[outer]].verdict) return this.goOuter(outer);
      }
      return this.say("Every name is decided.");
    }
    for (let step = 0; step <= length; step++) {
      const outer = (this.outer.selected + step) % length;
      const uses = this.#usesOf(outer);
      const place = uses.findIndex((use, number) =>
        this.collection.morph(use).decided === undefined && (step > 0 || number > this.place));
      if (place < 0) continue;
      return step > 0 ? this.goOuter(outer, place) : this.goInner(place);
    }
    return this.say("Nothing is open.");
  }

  #usesOf(outer) {
    if (this.grouped) return this.collection.names[this.collection.byCount[outer]].uses;
    return this.collection.models[outer].morphs.map((_, place) => ({ model: outer, place }));
  }

  // Deciding. `wide`: for all models with this name, or for all that is open in this model.

  confirm(wide) {
    if (!this.#mayDecide()) return undefined;
    if (wide && this.grouped) return this.#decideAll(this.collection.proposalOf(this.name));
    if (wide) return this.#confirmAll(this.model);
    return this.#give(this.collection.outcome(this.model)[this.use.place]);
  }

  /** Confirm all that is open in a model, once its pictures are there: what nobody can see nobody confirms by the dozen. */
  async #confirmAll(model) {
    this.say(`The pictures of ${model.name} are on their way.`);
    let shown, trouble = "are not drawn yet";
    try {
      shown = await this.pictures.of(model.id);
    } catch (error) {
      trouble = `cannot be shown (${error.message})`;
    }
    if (!shown) return this.say(`Nothing is confirmed: the pictures of ${model.name} ${trouble}. Enter confirms morph by morph.`);
    this.collection.look(model, shown);
    const outcome = this.collection.outcome(model);
    const changes = model.morphs.flatMap((morph, place) =>
      morph.decided === undefined ? [{ model: model.number, place, target: outcome[place] }] : []);
    const here = !this.grouped && this.model === model;
    if (changes.length || here) this.#make(changes, `${counted(changes.length, "morph")} of ${model.name} confirmed.`);
    return here && this.goOuter(this.outer.selected + 1);
  }

  reject(wide) {
    if (this.#mayDecide()) return (wide && this.grouped ? this.#decideAll(inspection.NONE) : this.#give(inspection.NONE));
    return undefined;
  }

  async change(wide) {
    if (!this.#mayDecide()) return;
    const target = await this.picker.choose(this.name.name);
    if (target !== undefined) (wide && this.grouped ? this.#decideAll(target) : this.#give(target));
  }

  #mayDecide() {
    if (!this.may) this.say("Your key may look, but not decide: that needs the role annotate.");
    else if (!this.inner.length) this.say("There is no morph to decide about yet.");
    return this.may && this.inner.length > 0;
  }

  #give(target) {
    if (target >= 0 && !this.morph.side && !this.model.blank) return this.say(`${this.name.name} changes nothing that is seen: it cannot play ${this.#title(target)}. x says so.`);
    const changes = this.collection.giving(this.use, target);
    const against = this.collection.against(this.morph, target);
    const lost = changes.slice(1).map((use) => this.collection.names[this.collection.morph(use).named].name);
    this.#make(changes, `${this.name.name}: ${this.#title(target)}.`
      + (against ? ` But it ${against}; your word counts, u takes it back.` : "")
      + (lost.length ? ` ${lost.join(", ")} plays nothing now.` : ""));
    return this.next();
  }

  #decideAll(target) {
    const { name } = this;
    let count, exceptions;
    if (this.store.backend.hasVerdicts) {
      exceptions = name.uses.filter((use) => this.collection.against(this.collection.morph(use), target));
      const failing = new Set(exceptions), passing = new Set(name.uses.filter((use) => !failing.has(use)).map(({ model }) => model));
      count = name.count - new Set(exceptions.map(({ model }) => model).filter((model) => !passing.has(model))).size;
      this.store.decideName(name, target);
    } else {
      const found = this.collection.givingAll(name, target);
      ({ exceptions } = found);
      count = found.changes.length;
      this.store.decide(found.changes);
    }
    const left = exceptions.length && !count ? ` Nothing plays it: the first because it ${this.collection.objection(exceptions[0], target) || "is decided"}.`
      : exceptions.length ? ` Left open: ${counted(exceptions.length, "exception")}, the first because it ${this.collection.objection(exceptions[0], target) || "has its name twice in the model"}.` : "";
    this.say(`${name.name}: ${this.#title(target)}, in ${counted(count, "model")}.${left}`);
    this.refresh();
    this.goOuter(this.outer.selected + 1);
  }

  undo() {
    const first = this.store.undo();
    if (!first) return this.say("There is nothing to undo.");
    if (first.name && !this.grouped) this.show(true);
    if (!this.grouped) this.goOuter(first.model, first.place);
    else {
      const number = this.collection.byCount.indexOf(first.name ? this.collection.names.indexOf(first.name) : this.collection.morph(first).named);
      const place = first.name ? 0 : this.#usesOf(number).findIndex((use) => use.model === first.model && use.place === first.place);
      this.goOuter(number, place);
    }
    this.refresh();
    return this.say("Taken back.");
  }

  #make(changes, said) {
    this.say(said);
    this.store.decide(changes);
    this.refresh();
  }

  // Showing.

  say(text) { by("status").textContent = text; }

  #title(target) { return target >= 0 ? this.collection.targets[target].name : "plays nothing"; }

  /** More models are there. */
  grown() {
    if (!this.grouped) {
      this.outer.grow(this.collection.models.length);
      by("outer-title").textContent = counted(this.collection.models.length, "model");
    } else {
      const empty = !this.inner.length;
      this.inner.grow(this.uses.length);
      if (empty && this.inner.length) this.#showMorph();
    }
    this.#showProgress();
  }

  /** More models have pictures. */
  drawn() {
    this.refresh();
    if (by("shown").dataset.waits) this.#showPictures();
  }

  /** Refresh once, however many things were kept at a time. */
  #soon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.refresh(); });
  }

  refresh() {
    this.outer.refresh();
    this.inner.refresh();
    this.#showMorph();
  }

  #fillOuter(row, number) {
    const uses = this.#usesOf(number);
    const done = uses.reduce((sum, use) => sum + (this.collection.morph(use).decided !== undefined), 0);
    if (this.grouped && this.store.backend.hasVerdicts) {
      const name = this.collection.names[this.collection.byCount[number]], { verdict } = name;
      const below = `${name.panel === "*" ? "" : `${name.panel}, `}${this.#title(verdict ? verdict.target : this.collection.proposalOf(name))}`;
      fill(row, name.name, name.reading, below, verdict ? "✓" : counted(name.count, "model"), Boolean(verdict), this.#unsaved(name));
    } else if (this.grouped) {
      const { name, reading, panel } = this.collection.names[this.collection.byCount[number]];
      const proposal = this.#title(this.collection.proposalOf(this.collection.names[this.collection.byCount[number]]));
      fill(row, name, reading, `${panel === "*" ? "" : `${panel}, `}${proposal}`, `${done} / ${uses.length}`, done === uses.length);
    } else {
      const model = this.collection.models[number];
      const { count, samples } = this.collection.samples(model);
      fill(row, model.name, "", `${counted(count, "target")}: ${counted(samples, "sample")}`, `${done} / ${uses.length}`, done === uses.length, this.#unsaved(model));
    }
  }

  #fillInner(row, number) {
    const use = this.grouped ? this.uses[number] : { model: this.at.models, place: number };
    const model = this.collection.models[use.model], morph = model.morphs[use.place];
    const target = this.collection.outcome(model)[use.place];
    const against = this.#objection(use, target);
    const { name, reading } = this.collection.names[morph.named];
    const byName = morph.decided === undefined && this.collection.grouped(model, morph) !== undefined;
    const state = morph.decided !== undefined ? "✓" : byName ? "by name" : target < 0 ? "" : "proposed";
    if (this.grouped) fill(row, model.name, "", this.#title(target), state, morph.decided !== undefined, against);
    else fill(row, name, reading, this.#title(target), state, morph.decided !== undefined, against);
    this.pictures.inRow(row, model.id, morph.index);
  }

  /** What speaks against what a morph plays; of what a person decided, of it or of its name, what the evidence says alone. */
  #objection(use, target) {
    const morph = this.collection.morph(use);
    const said = morph.decided ?? this.collection.grouped(this.collection.models[use.model], morph);
    return said === undefined ? this.collection.objection(use, target) : this.collection.against(morph, target);
  }

  #unsaved(thing) { return this.store.unsaved.has(thing) ? "not saved (r)" : ""; }

  #showProgress() {
    const { names, decided, total } = this.collection;
    const byName = this.grouped && this.store.backend.hasVerdicts;
    const done = byName ? names.filter(({ verdict }) => verdict).length : decided, all = byName ? names.length : total;
    by("progress").value = all ? done / all : 0;
    by("progress-text").textContent = `${done} of ${all} ${byName ? "names " : ""}decided`;
  }

  #showMorph() {
    this.#showProgress();
    by("inner-title").textContent = this.grouped ? `${this.name.name}: ${counted(this.inner.length, "model")}` : this.model.name;
    const empty = !this.inner.length;
    by("shown").hidden = empty;
    if (empty) return by("inner-note").textContent = "No morph of this model moves anything.";
    const { count, samples } = this.collection.samples(this.model), confirmed = this.collection.confirmed(this.model);
    const sure = this.store.backend.hasVerdicts ? (confirmed.count ? `; ${confirmed.count} confirmed: ${confirmed.samples}` : "; none confirmed") : "";
    by("inner-note").textContent = `${this.grouped ? `${this.model.name}: ` : ""}${counted(count, "target morph")}: ${counted(samples, "sample")}${sure} (more than ${this.collection.rule.many}: ${this.collection.rule.samples_many}, else ${this.collection.rule.samples_few})`;
    const { morph, name, model } = this;
    if (model !== this.arrived) this.store.backend.arrived?.(model);
    this.arrived = model;
    by("morph-name").textContent = name.name;
    by("morph-reading").textContent = name.reading;
    const target = this.collection.outcome(this.model)[this.use.place];
    const against = this.#objection(this.use, target), but = against ? ` But it ${against}.` : "";
    const confidence = morph.confidence == null ? "" : `, confidence ${Math.round(morph.confidence * 100)} %`;
    by("verdict").textContent = morph.decided !== undefined ? `Decided: ${this.#title(target)}.${but}`
      : target < 0 ? "Not proposed for any target." : `Proposed: ${this.#title(target)}${confidence}.${but}`;
    by("verdict").className = against ? "against" : morph.decided !== undefined ? "done" : "";
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
    by("unusable").hidden = true;
    by("shown").dataset.waits = "";
    try {
      const shown = await this.pictures.of(model.id);
      if (!current()) return;
      if (!shown) {
        by("effect").textContent = "The pictures of this model are not drawn yet: what is proposed is by its file alone, and they may say otherwise.";
        by("shown").dataset.waits = "yes";
        for (const canvas of Object.values(this.canvases)) canvas.width = 0;
        return;
      }
      if (this.collection.look(model, shown)) this.refresh(); // which shows it anew, with what is known now
      const found = shown.morphs.get(morph.index), { unusable } = shown.record;
      this.pictures.show(this.canvases, shown, found);
      by("unusable").hidden = !unusable.length;
      by("unusable").textContent = `This model would not be rendered. ${unusable.join(" ")}`;
      if (!found) {
        by("effect").textContent = morph.side ? "No picture of it is drawn: the model has more morphs than are." : "It moves nothing: there is no picture of it.";
        return;
      }
      const side = (morph.side === "both" ? /both|mouth/ : /left|right/).test(found.effect) ? "" : SIDES[morph.side];
      by("effect").textContent = `At weight 1 it ${found.effect}${side}.`;
      const left = shown.record.left_out ? `; ${counted(shown.record.left_out, "further morph of the model was", "further morphs of the model were")} not drawn` : "";
      by("morph-facts").textContent = `${found.kind} morph ${morph.index}, ${counted(found.pixels, "pixel changes", "pixels change")}${left}`;
      by("reasons").replaceChildren(...found.reasons.map((reason) => Object.assign(document.createElement("li"), { textContent: reason })));
      by("shown").dataset.shows = `${model.id}/${morph.index}`;
    } catch (error) {
      if (current()) by("effect").textContent = `The pictures cannot be shown: ${error.message}`;
    }
  }
};
