/* The outbox of the rescue board: entries that could not be sent yet, encrypted in this browser.

   Every entry is first encrypted (AES-GCM, a key that cannot be exported) and kept, then sent, and
   erased when the server has it. The number made here goes with it, so that sending twice makes one
   child. Key and entries belong to one login: another login, signing out or 24 hours erase them. */

const KEPT_FOR = 24 * 60 * 60 * 1000;
const LONGEST_WAIT = 15_000;
const AGAIN_AFTER = 30_000;
const SYNC = "/api/v1/sync";
const FIELDS = ["region", "place", "happened_at", "sex"];

const login = document.querySelector('meta[name="kinward-login"]')?.content ?? "";
const form = document.getElementById("found-form");
const usable = Boolean(login && globalThis.indexedDB && globalThis.crypto?.subtle);

/* ------------------------------------------------------------------ the store */

const opened = usable ? openStore() : null;

function openStore() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("kinward-outbox", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("owner");
      request.result.createObjectStore("entries", { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function inStore(name, mode, work) {
  const transaction = (await opened).transaction(name, mode);
  const request = work(transaction.objectStore(name));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

const all = () => inStore("entries", "readonly", (store) => store.getAll());

async function wipe() {
  await inStore("entries", "readwrite", (store) => store.clear());
  await inStore("owner", "readwrite", (store) => store.clear());
}

async function wipeWhatIsForeign() {
  const owner = await inStore("owner", "readonly", (store) => store.get("owner"));
  if (owner ? owner.login !== login : (await all()).length) await wipe();
}

async function keyOfLogin() {
  const owner = await inStore("owner", "readonly", (store) => store.get("owner"));
  if (owner) return owner.key;
  const algorithm = { name: "AES-GCM", length: 256 };
  const key = await crypto.subtle.generateKey(algorithm, false, ["encrypt", "decrypt"]);
  await inStore("owner", "readwrite", (store) => store.put({ login, key }, "owner"));
  return key;
}

const sealedFor = (id, iv) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(`${login} ${id}`),
});

async function keep(id, content, made) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const plain = new TextEncoder().encode(JSON.stringify(content));
  const data = await crypto.subtle.encrypt(sealedFor(id, iv), await keyOfLogin(), plain);
  await inStore("entries", "readwrite", (store) => store.put({ id, iv, data, made }));
}

async function read(row) {
  const plain = await crypto.subtle.decrypt(
    sealedFor(row.id, row.iv), await keyOfLogin(), row.data,
  );
  return JSON.parse(new TextDecoder().decode(plain));
}

async function erase(id) {
  await inStore("entries", "readwrite", (store) => store.delete(id));
  if (!(await all()).length) await wipe();
}

async function eraseExpired() {
  const late = (await all()).filter((row) => row.made + KEPT_FOR < Date.now());
  for (const row of late) await erase(row.id);
  return late.length;
}

/* ------------------------------------------------------------------ sending */

/* One tab at a time: two would write over each other's refusals. */
const alone = (work) => navigator.locks.request("kinward-outbox", work);

function token() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}

async function post(entries) {
  const response = await fetch(SYNC, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
    body: JSON.stringify({ entries }),
    redirect: "manual",
    signal: AbortSignal.timeout(LONGEST_WAIT),
  });
  if (response.type === "opaqueredirect" || response.status === 401) return "signed_out";
  if (response.status === 403) return "form";
  if (response.status === 404) return "not_allowed";
  if (!response.ok) return "server";
  return (await response.json()).results;
}

/* Sends what waits; returns {word, done, refused}: what to say, and what became of which entry. */
async function sync() {
  const rows = await all();
  const done = new Map();
  const refused = new Set();
  if (!rows.length) return { word: "", done, refused };
  if (!navigator.onLine) return { word: "offline", done, refused };
  const contents = new Map();
  for (const row of rows) contents.set(row.id, { made: row.made, ...(await read(row)) });
  let results;
  try {
    results = await post([...contents].map(([id, { entry }]) => ({ client_id: id, ...entry })));
  } catch {
    return { word: "offline", done, refused };
  }
  if (typeof results === "string") return { word: results, done, refused };
  for (const result of results) {
    const id = result.client_id;
    const { entry, made } = contents.get(id);
    if (result.status === "done") {
      await erase(id);
      done.set(id, result.case);
    } else {
      await keep(id, { entry, refusals: result.refusals }, made);
      refused.add(id);
    }
  }
  return { word: refused.size ? "refused" : "sent", done, refused };
}

/* ------------------------------------------------------------------ the page */

const byId = (id) => document.getElementById(id);
const said = (key) =>
  byId("outbox-texts").content.querySelector(`[data-key="${key}"]`)?.textContent ?? "";
