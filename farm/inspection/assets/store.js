// What is decided, with undo, and that it is kept. Where it is kept and where pictures come from, a backend knows; a page on the
// disk has LocalBackend, a page of a farm FarmBackend (farm.js). Both can:
//   load(model)         read what is decided of a model's morphs into them
//   save(model)         keep it; rejects when that fails
//   saveName(name)      keep a verdict on a name, where `hasVerdicts`
//   pictures(id)        the record of a model's pictures; undefined when they are not drawn yet
//   watch(look)         call look(model or name) when somebody else has decided; sees to `load` itself
"use strict";

/** For a page on the disk: decisions in the browser's own storage, by the model's content hash. */
inspection.LocalBackend = class {
  hasVerdicts = false;

  constructor(collection) { this.collection = collection; }

  #key(model) { return `facefarm/decisions/${model}`; }

  /** Decisions are kept by the morph's index: a target's name, "" for none. */
  async load(model) {
    let kept = {};
    try {
      kept = JSON.parse(localStorage.getItem(this.#key(model.id))) ?? {};
    } catch { /* another program's, or nothing */ }
    for (const morph of model.morphs) this.collection.decide(morph, this.collection.targetCalled(kept[morph.index]));
  }

  /** Rejects when there is no room. */
  async save(model) {
    const given = model.morphs.filter((morph) => morph.decided !== undefined);
    const kept = Object.fromEntries(given.map(({ index, decided }) => [index, this.collection.targets[decided]?.name ?? ""]));
    try {
      if (given.length) localStorage.setItem(this.#key(model.id), JSON.stringify(kept));
      else localStorage.removeItem(this.#key(model.id));
    } catch (error) {
      throw new Error(`${error.message}: save the mapping now, and make room in the browser's storage`);
    }
  }

  pictures(id) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      inspection.waiting.set(`pictures/${id}`, resolve);
      script.src = `data/${id}.js`;
      script.onload = () => { script.remove(); inspection.waiting.delete(`pictures/${id}`); };
      script.onerror = () => { script.remove(); reject(new Error(`data/${id}.js is not there; write the page again.`)); };
      document.head.append(script);
    });
  }

  /** Another window of this browser decides. */
  watch(look) {
    const begin = this.#key("");
    addEventListener("storage", async ({ key }) => {
      const model = key?.startsWith(begin) && this.collection.models.find((one) => one.id === key.slice(begin.length));
      if (model) { await this.load(model); look(model); }
    });
  }
};

/** The decisions about a collection, with undo. What is decided stands on the page at once and is kept behind it. */
inspection.Store = class {
  unsaved = new Set(); // models and names whose decisions could not be kept; `trouble` of each says why
  changed = () => {}; // called when something was kept, or was not
  #past = [];
  #running = 0;

  constructor(collection, backend) { Object.assign(this, { collection, backend }); }

  async open() { await Promise.all(this.collection.models.map((model) => this.backend.load(model))); }

  watch(look) { this.backend.watch(look); }

  get decided() { return this.collection.decided; }
  get saving() { return this.#running > 0; }

  /** Make the changes, [{model, place, target}], as one step that can be undone. */
  decide(changes) {
    if (!changes.length) return;
    this.#past.push({ changes: changes.map(({ model, place }) => ({ model, place, target: this.collection.morph({ model, place }).decided })) });
    this.#make(changes);
  }

  /** Let all morphs of a name play a target, in all models that nothing speaks against. */
  decideName(name, target) {
    this.#past.push({ name, verdict: name.verdict });
    this.#say(name, { target, exceptions: new Set() });
  }

  /** Take the last step back; what it was about ({model, place} or {name}), or undefined when there is none. */
  undo() {
    const step = this.#past.pop();
    if (step?.name) this.#say(step.name, step.verdict);
    else if (step) this.#make(step.changes);
    return step?.name ? { name: step.name } : step?.changes[0];
  }

  #say(name, verdict) {
    name.verdict = verdict;
    this.keep(name);
  }

  #make(changes) {
    const { models } = this.collection;
    for (const { model, place, target } of changes) this.collection.decide(models[model].morphs[place], target);
    for (const number of new Set(changes.map(({ model }) => model))) this.keep(models[number]);
  }

  /** Keep what is decided of a model or a name. One save at a time: the next begins with what the farm said to the last. */
  async keep(thing) {
    thing.dirty = true;
    if (thing.busy) return;
    thing.busy = true;
    this.#running++;
    try {
      while (thing.dirty) {
        thing.dirty = false;
        await (thing.morphs ? this.backend.save(thing) : this.backend.saveName(thing));
      }
      this.unsaved.delete(thing);
    } catch (error) {
      thing.trouble = error;
      this.unsaved.add(thing);
    }
    thing.busy = false;
    this.#running--;
    this.changed(thing);
  }
};
