// The mapping table that `farm render --mapping` takes: exactly what the page shows, undecided proposals included.
"use strict";

inspection.COLUMNS = ["source_morph", "panel", "model", "morph", "models", "target"];

/** CSV text: a row for each name, with what it plays most often, and one for each morph that differs from that. */
inspection.mappingTable = (collection) => {
  const outcomes = collection.models.map((model) => collection.outcome(model));
  const title = (target) => collection.targets[target]?.name ?? "";
  const rows = [inspection.COLUMNS];
  for (const number of collection.byCount) {
    const { name, panel, uses } = collection.names[number];
    const counts = new Map();
    for (const { model, place } of uses) {
      const target = outcomes[model][place];
      counts.set(target, (counts.get(target) ?? 0) + 1);
    }
    const usual = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0][0];
    rows.push([name, panel, "", "", uses.length, title(usual)]);
    for (const { model, place } of uses) {
      const target = outcomes[model][place];
      if (target === usual) continue;
      const { id, morphs } = collection.models[model];
      rows.push([name, panel, id, morphs[place].index, "", title(target)]);
    }
  }
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
};

const RUN = /^'*[=+\-@\t\r\n＝＋－＠]/; // as farm.morphs.cells has it

/** A cell; what a spreadsheet would run as a formula gets a mark, which Facefarm takes off again. */
function cell(value) {
  const text = String(value);
  const safe = RUN.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

inspection.download = (text, name) => {
  const link = document.createElement("a");
  // The mark lets spreadsheets read it as UTF-8.
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

/** What a static page does with the annotation. */
inspection.Export = class {
  title = "Save the mapping";
  button = "Download mapping.csv";
  note = "Then: farm render FOLDER --mapping mapping.csv --out DIR";

  constructor(collection) { this.collection = collection; }

  takes() { return true; }
  counted(model) { return this.collection.samples(model); }
  possible() { return true; }
  remark(open) { return open ? `${counted(open, "morph is", "morphs are")} open: the proposals are written.` : "Everything is decided."; }

  async go() {
    inspection.download(inspection.mappingTable(this.collection), "mapping.csv");
    return "mapping.csv is downloaded.";
  }
};