const say = (key) => {
  byId("outbox-word").textContent = key ? said(key) : "";
};
let editing = null;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function button(text, act) {
  const made = element("button", text, "button button--quiet button--small");
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

const clock = (moment) => new Date(moment).toLocaleTimeString([], { timeStyle: "short" });
const mark = (id) => id.slice(0, 6).toUpperCase();

function item(row, { entry, refusals }) {
  const made = element("li");
  made.append(element("p", `${entry.region}, ${entry.place}, ${entry.happened_at.replace("T", " ")}`));
  const until = `${said("until")} ${clock(row.made + KEPT_FOR)}`;
  made.append(element("p", `${said("mark")}: ${mark(row.id)} · ${until}`, "soft small"));
  if (refusals.length) {
    const list = element("ul", "", "refusals");
    for (const refusal of refusals) {
      const one = element("li");
      one.append(element("p", refusal.message, "refusals__why"));
      one.append(element("p", refusal.path, "refusals__path"));
      list.append(one);
    }
    const buttons = element("div", "", "button-row");
    buttons.append(button(said("correct"), () => correct(row.id, entry)));
    buttons.append(button(said("discard"), () => discard(row.id)));
    made.append(list, buttons);
  }
  return made;
}

async function draw() {
  const rows = (await all()).sort((one, other) => one.made - other.made);
  const items = [];
  for (const row of rows) items.push(item(row, await read(row)));
  byId("outbox-list").replaceChildren(...items);
  byId("outbox-count").textContent = rows.length;
  byId("outbox").hidden = !rows.length;
}

function correct(id, entry) {
  editing = id;
  for (const name of FIELDS) form.elements[name].value = entry[name];
  form.closest("details").open = true;
  form.elements.region.focus();
}

async function discard(id) {
  await alone(() => erase(id));
  if (editing === id) fresh();
  await draw();
}

async function send() {
  const result = await alone(sync);
  await draw();
  say(result.word);
  return result;
}

/* The clock of the server, moved on by the time since: telephones abroad show another. */
const started = { at: Date.now(), shown: form?.elements.happened_at.value ?? "" };

function present() {
  const shown = Date.parse(`${started.shown}:00Z`);
  return new Date(shown + Date.now() - started.at).toISOString().slice(0, 16);
}

function fresh() {
  editing = null;
  form.elements.place.value = "";
  form.elements.sex.value = "unknown";
  if (started.shown) form.elements.happened_at.value = present();
  form.elements.client_id.value = crypto.randomUUID();
}

async function submitted(event) {
  event.preventDefault();
  if (!form.checkValidity()) {
    form.reportValidity();
    return;
  }
  const pressed = event.submitter;
  if (pressed) pressed.disabled = true;
  try {
    const entry = { operation: form.dataset.operation };
    for (const name of FIELDS) entry[name] = form.elements[name].value;
    const id = editing ?? form.elements.client_id.value;
    await alone(() => keep(id, { entry, refusals: [] }, Date.now()));
    const { word, done, refused } = await send();
    if (done.has(id)) {
      location.assign(byId("outbox").dataset.band.replace("CODE", done.get(id)));
    } else if (refused.has(id)) {
      editing = id;
    } else {
      fresh();
      say(word === "offline" ? "kept" : word);
    }
  } finally {
    if (pressed) pressed.disabled = false;
  }
}

/* ------------------------------------------------------------------ beginning */

async function board() {
  const expired = await alone(eraseExpired);
  form.addEventListener("submit", submitted);
  byId("outbox-send").addEventListener("click", send);
  addEventListener("online", send);
  addEventListener("offline", () => say("offline"));
  setInterval(async () => {
    if ((await all()).length) await send();
  }, AGAIN_AFTER);
  await draw();
  if ((await all()).length) await send();
  if (expired) say("expired");
  form.dataset.ready = "";
}

async function signingOut(leave) {
  const count = (await all()).length;
  byId("outbox-lost").hidden = !count;
  leave.addEventListener("submit", async (event) => {
    event.preventDefault();
    await wipe();
    HTMLFormElement.prototype.submit.call(leave);
  });
}

/* A wall that asks after the session has ended would be handed the sign-in page. */
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "wall") return;
  if (event.detail.xhr.responseText.includes('id="wall"')) return;
  event.detail.shouldSwap = false;
  if (form) say("signed_out");
});

if (usable) {
  await alone(wipeWhatIsForeign);
  if (form) await board();
  const leave = byId("outbox-lost")?.closest("main").querySelector("form");
  if (leave) await signingOut(leave);
} else if (form) {
  say("broken");
}
