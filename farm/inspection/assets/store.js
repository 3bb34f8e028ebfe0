// Where decisions are kept and pictures come from. A page asks nothing else: a farm's REST interface goes in here as a
// second backend with the same four methods.
"use strict";

/** For a page on the disk: decisions in the browser's own storage, by the model's content hash. */
inspection.LocalBackend = class {
  #key(model) { return `facefarm/decisions/${model}`; }

  /** Decisions of a model, by the morph's index: a target's name, "" for none. */
  async load(model) {
    try {
      return JSON.parse(localStorage.getItem(this.#key(model))) ?? {};
    } catch {
      return {};
    }
  }

  /** Throws when there is no room. */
  async save(model, decisions) {
    if (Object.keys(decisions).length) localStorage.setItem(this.#key(model), JSON.stringify(decisions));
    else localStorage.removeItem(this.#key(model));
  }

  /** The record of a model's pictures. */
  pictures(model) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      inspection.waiting.set(`pictures/${model}`, resolve);
      script.src = `data/${model}.js`;
      script.onload = () => { script.remove(); inspection.waiting.delete(`pictures/${model}`); };
      script.onerror = () => { script.remove(); reject(new Error(`data/${model}.js is not there; write the page again.`)); };
      document.head.append(script);
    });
  }

  /** Another window of this browser decided about `model`. */
  watch(changed) {
    const begin = this.#key("");
    addEventListener("storage", ({ key }) => { if (key?.startsWith(begin)) changed(key.slice(begin.length)); });
  }
};

/** The decisions about a collection, with undo. */
inspection.Store = class {
  #past = [];

  constructor(collection, backend) {
    this.collection = collection;
    this.backend = backend;
    this.decided = 0;
    this.numbers = new Map(collection.targets.map((target, number) => [target.name, number]));
  }

  async open() {
    await Promise.all(this.collection.models.map((model) => this.#read(model)));
  }

  async #read(model) {
    const kept = await this.backend.load(model.id);
    for (const morph of model.morphs) {
      const name = kept[morph.index];
      this.#set(morph, name === undefined ? undefined : name === "" ? inspection.NONE : this.numbers.get(name));
    }
  }

  /** Take over what another window decided. */
  watch(changed) {
    this.backend.watch(async (id) => {
      const model = this.collection.models.find((one) => one.id === id);
      if (model) { await this.#read(model); changed(); }
    });
  }

  #set(morph, target) {
    this.decided += (target !== undefined) - (morph.decided !== undefined);
    morph.decided = target;
  }

  /** Make the changes, [{model, place, target}], as one step that can be undone. Rejects when they cannot be kept. */
  async decide(changes) {
    if (!changes.length) return;
    this.#past.push(changes.map(({ model, place }) => ({ model, place, target: this.collection.morph({ model, place }).decided })));
    await this.#make(changes);
  }

  /** Take the last step back; where it was made, or undefined when there is none. */
  async undo() {
    const changes = this.#past.pop();
    if (changes) await this.#make(changes);
    return changes?.[0];
  }

  async #make(changes) {
    const { models } = this.collection;
    for (const { model, place, target } of changes) this.#set(models[model].morphs[place], target);
    const touched = new Set(changes.map(({ model }) => model));
    await Promise.all([...touched].map((number) => this.backend.save(models[number].id, this.#kept(models[number]))));
  }

  #kept(model) {
    const given = model.morphs.filter((morph) => morph.decided !== undefined);
    return Object.fromEntries(given.map(({ index, decided }) => [index, this.collection.targets[decided]?.name ?? ""]));
  }
};
