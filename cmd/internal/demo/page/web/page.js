// The card slot, the switch for the hub, and the feed next to the panel.

import { entry } from "./feed.js";

const $ = (selector) => document.querySelector(selector);
const panel = $("kiosk-panel");
const dialog = $("dialog");
const card = $(".card");
const feed = $(".feed");

const phone = $(".phone");

let state = { cards: [], inserted: "", hubReachable: true, phone: "" };

function ask(method, path, body) {
  return fetch(path, {
    method,
    headers: body && { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
}

function drawCard(face, { name, title }) {
  face.dataset.card = name;
  const label = document.createElement("span");
  label.className = "label";
  label.textContent = title;
  const chip = document.createElement("span");
  chip.className = "chip";
  face.replaceChildren(chip, label);
}

let leaving; // set while the card slides out

function putIn(now) {
  leaving?.cancel();
  leaving = undefined;
  drawCard(card, now);
  card.hidden = false; // the style sheet slides it in
}

function takeOut() {
  if (leaving) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  leaving = card.animate({ transform: ["none", "translateY(160px)"], opacity: [1, 0] }, { duration: still ? 0 : 320, easing: "ease-in" });
  leaving.onfinish = () => {
    leaving = undefined;
    card.hidden = true;
  };
}

function drawState() {
  const { cards, inserted, hubReachable } = state;
  const now = cards.find(({ name }) => name === inserted);
  if (now) putIn(now);
  else if (!card.hidden) takeOut();
  $(".choose").hidden = Boolean(now);
  $(".remove").hidden = !now;
  $(".remove").setAttribute("aria-label", now ? `Take out the card: ${now.title}` : "Take out");
  $(".slot").classList.toggle("taken", Boolean(now));
  $("#hub").checked = hubReachable;
  $(".offline").hidden = hubReachable;
  drawPhone();
}

let page = ""; // what the phone can open now

// A new link brings a phone. It stays after the login, so that its last page can be read.
function drawPhone() {
  if (state.phone === page) return;
  page = state.phone;
  $(".scan").hidden = !page;
  if (page) {
    $("iframe").hidden = true;
    $("iframe").removeAttribute("src");
  }
  phone.hidden = !page && $("iframe").hidden;
}

$(".scan").addEventListener("click", () => {
  $(".scan").hidden = true;
  $("iframe").hidden = false;
  $("iframe").src = `http://${location.hostname}${page}`;
});

$(".away").addEventListener("click", () => {
  phone.hidden = true;
  $("iframe").removeAttribute("src");
});

function drawChoice() {
  $(".cards").replaceChildren(
    ...state.cards.map((choice) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.insert = choice.name;
      const face = document.createElement("span");
      face.className = "card";
      face.setAttribute("aria-hidden", "true");
      drawCard(face, choice);
      const title = document.createElement("b");
      title.textContent = choice.title;
      const description = document.createElement("span");
      description.className = "description";
      description.textContent = choice.description;
      button.append(face, title, " ", description);
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
}

$(".choose").addEventListener("click", () => {
  drawChoice();
  dialog.showModal();
});

// The second click of a double click on a card falls on what is under the dialog. It
// must not type a digit.
let closed = 0; // when a card was chosen
panel.addEventListener("click", (e) => {
  if (e.detail > 1 && performance.now() - closed < 800) e.stopPropagation();
}, { capture: true });

dialog.addEventListener("click", async (e) => {
  if (e.target === dialog) return dialog.close(); // a click outside it
  const chosen = e.target.closest("[data-insert]");
  if (!chosen) return;
  dialog.close();
  closed = performance.now();
  panel.focus(); // so that Enter means OK and does not press this button again
  await ask("PUT", "/demo/card", { name: chosen.dataset.insert });
});

$(".remove").addEventListener("click", async () => {
  panel.focus();
  await ask("DELETE", "/demo/card");
});

$("#hub").addEventListener("change", (e) => ask("PUT", "/demo/hub", { reachable: e.target.checked }));

let stream;

function open() {
  stream?.close();
  stream = new EventSource("/demo/events");
  // A stream begins with all past events, so the list begins empty.
  stream.onopen = () => {
    feed.replaceChildren();
    $(".empty").hidden = false;
  };
  stream.addEventListener("state", (e) => {
    state = JSON.parse(e.data);
    drawState();
  });
  stream.addEventListener("feed", (e) => {
    const event = JSON.parse(e.data);
    if (event.type === "smartkiosk.visit.v1") $(".empty").hidden = true; // others come before the first visit
    feed.prepend(entry(event));
  });
}

// A browser opens at most six connections to a server, and a stream keeps one. A
// hidden page closes its stream.
document.addEventListener("visibilitychange", () => (document.hidden ? stream?.close() : open()));
if (!document.hidden) open();
