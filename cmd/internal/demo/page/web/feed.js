// One event of the feed as a row that opens to its JSON.

function part(className, content = "", tag = "span") {
  const e = document.createElement(tag);
  e.className = className;
  e.textContent = content;
  return e;
}

// smartkiosk.started.v1 → started
const kind = (type = "event") => type.replace(/^smartkiosk\./, "").replace(/\.v\d+$/, "");

// What an event means, where its name does not say it.
const meanings = {
  review: "The kiosk decided this visit without the hub. Now the hub has checked the kiosk's evidence and gives its own verdict.",
  epoch: "The kiosk's outbox begins: its events count from 1 within this epoch.",
  shown: "Whether the person learned the outcome of the visit.",
  service: "What the person did at the kiosk apart from the login.",
};

export function entry(event) {
  const data = event.data ?? {};
  // The hub has reviewed a visit that the kiosk decided offline.
  const review = "agrees" in data;
  const outcome = review ? kind(event.type) : (data.outcome ?? kind(event.type));

  const line = document.createElement("summary");
  const time = part("time", new Date(event.time).toLocaleTimeString("en-GB"), "time");
  time.dateTime = time.title = event.time;
  const what = part("outcome", outcome);
  what.dataset.outcome = outcome;
  const meaning = meanings[kind(event.type)];
  const who = part("who", data.holder?.name ?? "");
  if (data.holder && !data.authenticated) {
    // No PIN and no signature: the holder is not proven.
    who.classList.add("claimed");
    who.append(part("", " (not proven)"));
  }
  const why = part("why", review ? `${data.agrees ? "agrees" : "disagrees"} ${data.reason ?? ""}` : (data.reason ?? data.why ?? ""));
  const sequence = part("sequence", `#${event.sequence ?? data.eventsequence ?? ""}`.replace(/^#0+(?=\d)/, "#")); // padded to sort as text
  sequence.title = event.sequence
    ? "Sequence number of this event in the kiosk's outbox"
    : "eventsequence: sequence number of the kiosk's event that this one is about; the hub's own events have none";
  const chips = part("chips");
  if (data.offline) chips.append(part("chip-offline", "offline"));
  if (data.method) chips.append(part("chip-offline", data.sandbox ? "test" : data.method));
  line.append(time, " ", what, " ", who, " ", why, " ", chips, " ", sequence);

  const raw = part("raw", "", "pre");
  raw.tabIndex = 0; // it scrolls, so the keyboard must reach it
  raw.setAttribute("role", "region");
  raw.setAttribute("aria-label", "Event as JSON");
  raw.append(...coloured(JSON.stringify(event, null, 2)));

  const details = document.createElement("details");
  details.append(line);
  if (meaning) details.append(part("meaning", meaning, "p"));
  if (data.eventsequence) details.append(part("meaning", `eventsequence ${Number(data.eventsequence)} is the sequence number of the kiosk's event that this one is about.`, "p"));
  details.append(raw);
  const row = document.createElement("li");
  row.className = "fresh";
  row.append(details);
  return row;
}

// coloured splits JSON text into keys, strings and other values.
function* coloured(json) {
  let from = 0;
  for (const found of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g)) {
    const token = found[1] ?? found[0];
    yield json.slice(from, found.index);
    yield part(found[2] ? "json-key" : found[1] ? "json-string" : "json-value", token);
    from = found.index + token.length;
  }
  yield json.slice(from);
}
