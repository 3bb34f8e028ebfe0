// The page of a running farm: reads a collection over REST, keeps decisions there, and has batches rendered.
"use strict";

const ROOT = "../.."; // of the farm, from /annotate/NAME/ on: a proxy may show it under a path
const MODELS_AT_ONCE = 50, NAMES_AT_ONCE = 250;
const LOOK_MS = 4000; // between two looks at what others have decided
const ARRIVED_MS = 300; // a model that only passes by is not asked for
const PICTURES_MS = 1500; // and at what is drawn, while something is missing

/** The farm said no, or nothing. */
class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
    this.stale = status === 412;
  }
}

inspection.Rest = class {
  constructor(root) { this.root = root; }

  /** The answer as JSON; undefined for none. Throws Refused. */
  async ask(method, path, body, version) {
    let answer;
    const headers = { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(version === undefined ? {} : { "If-Match": `"${version}"` }) };
    try {
      answer = await fetch(this.root + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch {
      throw new Refused(0, "The farm does not answer");
    }
    if (answer.status === 204) return undefined;
    if (answer.ok) return answer.json();
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, problem.detail ?? `The farm answers with ${answer.status}`);
  }

  get(path) { return this.ask("GET", path); }
};

inspection.FarmBackend = class {
  hasVerdicts = true;

  constructor(collection, rest, version) { Object.assign(this, { collection, rest, version, present: () => undefined }); }

  // Records: what people have said of one model.

  async load(model) { this.#read(model, await this.#record(model)); }

  async #record(model) { return (await this.rest.get(`models/${model.id}`)).record; }

  /** `record`: null when nobody has said anything. */
  read(model, record) { this.#read(model, record ?? { version: 0, verdicts: {}, idle: [] }); }

  #read(model, record) {
    model.seen = record;
    const said = this.#decisions(model, record);
    model.morphs.forEach((morph) => this.collection.decide(morph, said.get(morph.index)));
    model.rejected = this.#rejected(record);
  }

  #rejected(record) {
    return Object.keys(record.verdicts).filter((target) => record.verdicts[target].status === "rejected").map((target) => this.collection.targetCalled(target));
  }

  /** What a record says of morphs, by index. */
  #decisions(model, { verdicts, idle }) {
    const said = new Map(idle.map(({ index }) => [index, inspection.NONE]));
    for (const { status, morph } of Object.values(verdicts)) if (status === "rejected" && morph) said.set(morph.index, inspection.NONE);
    for (const [target, { status, morph }] of Object.entries(verdicts)) {
      if (status === "confirmed" || status === "changed") said.set(morph.index, this.collection.targetCalled(target));
    }
    return said;
  }

  /** Decisions of the page that the record it is based on does not have. */
  #own(model) {
    const said = this.#decisions(model, model.seen);
    return model.morphs.filter((morph) => morph.decided !== said.get(morph.index));
  }

  /** All that is to be said of a model: what the page shows, and what of the record it does not show. */
  #body(model) {
    const given = new Set(model.morphs.map(({ decided }) => decided));
    const open = new Set(model.morphs.filter(({ decided }) => decided === undefined).map(({ index }) => index));
    const verdicts = {}, idle = [];
    for (const [target, { status, morph }] of Object.entries(model.seen.verdicts)) {
      const stays = status === "proposed" || (status === "rejected" && !(morph && open.has(morph.index)));
      if (stays && !given.has(this.collection.targetCalled(target))) verdicts[target] = { status, morph };
    }
    for (const { index, named, proposal, decided } of model.morphs) {
      const morph = { index, name: model.names[index] ?? this.collection.names[named].name };
      if (decided === inspection.NONE) idle.push(morph);
      else if (decided !== undefined) verdicts[this.collection.targets[decided].name] = { status: decided === proposal ? "confirmed" : "changed", morph };
    }
    return { verdicts, idle };
  }

  async save(model) {
    const { record } = await this.rest.ask("PUT", `models/${model.id}`, this.#body(model), model.seen.version);
    model.seen = record;
    model.rejected = this.#rejected(record);
  }

  // Verdicts on names.

  async saveName(name) {
    const { verdict } = name;
    const body = verdict ? { target: this.collection.targets[verdict.target]?.name ?? null, exceptions: [...verdict.exceptions] } : { target: null, decided: false };
    const row = await this.rest.ask("PUT", `collections/${this.collection.id}/rows/${name.id}`, body, name.version);
    const wanted = name.verdict;
    this.readRow(name, row);
    if (name.dirty) name.verdict = wanted; // decided again meanwhile
  }

  readRow(name, { version, verdict, exceptions }) {
    name.version = version;
    name.verdict = verdict ? { target: this.collection.targetCalled(verdict.target ?? ""), who: verdict.who, exceptions: new Set(exceptions) } : undefined;
  }

  // What the farm did not take.

  /** In words, what is wanted and not kept. */
  wanted(thing) {
    const title = (target) => (target === undefined ? "open" : target < 0 ? "plays nothing" : this.collection.targets[target].name);
    if (!thing.morphs) return [`${thing.name}, in all models: ${title(thing.verdict?.target)}`];
    return this.#own(thing).map((morph) => `${this.collection.names[morph.named].name} of ${thing.name}: ${title(morph.decided)}`);
  }

  /** Read what stands; `mine`: with what was wanted put over it, to be kept again. */
  async settle(thing, mine) {
    if (!thing.morphs) {
      const wanted = thing.verdict;
      this.readRow(thing, await this.rest.get(`collections/${this.collection.id}/rows/${thing.id}`));
      if (mine) thing.verdict = wanted;
      return;
    }
    const record = await this.#record(thing);
    const wanted = this.#own(thing).map((morph) => [morph, morph.decided]);
    this.#read(thing, record);
    if (!mine) return;
    for (const [morph, target] of wanted) {
      for (const other of thing.morphs) if (target >= 0 && other.decided === target) this.collection.decide(other, inspection.NONE);
      this.collection.decide(morph, target);
    }
  }

  // Pictures, and what others do.

  async pictures(id) {
    const found = await this.rest.get(`models/${id}/pictures`);
    return found && { ...found, src: ROOT + found.src };
  }

  /** Look now and then at the names, and at the model that is shown: `present()`. */
  watch(look) {
    this.look = look;
    const once = async () => {
      const { rows, version } = await this.#changed();
      if (version > this.version) {
        const byId = new Map(rows.map((row) => [row.id, row]));
        this.version = version;
        for (const name of this.collection.names) {
          const row = byId.get(name.id);
          if (row && row.version > name.version && !name.busy && !this.isUnsaved(name)) { this.readRow(name, row); look(name); }
        }
      }
      const model = this.present();
      if (model) await this.#fresh(model);
    };
    const again = async () => {
      if (!document.hidden) await once().catch(() => {}); // what cannot be reached is told where it is needed
      setTimeout(again, LOOK_MS);
    };
    setTimeout(again, LOOK_MS);
  }

  /** The names that somebody has decided since we asked last, and the version of then. */
  async #changed() {
    const rows = [];
    let version;
    for (let after = ""; after !== null;) {
      const page = await this.rest.get(`collections/${this.collection.id}/table?since=${this.version}&limit=${NAMES_AT_ONCE}&after=${after}`);
      version ??= page.version;
      rows.push(...page.rows);
      after = page.next;
    }
    return { rows, version };
  }

  /** A model is shown: others may have decided about it since the page was opened. */
  arrived(model) {
    clearTimeout(this.arrival);
    this.arrival = setTimeout(() => this.#fresh(model).catch(() => {}), ARRIVED_MS);
  }

  /** Read a model's record anew, and look if it has changed. */
  async #fresh(model) {
    if (model.busy || this.isUnsaved(model)) return;
    const record = await this.#record(model);
    if (record.version <= model.seen.version || model.busy || this.isUnsaved(model)) return;
    this.#read(model, record);
    this.look(model);
  }

  isUnsaved(thing) { return this.store.unsaved.has(thing); }
};

