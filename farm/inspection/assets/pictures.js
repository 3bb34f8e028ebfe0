// Sprites, fetched when they are needed, and how they are shown.
"use strict";

inspection.Pictures = class {
  #kept = new Map(); // by model id, the longest unused first: promises of {record, image, morphs}
  #most = 24; // decoded sprites take some megabytes each
  #bench = document.createElement("canvas");

  constructor(backend) { this.backend = backend; }

  /** A model's record with its sprite; undefined when it is not drawn yet. */
  of(id) {
    const found = this.#kept.get(id) ?? this.#fetch(id);
    this.#kept.delete(id);
    this.#kept.set(id, found);
    while (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value);
    return found;
  }

  async #fetch(id) {
    try {
      const record = await this.backend.pictures(id);
      if (record) {
        const image = new Image();
        image.src = record.src;
        await image.decode();
        return { record, image, morphs: new Map(record.morphs.map((morph) => [morph.index, morph])) };
      }
    } catch (error) {
      this.#kept.delete(id); // another time it may be there
      throw error;
    }
    this.#kept.delete(id);
    return undefined;
  }

  /** A small picture of what a morph changes, at the beginning of a row of a list. */
  async inRow(row, id, index) {
    const wanted = `${id}/${index}`;
    let canvas = row.querySelector("canvas");
    if (!canvas) row.prepend(canvas = document.createElement("canvas"));
    if (canvas.dataset.shows === wanted) return;
    canvas.dataset.shows = wanted;
    canvas.width = 0;
    await new Promise((resolve) => setTimeout(resolve, 120)); // rows that only pass by fetch nothing
    if (canvas.dataset.shows !== wanted || !canvas.isConnected) return;
    try {
      const shown = await this.of(id);
      if (canvas.dataset.shows !== wanted) return;
      if (shown) this.#thumbnail(canvas, shown, shown.morphs.get(index));
      else canvas.dataset.shows = ""; // once more when the row is written anew
    } catch { /* the large pictures say what is wrong */ }
  }

  #thumbnail(canvas, shown, morph) {
    this.#paint(canvas, closeUp(shown.record, morph), shown, morph);
  }

  /** All five pictures of a morph; `canvases` by their names. */
  show(canvases, shown, morph) {
    const { head } = shown.record;
    const whole = { left: head[0], top: head[1], side: head[2] - head[0] };
    const close = closeUp(shown.record, morph);
    this.#paint(canvases.neutral, whole, shown, null);
    this.#paint(canvases.applied, whole, shown, morph);
    this.#paint(canvases.difference, whole, shown, morph, true);
    this.#paint(canvases.before, close, shown, null);
    this.#paint(canvases.after, close, shown, morph);
  }

  /** The part of the picture in `view`, neutral or with the morph, or the difference of the two. */
  #paint(canvas, view, shown, morph, difference = false) {
    const side = Math.round((canvas.clientWidth || 40) * devicePixelRatio);
    canvas.width = canvas.height = side;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.#composed(shown, morph, difference), view.left, view.top, view.side, view.side, 0, 0, side, side);
  }

  /** The picture at its own size: enlarged piece by piece, each would show its neighbours in the sprite at its edges. */
  #composed({ record, image }, morph, difference) {
    this.#bench.width = this.#bench.height = record.size;
    const pen = this.#bench.getContext("2d");
    if (difference) pen.fillRect(0, 0, record.size, record.size);
    else pen.drawImage(image, 0, 0, record.size, record.size, 0, 0, record.size, record.size);
    if (!morph?.box) return this.#bench;
    const [left, top, right, bottom] = morph.box, width = right - left, height = bottom - top;
    if (difference) {
      pen.drawImage(image, left, top, width, height, left, top, width, height);
      pen.globalCompositeOperation = "difference";
    }
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, ...morph.place, width / morph.scale, height / morph.scale, left, top, width, height);
    if (difference) {
      pen.globalCompositeOperation = "color-dodge"; // a faint difference is one, too
      pen.fillStyle = "#888";
      pen.fillRect(left, top, width, height);
    }
    return this.#bench;
  }
};

/** The square about what a morph changes, with some of what is around it. */
function closeUp({ head, size }, morph) {
  const [left, top, right, bottom] = morph?.box ?? head;
  const side = Math.min(size, Math.max(48, right - left, bottom - top) * 1.3);
  const clamp = (middle) => Math.max(0, Math.min(middle - side / 2, size - side));
  return { left: clamp((left + right) / 2), top: clamp((top + bottom) / 2), side };
}
