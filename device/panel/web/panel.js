// <kiosk-panel>: display, lamps and keypad of the kiosk at /panel/. Children of
// the element in the page, such as a card slot, stay at its lower end.
//
// The element sends a key to the server and does not keep it. The display draws
// one dot for each digit that the server has counted.

const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

// Keys of a keyboard that act as keys of the panel.
const keyboard = { Enter: "#", Backspace: "*", Escape: "*", l: "L", L: "L", r: "R", R: "R", v: "V", V: "V", "#": "#", "*": "*" };

// The name of the large-text mode. "se" is not reviewed by a native speaker.
const largeText = { nb: "Stor tekst", nn: "Stor tekst", en: "Large text", se: "Stuorra teaksta" };

const icons = {
  // A card that lies on its side, as bank cards are drawn, and an arrow into the slot.
  insert: '<rect x="2" y="3" width="44" height="8" rx="4"/><path d="M10 7h28" stroke-width="2"/><g class="kp-rise"><path d="M24 23v-6m-4 3 4-4 4 4"/><rect x="6" y="25" width="36" height="20" rx="3"/><rect class="kp-fill" x="11" y="30" width="8" height="6" rx="1"/><path d="M11 41h12M28 41h8" stroke-width="2"/></g>',
  busy: '<circle cx="24" cy="24" r="16" opacity=".25"/><path class="kp-turn" d="M24 8a16 16 0 0 1 16 16"/>',
  pin: '<rect x="10" y="21" width="28" height="19" rx="4"/><path d="M16 21v-5a8 8 0 0 1 16 0v5"/><circle class="kp-fill" cx="24" cy="30" r="2.5"/>',
  good: '<circle cx="24" cy="24" r="17"/><path d="m16 25 6 6 11-13"/>',
  bad: '<circle cx="24" cy="24" r="17"/><path d="m18 18 12 12m0-12L18 30"/>',
  attention: '<path d="M24 7 43 40H5z"/><path d="M24 19v10"/><circle class="kp-fill" cx="24" cy="34.5" r="1.6"/>',
  neutral: '<circle cx="24" cy="24" r="17"/><path d="M24 22v11"/><circle class="kp-fill" cx="24" cy="15.5" r="1.6"/>',
  lost: '<path d="M8 20a23 23 0 0 1 32 0M14 27a14 14 0 0 1 20 0M24 36h.1M8 8l32 32"/>',
};

function icon(name) {
  return `<svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">${icons[name]}</svg>`;
}

function iconOf(frame) {
  if (frame.name === "welcome") return "insert";
  if (frame.entry >= 0 && frame.tone === "neutral") return "pin";
  return frame.tone;
}

