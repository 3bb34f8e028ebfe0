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
    fill(row, model.name, "", `${counted(count, "target morph")}: ${counted(samples, "sample")}`, open ? `${open} open` : "✓", !open);
  }

  open() {
    const { models, rule } = this.collection;
    const full = models.filter((model) => this.way.counted(model).count > rule.many).length;
    by("saving-text").textContent =
      `Of ${counted(models.length, "model")} ${full || "none"} ${full <= 1 ? "has" : "have"} more than ${rule.many} target morphs: ${rule.samples_many} samples each, the others ${rule.samples_few}. `
      + this.way.remark(this.collection.total - this.collection.decided);
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