/** What is done with the annotation of a farm: a batch of the models of which something is confirmed. */
inspection.Order = class {
  title = "Render";
  button = "Render";
  wishes = true;

  constructor(collection, farm) {
    Object.assign(this, { collection, farm });
    this.rest = new inspection.Rest(`${ROOT}/v1/`);
    this.note = farm.may.includes("submit") ? "Only what is confirmed counts; the batch begins at once."
      : "Your key may annotate, but not submit. Whoever may: open this page, or farm submit --annotation confirmed.";
  }

  get #ready() { return this.collection.models.filter((model) => this.takes(model)); }

  /** Whether a model is rendered: something of it is confirmed. */
  takes(model) { return this.counted(model).count > 0; }

  counted(model) { return this.collection.confirmed(model); }
  possible() { return this.farm.may.includes("submit") && this.#ready.length > 0; }

  remark(open) {
    const models = this.#ready.length;
    return (models ? `Something is confirmed of ${counted(models, "model, which is", "models, which are")} rendered. ` : "Nothing is confirmed yet: there is nothing to render. ")
      + (open ? `${counted(open, "morph is open and plays", "morphs are open and play")} nothing.` : "Everything is decided.");
  }

  async go() {
    const spec = { annotation: "confirmed" }, samples = Number(by("samples").value);
    if (samples) spec.samples = samples;
    const models = this.#ready.map(({ id, name }) => ({ id, name }));
    const batch = await this.rest.ask("POST", "batches", { name: by("batch-name").value, models, spec });
    by("batch").href = `${ROOT}/batches/${batch.id}`;
    by("batch").hidden = false;
    return `${counted(models.length, "model is", "models are")} being rendered; b opens the batch.`;
  }
};

/** Shows how far the pictures are, and has those drawn that are missing. */
inspection.Drawing = class {
  constructor(rest, collection, may, page) {
    Object.assign(this, { rest, path: `collections/${collection.id}/pictures`, may, page, missing: 0, cost: 0 });
    by("draw-again").addEventListener("click", () => this.ask());
  }

  async ask() { await this.#see(this.may ? await this.rest.ask("POST", this.path) : await this.rest.get(this.path)); }

  async begin() {
    const now = await this.rest.get(this.path);
    if (now.missing && !now.batch) return this.ask();
    return this.#see(now);
  }

  async #see(now) {
    const { missing, models, ended, images_done: done, images_total: total, eta_seconds: left } = now;
    const time = left === null || done < total / 20 ? "" : `, ${left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`;
    by("drawing").hidden = !missing;
    by("drawing-bar").hidden = ended;
    by("drawing-bar").value = total ? done / total : 0;
    by("draw-again").hidden = !ended || !this.may;
    by("drawing-text").textContent = ended
      ? `The pictures of ${missing} of ${counted(models, "model")} are not drawn${now.batch ? ": what drew them has ended" : ""}.`
      : `Pictures: ${done} of ${total} drawn${time}. Models without any: ${missing}.`;
    if (missing < this.missing) this.page.drawn();
    this.missing = missing;
    if (missing && !(ended && this.may)) setTimeout(() => this.#again(now), Math.max(PICTURES_MS, 10 * this.cost));
  }

  async #again(now) {
    const begun = performance.now();
    const next = await this.rest.get(this.path).catch(() => now);
    this.cost = performance.now() - begun; // what takes the farm long is asked for less often
    return this.#see(next);
  }
};

inspection.begin = async (farm) => {
  const rest = new inspection.Rest(`${ROOT}/v1/annotations/`), root = `collections/${farm.collection}`;
  by("status").textContent = "Reading the collection.";
  const names = [];
  let version, edition;
  for (let after = ""; after !== null;) {
    const page = await rest.get(`${root}/table?limit=${NAMES_AT_ONCE}&after=${after}`);
    version ??= page.version;
    edition ??= page.edition;
    names.push(...page.rows);
    after = page.next;
  }
  const collection = new inspection.Collection({
    id: farm.collection, rule: farm.rule, targets: farm.targets,
    names: names.map(({ id, name, panel, reading, models }) => ({ id, name, panel, reading, count: models })),
  });
  const backend = new inspection.FarmBackend(collection, rest, version);
  names.forEach((row, number) => {
    collection.names[number].proposal = collection.targetCalled(row.proposal ?? "");
    backend.readRow(collection.names[number], row);
  });
  const more = async (after) => {
    const page = await rest.get(`${root}/models?limit=${MODELS_AT_ONCE}&after=${after}`);
    if (page.edition !== edition) location.reload(); // the farm decides otherwise since an update
    for (const { id, name, names: own, morphs, record } of page.models) {
      const model = collection.add(id, name, morphs.map(([index, named, judgement, confidence]) => {
        const [shows, side, proposal, denied, parts, sides] = page.judgements[judgement];
        return { index, named, proposal: collection.targetCalled(proposal ?? ""), side: shows ? side ?? "?" : "", confidence, parts, denied, sides };
      }));
      model.names = own;
      backend.read(model, record);
    }
    return page.next;
  };
  let after = await more("");
  const store = new inspection.Store(collection, backend);
  backend.store = store;
  const page = new inspection.Page(collection, store, new inspection.Pictures(backend), new inspection.Order(collection, farm), farm.may.includes("annotate"));
  inspection.page = page;
  page.say("");
  backend.present = () => page.model;
  by("home").hidden = false;
  by("where").textContent = farm.collection;
  by("batch-name").value = farm.collection;
  new inspection.Drawing(rest, collection, farm.may.includes("annotate"), page).begin().catch((error) => page.say(error.message));
  while (after !== null) {
    after = await more(after);
    page.grown();
  }
};