function element(tag, className, attributes = {}, ...children) {
  const e = document.createElement(tag);
  e.className = className;
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// The entries of a menu. Each is also a button, for a touch screen.
function menu(entries) {
  const list = element("ul", "kp-menu");
  for (const entry of entries) {
    const [key, ...words] = entry.split(" ");
    const button = element("button", "kp-choice", { type: "button", "data-key": key }, element("b", "", {}, key), " ", words.join(" "));
    list.append(element("li", "", {}, button));
  }
  return list;
}

// Draws a QR code with the quiet zone of 4 modules that scanners need (ISO/IEC 18004).
function qrCode(rows) {
  const path = rows.flatMap((row, y) => [...row].map((dark, x) => (dark === "1" ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return `<svg class="kp-qr" viewBox="-4 -4 ${rows.length + 8} ${rows.length + 8}" shape-rendering="crispEdges"><path class="kp-light" d="M-4-4h99v99h-99z"/><path class="kp-dark" d="${path}"/></svg>`;
}

class KioskPanel extends HTMLElement {
  #frame = { entry: -1 };
  #mark = "";
  #stream;
  #retry;
  #queue = Promise.resolve(); // sends one key after the other, because two requests could overtake each other
  #broken = 0; // counts failed requests; keys typed before a failure are dropped
  #stop;

  connectedCallback() {
    this.#build();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    document.addEventListener("keydown", (e) => this.#keydown(e), { signal });
    // A browser opens at most six connections to a server, and a
    // stream uses one. So the stream is closed while the page is
    // hidden.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()), { signal });
    if (!document.hidden) this.#open();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#close();
  }

  // Moves the focus to the display. From there every key goes to the panel.
  focus() {
    this.display.focus({ preventScroll: true });
  }

  #build() {
    if (this.display) return;
    this.icon = element("div", "kp-icon", { "aria-hidden": "true" });
    this.live = element("div", "kp-live", { role: "status", "aria-atomic": "true" });
    this.entry = element("div", "kp-entry", { "aria-hidden": "true" });
    this.typed = element("div", "kp-unseen", { role: "status" });
    this.corner = element("div", "kp-corner");
    this.display = element("div", "kp-display", { tabindex: "-1" },
      element("div", "kp-glass", {}, this.icon, element("div", "kp-words", {}, this.live, this.entry), this.typed, this.corner));

    this.lamps = {};
    const lamps = element("div", "kp-lamps", { "aria-hidden": "true" });
    for (const colour of ["green", "yellow", "red"]) {
      this.lamps[colour] = element("span", `kp-lamp kp-${colour}`);
      lamps.append(this.lamps[colour]);
    }
    this.language = element("button", "kp-language", { type: "button", "data-key": "L" });
    this.repeat = element("button", "kp-language", { type: "button", "data-key": "R", hidden: "" });
    this.volume = element("button", "kp-language", { type: "button", "data-key": "V", hidden: "" });
    this.larger = element("button", "kp-language kp-larger", { type: "button" }, "A+");
    this.larger.addEventListener("click", () => this.#enlarge(!this.classList.contains("kp-large-text")));
    this.#enlarge(new URLSearchParams(location.search).get("text") === "large");
    this.keypad = element("div", "kp-keypad", { role: "group" });
    for (const key of keys) {
      const word = element("span", "kp-word");
      this.keypad.append(element("button", "kp-key", { type: "button", "data-key": key }, element("span", "kp-digit", {}, key), " ", word));
    }
    this.clear = this.keypad.querySelector('[data-key="*"] .kp-word');
    this.ok = this.keypad.querySelector('[data-key="#"] .kp-word');
    this.addEventListener("click", (e) => {
      const button = e.target.closest("[data-key]");
      if (button) this.#press(button.dataset.key);
    });
    // A key that is clicked does not take the focus, so Enter still
    // means OK.
    this.addEventListener("mousedown", (e) => e.target.closest("[data-key]") && e.preventDefault());
    this.prepend(this.display, element("div", "kp-middle", {}, lamps, element("div", "kp-switches", {}, this.repeat, this.volume, this.larger, this.language)), this.keypad);
  }

  // Switches the large-text mode. The parameter ?text=large in the page's
  // address switches it on at the start.
  #enlarge(on) {
    this.classList.toggle("kp-large-text", on);
    this.larger.setAttribute("aria-pressed", on);
  }

  #open() {
    this.#close();
    const stream = (this.#stream = new EventSource("/panel/events"));
    const on = (name, take) => stream.addEventListener(name, (e) => take(JSON.parse(e.data)));
    on("frame", (frame) => this.#show(frame));
    on("lamps", (lit) => {
      for (const [colour, lamp] of Object.entries(this.lamps)) lamp.classList.toggle("kp-lit", lit[colour]);
    });
    // A reconnected page gets no event if there is no mark any more.
    stream.onopen = () => this.#corner("");
    on("mark", (mark) => this.#corner(mark));
    on("cue", sound);
    stream.onerror = () => {
      this.#showLost();
      if (stream.readyState === EventSource.CLOSED) this.#retry = setTimeout(() => this.#open(), 3000);
    };
  }

  #close() {
    clearTimeout(this.#retry);
    this.#stream?.close();
  }

  // Shows the frame's own code, or else the mark, which stays from frame to frame.
  #corner(mark) {
    this.#mark = mark;
    this.corner.textContent = this.#frame.corner || mark;
  }

  #show(frame) {
    const before = this.#frame;
    this.#frame = frame;
    const { dataset } = this.display;
    dataset.screen = frame.name;
    dataset.tone = frame.tone;
    const changed = (part) => frame[part] !== before[part];
    if (["name", "lang", "heading", "text", "hint"].some(changed) || String(frame.menu) !== String(before.menu)) {
      // The text is replaced in one step, so that a screen reader
      // reads a screen only once, in its language.
      const words = element("div", "", { lang: frame.lang }, element("p", "kp-heading", {}, frame.heading));
      if (frame.menu) words.append(menu(frame.menu));
      if (frame.text) words.append(element("p", "kp-text", {}, frame.text));
      if (frame.hint) words.append(element("p", "kp-hint", {}, frame.hint));
      this.live.replaceChildren(words);
    }
    if (frame.qr) {
      dataset.icon = "qr";
      this.icon.innerHTML = qrCode(frame.qr);
    } else if (dataset.icon !== iconOf(frame)) {
      dataset.icon = iconOf(frame);
      this.icon.innerHTML = icon(dataset.icon);
    }
    this.#showEntry(frame, before);
    this.#corner(this.#mark);
    this.keypad.lang = frame.lang;
    this.keypad.setAttribute("aria-label", frame.keypad);
    this.clear.textContent = frame.clearKey;
    this.ok.textContent = frame.okKey;
    this.larger.lang = frame.lang;
    this.larger.setAttribute("aria-label", largeText[frame.lang] ?? largeText.en);
    for (const [button, name] of [[this.repeat, frame.repeat], [this.volume, frame.volume]]) {
      button.hidden = !name;
      button.lang = frame.lang;
      button.textContent = name;
    }
    this.language.lang = frame.nextLang;
    this.language.textContent = frame.nextLanguage;
  }

  #showEntry(frame, before) {
    this.entry.hidden = frame.entry < 0;
    const dots = Math.max(4, frame.entry);
    while (this.entry.children.length < dots) this.entry.append(element("span", "kp-dot"));
    while (this.entry.children.length > dots) this.entry.lastChild.remove();
    [...this.entry.children].forEach((dot, i) => dot.classList.toggle("kp-on", i < frame.entry));
    this.typed.lang = frame.lang;
    // The empty field of a new screen is not announced.
    const said = frame.entry > 0 || before.entry > 0 ? frame.entryLabel : "";
    if (this.typed.textContent !== said) this.typed.textContent = said;
  }

  #showLost() {
    this.#frame = { entry: -1 };
    this.display.dataset.screen = "lost";
    this.display.dataset.tone = "busy";
    this.display.dataset.icon = "lost";
    this.icon.innerHTML = icon("lost");
    this.entry.hidden = true;
    this.corner.textContent = "";
    this.live.replaceChildren(element("div", "", {},
      element("p", "kp-heading", { lang: "nb" }, "Ingen forbindelse"), element("p", "kp-text", { lang: "en" }, "No connection to the kiosk")));
  }

  #keydown(e) {
    if (e.defaultPrevented || e.repeat || e.ctrlKey || e.altKey || e.metaKey || document.querySelector("dialog:modal")) return;
    const key = /^[0-9]$/.test(e.key) ? e.key : keyboard[e.key];
    if (!key) return;
    // Enter on an element that has the focus through the Tab key acts
    // on that element.
    if (e.key === "Enter" && e.target.closest("button, a, summary, select, textarea")) return;
    e.preventDefault();
    this.#press(key); // shows no pressed key on the screen: bystanders would see the digit
  }

  #press(key) {
    const broken = this.#broken;
    this.#queue = this.#queue.then(async () => {
      if (broken !== this.#broken) return;
      try {
        const answer = await fetch("/panel/keys", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ key }),
        });
        if (!answer.ok) throw new Error(answer.statusText);
      } catch {
        this.#broken++; // part of a PIN must not be sent without the rest
      }
    });
  }
}

