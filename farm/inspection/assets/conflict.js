// Decisions that could not be kept: who was faster, what is still wanted, and the choice between the two. Nothing is lost
// meanwhile: what was decided stays on the page, is marked there, and can be put over the new version.
"use strict";

inspection.Conflict = class {
  constructor(page) {
    this.page = page;
    by("conflict-mine").addEventListener("click", () => this.#settle(true));
    by("conflict-theirs").addEventListener("click", () => this.#settle(false));
    by("conflict-later").addEventListener("click", () => by("conflict").close());
    by("conflict").addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() === "t" && !event.ctrlKey && !event.metaKey) { event.preventDefault(); this.#settle(false); }
    });
    addEventListener("beforeunload", (event) => { if (page.store.unsaved.size || page.store.saving) event.preventDefault(); });
  }

  /** Something was kept, or was not. */
  told(thing) {
    const { store } = this.page;
    const { size } = store.unsaved;
    by("unsaved").hidden = !size;
    by("unsaved-text").textContent = size === 1 ? "1 decision is not saved" : `decisions about ${size} models or names are not saved`;
    if (!store.unsaved.has(thing)) return;
    if (thing.trouble.stale) this.show(thing);
    else this.page.say(`This could not be kept (${thing.trouble.message}).`);
  }

  /** Try what is not saved again, or ask about it. */
  again() {
    const [first] = this.page.store.unsaved;
    if (!first) return this.page.say("Everything is saved.");
    if (first.trouble.stale) return this.show(first);
    for (const thing of this.page.store.unsaved) this.page.store.keep(thing);
    return this.page.say("Trying again.");
  }

  show(thing) {
    if (document.querySelector("dialog[open]")) return; // the mark in the head line stays
    this.thing = thing;
    by("conflict-text").textContent = thing.id ? thing.trouble.message.replace(thing.id, thing.name) : thing.trouble.message;
    by("conflict-list").replaceChildren(...this.page.store.backend.wanted(thing).map((text) => {
      const row = document.createElement("li");
      row.textContent = text;
      return row;
    }));
    by("conflict").showModal();
    by("conflict-mine").focus();
  }

  async #settle(mine) {
    const { page, thing } = this;
    by("conflict").close();
    try {
      await page.store.backend.settle(thing, mine);
    } catch (error) {
      return page.say(`The farm does not say what stands (${error.message}). Your decision is still here: r tries again.`);
    }
    page.store.unsaved.delete(thing);
    if (mine) page.store.keep(thing);
    else this.told(thing);
    page.say(mine ? "Your decision is put over the new version." : "The new version stands; your decision is dropped.");
    return page.refresh();
  }
};
