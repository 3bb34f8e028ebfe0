// Keeps the page up to date: when the farm tells of a change, asks for the page again and puts in what differs.
// Without it everything works as well, by reloading.
"use strict";

const CALM_MS = 1000; // between two questions, at least
const PATIENCE_MS = 5000; // some changes are told by nobody: a worker that falls silent, a rate that sinks
const BACK_MS = 3000; // until a lost stream is asked for again

// `farm up` prints a link with the farm's key behind a #, which browsers send to nobody.
const key = document.getElementById("key");
if (key && location.hash.startsWith("#ff_")) {
  key.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  key.form.submit();
}

const main = document.querySelector("main");
const stale = document.getElementById("stale");
let stream = null;
let timer = 0;
let asking = false;
let earliest = 0;
let fresh = new Date();

/** Make `old` what `next` is, leaving alone whatever is the same: focus, open questions and loaded pictures stay. */
function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) {
    old.replaceWith(next);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const staying = new Set([...next.children].map((child) => child.id).filter(Boolean));
  const known = new Map();
  for (const child of [...old.children]) {
    if (!child.id) continue;
    if (staying.has(child.id)) known.set(child.id, child);
    else child.remove();
  }
  let place = old.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id ? known.get(child.id) : place && !place.id && place.nodeName === child.nodeName ? place : null;
    if (!same) {
      old.insertBefore(child, place);
    } else {
      if (same === place) place = place.nextSibling;
      else old.insertBefore(same, place);
      morph(same, child);
    }
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function tell(trouble) {
  const time = fresh.toISOString();
  const text = trouble ? `${trouble} This is how it was at ${time.slice(11, 19)}.` : "";
  if (stale.textContent !== text) stale.textContent = text;
  stale.hidden = !trouble;
}

async function ask() {
  const begun = Date.now();
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 401) {
      location.reload(); // the key was taken back: the page that asks for one
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) {
      fresh = new Date();
      document.title = page.title;
      morph(main, page.querySelector("main"));
      tell("");
    } else {
      tell(page.getElementById("problem")?.textContent ?? `The farm answers with ${answer.status}.`);
    }
  } catch {
    tell("The farm does not answer.");
  } finally {
    asking = false;
    // A page that takes long to make is asked for less often.
    earliest = Date.now() + Math.max(CALM_MS, 4 * (Date.now() - begun));
    soon(PATIENCE_MS);
  }
}

/** Ask after `wait` milliseconds, and not too soon after the last time. */
function soon(wait = 0) {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(() => (asking ? soon(CALM_MS) : ask()), Math.max(wait, earliest - Date.now()));
}

function listen() {
  if (stream || document.hidden || !main.dataset.events) return;
  stream = new EventSource(main.dataset.events);
  for (const kind of ["job", "batch", "reset", "open"]) stream.addEventListener(kind, () => soon());
  stream.addEventListener("error", () => {
    soon();
    if (stream?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    stream = null;
    setTimeout(listen, BACK_MS);
  });
}

function hide() {
  stream?.close(); // browsers have few connections to a server, and all tabs share them
  stream = null;
  clearTimeout(timer);
}

if (main.dataset.events || "again" in main.dataset) {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hide();
    } else {
      listen();
      soon();
    }
  });
  window.addEventListener("pagehide", hide);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      listen();
      soon();
    }
  });
  listen();
  soon("again" in main.dataset ? BACK_MS : PATIENCE_MS);
}
