// The collection: models, their morphs, the names that these share, and what plays what in each. Knows no page.
"use strict";

/** The one name that the scripts of this page share. `receive` is called by the data's scripts. */
const inspection = {
  waiting: new Map(), // what was asked for, by what and id: [resolve, reject]
  receive(what, text) {
    const value = JSON.parse(text);
    if (what === "collection") inspection.start(new inspection.Collection(value));
    else inspection.waiting.get(`${what}/${value.id}`)?.(value);
  },
};

inspection.NONE = -1; // plays no target

inspection.Collection = class {
  constructor(data) {
    this.id = data.id;
    this.rule = data.rule;
    this.targets = data.targets.map(([name, part, sampled]) => ({ name, part, sampled, side: sideOf(name) }));
    this.names = data.names.map(([name, panel, reading]) => ({ name, panel, reading, uses: [] }));
    this.models = data.models.map(({ id, name, morphs }, number) => ({
      id, name, number,
      morphs: morphs.map(([index, named, proposal, side, confidence], place) => {
        this.names[named].uses.push({ model: number, place });
        return { index, named, proposal, side, confidence, decided: undefined };
      }),
    }));
    this.byCount = this.names.map((_, number) => number)
      .sort((a, b) => this.names[b].uses.length - this.names[a].uses.length || a - b);
    this.total = this.models.reduce((sum, model) => sum + model.morphs.length, 0);
  }

  morph({ model, place }) { return this.models[model].morphs[place]; }

  /** What each morph of a model plays: decisions first, then the proposals of the others for what is left. */
  outcome(model) {
    const taken = new Set(model.morphs.map((morph) => morph.decided));
    return model.morphs.map((morph) =>
      morph.decided ?? (taken.has(morph.proposal) ? inspection.NONE : morph.proposal));
  }

  /** By the paper's rule: how many target morphs a model has, and so how many samples. */
  samples(model) {
    const count = this.outcome(model).filter((target) => target >= 0 && this.targets[target].sampled).length;
    return { count, samples: count > this.rule.many ? this.rule.samples_many : this.rule.samples_few };
  }

  /** The target that most models propose for a name. */
  proposalOf(name) {
    const counts = new Map();
    for (const use of name.uses) {
      const { proposal } = this.morph(use);
      if (proposal >= 0) counts.set(proposal, (counts.get(proposal) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? inspection.NONE;
  }

  /** What the picture says against a morph's playing this target; "" when nothing. */
  objection(use, target) {
    if (target < 0) return "";
    const own = this.morph(use), { side } = own;
    const wanted = this.targets[target].side;
    if (!side) return "changes nothing that is seen";
    if (wanted && side !== wanted) return side === "both" ? "changes both sides" : `changes the ${side} side alone`;
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

function sideOf(target) {
  return ["left", "right", "both"].find((side) => target.endsWith(`/${side}`)) ?? "";
}

/** The element of this id. */
const by = (id) => document.getElementById(id);