// Sounds: notes in Hz and seconds. They differ in rhythm, for people who do not
// hear the pitch.
const melodies = {
  key: [[1200, 0.02]],
  refused: [[240, 0.25]],
  attention: [[520, 0.1], [660, 0.1]],
  reminder: [[660, 0.1], [880, 0.1], [660, 0.1], [880, 0.1]],
  granted: [[660, 0.08], [780, 0.08], [1050, 0.4]],
  denied: [[330, 0.4], [220, 0.6]],
  "out-of-service": [[220, 0.25], [220, 0.25], [220, 0.25], [220, 0.25]],
};
const rest = 0.06; // seconds from one note to the next
let audio;

function sound(name) {
  // A browser allows no sound until a person has interacted with the page.
  if (!melodies[name] || !navigator.userActivation?.hasBeenActive) return;
  audio ??= new AudioContext();
  let from = audio.currentTime;
  for (const [hertz, lasts] of melodies[name]) {
    const tone = new OscillatorNode(audio, { frequency: hertz });
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.setTargetAtTime(0.07, from, 0.008);
    volume.gain.setTargetAtTime(0, from + lasts, 0.02);
    tone.connect(volume).connect(audio.destination);
    tone.start(from);
    tone.stop(from + lasts + 0.2);
    from += lasts + rest;
  }
}

customElements.define("kiosk-panel", KioskPanel);
