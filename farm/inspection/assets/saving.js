// The dialog that ends the work: how many samples each model gets, and what is then done with the annotation.
"use strict";

/** `way` is what is done: its title, button, note, what it says of the collection, and `go()`, which gives a sentence. */
inspection.Saving = class {
  constructor(collection, way, say) {
    Object.assign(this, { collection, way, say });
    this.list = new inspection.List(by("saving-list"), ROW, (row, number) => this.#fill(row, number));
    by("saving-title").textContent = by("save-name").textContent = way.title;
    by("saving-go-name").textContent = way.button;
    by("saving-note").textContent = way.note;
    by("saving-wishes").hidden = !way.wishes;
    by("saving-form").addEventListener("submit", (event) => { event.preventDefault(); this.#go(); });
    by("not-now").addEventListener("click", () => by("saving").close());
  }

  #fill(row, number) {
    const model = this.collection.models[number];
    const { count, samples } = this.way.counted(model);
    const open = model.morphs.filter((morph) => morph.decided === undefined).length;
    const gives = this.way.takes(model) ? `${counted(count, "target morph")}: ${counted(samples, "sample")}` : "nothing is confirmed: not rendered";
    fill(row, model.name, "", gives, open ? `${open} open` : "✓", !open);
  }

  open() {
    const { models, rule } = this.collection;
    const taken = models.filter((model) => this.way.takes(model));
    const full = taken.filter((model) => this.way.counted(model).count > rule.many).length;
    const ruled = `Of ${counted(taken.length, "model")} ${full || "none"} ${full <= 1 ? "has" : "have"} more than ${rule.many} target morphs`
      + (full ? `: ${rule.samples_many} samples each, the others ${rule.samples_few}. ` : `: ${rule.samples_few} samples each. `);
    by("saving-text").textContent = (taken.length ? ruled : "") + this.way.remark(this.collection.total - this.collection.decided);
    by("saving").showModal();
    this.list.reset(models.length);
    by("saving-go").disabled = !this.way.possible();
    by(by("saving-go").disabled ? "not-now" : "saving-go").focus();
  }

  async #go() {
    by("saving-go").disabled = true;
    try {
      this.say(await this.way.go());
      by("saving").close();
    } catch (error) {
      by("saving-text").textContent = `That did not work: ${error.message}`;
    }
    by("saving-go").disabled = false;
  }
};
