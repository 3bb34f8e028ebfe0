// The collection: models, their morphs, the names that these share, and what plays what in each. Knows no page.
"use strict";

/** The one name that the scripts of this page share. `receive` is called by the data's scripts. */
const inspection = {
  waiting: new Map(), // what was asked for, by what and id: [resolve, reject]
  receive(what, text) {
    const value = JSON.parse(text);
    if (what === "collection") inspection.start(value);
    else inspection.waiting.get(`${what}/${value.id}`)?.(value);
  },
};

inspection.NONE = -1; // plays no target

inspection.Collection = class {
  models = [];
  decided = 0; // morphs
  total = 0;

  /** `names`: {name, panel, reading}, and of a farm {id, count, version, verdict}, those that most models have first. */
  constructor({ id, rule, targets, names }) {
    Object.assign(this, { id, rule });
    this.targets = targets.map(([name, part, sampled]) => ({ name, part, sampled, side: sideOf(name), semantic: name.replace(/\/(both|left|right)$/, "") }));
    this.numbers = new Map(this.targets.map((target, number) => [target.name, number]));
    this.names = names.map((name) => ({ ...name, uses: [] }));
    this.byCount = this.names.map((_, number) => number);
  }

  /** From what a static page hands over. */
  static of(data) {
    const collection = new inspection.Collection({
      ...data, names: data.names.map(([name, panel, reading]) => ({ name, panel, reading })),
    });
    for (const { id, name, morphs } of data.models) {
      collection.add(id, name, morphs.map(([index, named, proposal, side, confidence, parts, denied, sides]) => ({ index, named, proposal, side, confidence, parts, denied, sides })));
    }
    const { names } = collection;
    collection.byCount.sort((a, b) => names[b].uses.length - names[a].uses.length || a - b);
    return collection;
  }

  /** Add a model; its morphs are {index, named, proposal, side, confidence, parts, denied, sides}: `named` and `proposal` are numbers,
   * `side` is what it changes ("" for nothing, "?" where nobody knows), `parts` those of eye, eyebrow and mouth where it does
   * (null where nobody knows), `denied` what it is named for and does not do, with why, `sides` what it changes by part where that is not `side`. */
  add(id, name, morphs) {
    const number = this.models.length;
    this.models.push({ id, name, number, morphs: morphs.map((morph) => ({ ...morph, decided: undefined })) });
    morphs.forEach(({ named }, place) => this.names[named].uses.push({ model: number, place }));
    this.total += morphs.length;
    return this.models[number];
  }

  morph({ model, place }) { return this.models[model].morphs[place]; }

  /** A target's number; NONE for "", undefined for undefined. */
  targetCalled(name) { return name === "" ? inspection.NONE : this.numbers.get(name); }

  decide(morph, target) {
    this.decided += (target !== undefined) - (morph.decided !== undefined);
    morph.decided = target;
  }

  /** What a verdict on its name says of a morph; undefined when there is none or it does not hold for the morph. */
  grouped(model, morph) {
    const { verdict } = this.names[morph.named];
    if (!verdict || verdict.exceptions.has(model.id) || this.against(morph, verdict.target)) return undefined;
    return verdict.target;
  }

  /** What each morph of a model plays: decisions first, then verdicts on names, then the proposals for what is left. */
  outcome(model) {
    const found = model.morphs.map((morph) => morph.decided);
    const taken = new Set(found.filter((target) => target >= 0));
    for (const target of model.rejected ?? []) taken.add(target);
    const groups = model.morphs.map((morph, place) => (found[place] === undefined ? this.grouped(model, morph) : undefined));
    for (const own of [true, false]) { // of several that are to play a target, the one that was proposed for it
      groups.forEach((target, place) => {
        if (target === undefined || found[place] !== undefined || (own && model.morphs[place].proposal !== target)) return;
        found[place] = target >= 0 && taken.has(target) ? inspection.NONE : target;
        taken.add(target);
      });
    }
    return model.morphs.map(({ proposal }, place) => found[place] ?? (taken.has(proposal) ? inspection.NONE : proposal));
  }

  /** By the paper's rule: how many target morphs a model has, and so how many samples. */
  samples(model) { return this.#ruled(this.outcome(model)); }

  /** The same, of what is decided alone. */
  confirmed(model) { return this.#ruled(model.morphs.map(({ decided }) => decided)); }

  #ruled(playing) {
    const count = new Set(playing.filter((target) => target >= 0 && this.targets[target].sampled)).size;
    return { count, samples: count > this.rule.many ? this.rule.samples_many : this.rule.samples_few };
  }

  /** The target that most models propose for a name. */
  proposalOf(name) {
    if (name.proposal !== undefined) return name.proposal;
    const counts = new Map();
    for (const use of name.uses) {
      const { proposal } = this.morph(use);
      if (proposal >= 0) counts.set(proposal, (counts.get(proposal) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? inspection.NONE;
  }

  /** Pictures of a model have come: what they decide holds, whatever was proposed by the file alone. Whether that is news. */
  look(model, { record, morphs }) {
    model.blank = record.unusable.length > 0; // without its textures, say: then its pictures speak against nothing
    let news = false;
    for (const morph of model.morphs) {
      const said = morphs.get(morph.index);
      if (!said) continue;
      const { side, confidence, parts, denied, sides } = said, seen = { proposal: this.targetCalled(said.proposal), side, confidence, parts, denied, sides };
      news ||= morph.proposal !== seen.proposal || morph.side !== side;
      Object.assign(morph, seen);
    }
    return news;
  }

  /** What evidence says against a morph's playing this target; "" when nothing. */
  against({ side: whole, parts, denied, sides }, target) {
    if (!(target >= 0)) return "";
    if (!whole) return "changes nothing that is seen";
    const { side: wanted, semantic, sampled } = this.targets[target], part = semantic.split("/")[0];
    const side = sides?.[part] ?? whole;
    if (denied?.[semantic]) return `is not what it is named for: ${denied[semantic]}`;
    if (sampled && parts && !parts.includes(part)) return `changes nothing at the ${PARTS[part]}`;
    if (wanted && side !== "?" && side !== wanted) return side === "both" ? "changes both sides" : `changes the ${side} side alone`;
    return "";
  }

  /** The same, and what the other morphs of its model say. */
  objection(use, target) {
    if (target < 0) return "";
    const own = this.morph(use), against = this.against(own, target);
    if (against) return against;
    const better = this.models[use.model].morphs.some((morph) => morph !== own && (morph.decided === target
      || (morph.decided === undefined && morph.proposal === target && own.proposal !== target)));
    return better ? "is not the one of its model that plays this target" : "";
  }

  /** The changes that give a morph a target: whoever was given it before has it no longer. */
  giving(use, target) {
    const { morphs } = this.models[use.model];
    const losers = target < 0 ? [] : morphs.flatMap((morph, place) =>
      morph.decided === target && place !== use.place ? [{ model: use.model, place, target: inspection.NONE }] : []);
    return [{ ...use, target }, ...losers];
  }

  /** A group's decision: the changes for all that nothing speaks against and nobody decided yet, and the others. */
  givingAll(name, target) {
    const changes = [], exceptions = [];
    const given = new Set();
    for (const use of name.uses) {
      if (this.morph(use).decided !== undefined) continue;
      const twice = target >= 0 && given.has(use.model);
      if (twice || this.objection(use, target)) exceptions.push(use);
      else { changes.push({ ...use, target }); given.add(use.model); }
    }
    return { changes, exceptions };
  }
};

const PARTS = { eye: "eyes", eyebrow: "brows", mouth: "mouth" };

function sideOf(target) {
  return ["left", "right", "both"].find((side) => target.endsWith(`/${side}`)) ?? "";
}

/** The element of this id. */
const by = (id) => document.getElementById(id);
