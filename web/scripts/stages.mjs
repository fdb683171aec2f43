// What `bench.mjs` measures the pages against: the real program with real calls, or a service that plays one. Both have a room with 350
// participants in which ten things happen a second, and levels of those who talk five times a second.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";

import { accept } from "./flows.mjs";
import { mouse } from "./hands.mjs";
import { Service, until } from "./service.mjs";

export const PARTICIPANTS = 350;
export const ROOM = "Big";
const EVENT_MS = 100;

/** What happened, and for how long: ten a second are wanted. */
class Pace {
  #begun = Date.now();
  events = 0;

  get perSecond() {
    return (this.events * 1_000) / (Date.now() - this.#begun);
  }
}

/** The program, and calls by `plenary load`: three talk, and one after the other is muted and unmuted. */
export async function real(program) {
  const service = await Service.start(program, {
    PLENARY_CONFERENCES_UNRESERVED_MAX_PARTICIPANTS: String(PARTICIPANTS),
    // All calls come from this machine, within seconds.
    PLENARY_SIGNALLING_TRUSTED: "127.0.0.0/8",
  });
  let events = null;
  const close = () => {
    clearInterval(events);
    service.stop();
  };
  try {
    if (service.base !== service.api) throw new Error(`${program} has no pages`);
    const room = `/v1/conferences/${ROOM}`;
    const calls = ["--participants", String(PARTICIPANTS), "--talkers", "3", "--ramp", "25", "--probes", "0"];
    const args = ["load", "--target", `sip:conf-${ROOM}@${service.sip}`, ...calls, "--seconds", "3600"];
    service.keep(spawn(program, args, { stdio: "ignore" }));
    await until("all calls", async () => {
      const { participants } = await service.request("GET", room);
      return participants === PARTICIPANTS;
    });
    const { items } = await service.request("GET", `${room}/participants?limit=500`);
    const { path } = await service.request("POST", "/v1/guest-links", { conference: ROOM });
    let asked = 0;
    const pace = new Pace();
    events = setInterval(() => {
      const { participant_id } = items[(Math.floor(asked / 2) * 37) % items.length];
      const muted = asked % 2 === 0;
      asked += 1;
      service.request("PATCH", `${room}/participants/${participant_id}`, { muted }).then(
        () => (pace.events += 1),
        // What was not done is missing from the pace.
        () => undefined,
      );
    }, EVENT_MS);
    /** Signs in an operator, in all pages of this browser. */
    const enter = async (context) => {
      const page = await context.newPage();
      const who = ["Bench Example", "bench@example.com", "--operator", "--role", "admin"];
      await accept({ service, by: mouse }, page, await service.invite(...who));
      await page.waitForSelector("h1:has-text('Conferences')");
      await page.close();
    };
    return { what: "the program, with real calls", base: service.base, join: path, pace, enter, close };
  } catch (error) {
    for (const trouble of service.troubles) console.log(trouble);
    close();
    throw error;
  }
}

const id = (number) => `0000000000000000.${number}`;
const participants = Array.from({ length: PARTICIPANTS }, (_, number) => ({
  participant_id: id(number),
  display_name: `Participant ${number}`,
  from: `${1000 + number}`,
  to: `conf-${ROOM}`,
  direction: "in",
  state: "in",
  leader: number === 0,
  muted: number % 3 === 0,
  muted_by: number % 3 === 0 ? "self" : null,
  dtmf_enabled: true,
  self_unmute: true,
  hand_raised_at: null,
  talking: false,
  gain_db: 0,
  entered_at: "2030-01-01T10:00:00Z",
  heard_by: null,
  sound: { automatic_gain: false, noise_suppression: false },
  admitted_by: "network",
  statistics: { codec: "opus", mos: 4.3, noise_floor_dbov: number % 50 === 0 ? -40 : -70, echo_suspicion: 0 },
}));
const conference = {
  name: ROOM,
  state: "active",
  reserved: false,
  max_participants: PARTICIPANTS,
  participants: PARTICIPANTS,
  waiting: 0,
  started_at: "2030-01-01T10:00:00Z",
  ends_at: null,
  locked: false,
  lecture: false,
  muted_on_entry: false,
  self_unmute: true,
  recording: null,
};
const account = { id: 1, login: "1-2-0/bench", role: null };
const answers = {
  "/v1/session": {
    person: { id: 1, name: "Bench", mail: "bench@example.com", language: "en", operator: true },
    account,
    accounts: [account],
    scopes: ["read", "control", "book", "records", "config", "operator"],
  },
  "/v1/conferences": { items: [conference], next: null },
  [`/v1/conferences/${ROOM}`]: conference,
  [`/v1/conferences/${ROOM}/participants`]: { items: participants, next: null },
  "/v1/reservations": { items: [], next: null },
};

function follow(answer, pace) {
  answer.writeHead(200, { "Content-Type": "text/event-stream" });
  let seq = 0;
  const talking = new Set();
  const events = setInterval(() => {
    // The same participant for five events: each hand that goes up comes down again.
    const number = (Math.floor(seq / 5) * 37) % PARTICIPANTS;
    const kinds = [
      "participant.talking",
      "participant.muted",
      "participant.hand_raised",
      "participant.unmuted",
      "participant.hand_lowered",
    ];
    const type = kinds[seq % kinds.length];
    if (type === "participant.talking") talking.add(id(number));
    if (talking.size > 5) talking.clear();
    seq += 1;
    const event = {
      seq,
      type,
      at: new Date().toISOString(),
      conference: ROOM,
      participant_id: id(number),
      data: type === "participant.muted" ? { by: "leader" } : {},
    };
    answer.write(`id: ${seq}\ndata: ${JSON.stringify(event)}\n\n`);
    pace.events += 1;
  }, EVENT_MS);
  const levels = setInterval(() => {
    const data = { levels_dbov: Object.fromEntries([...talking].map((one) => [one, -20])) };
    answer.write(`data: ${JSON.stringify({ type: "levels", conference: ROOM, data })}\n\n`);
  }, 200);
  answer.on("close", () => {
    clearInterval(events);
    clearInterval(levels);
  });
}

const dist = process.env.DIST ?? join(import.meta.dirname, "..", "dist");
const types = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The pages as they were built last, and answers that are made up. */
export async function played() {
  // Compressed as the program has them: what a network takes for them depends on it.
  const files = new Map(
    readdirSync(dist, { recursive: true })
      .filter((file) => types[extname(file)])
      .map((file) => [`/${file}`, brotliCompressSync(readFileSync(join(dist, file)))]),
  );
  let pace = new Pace();
  const server = createServer((request, answer) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/v1/events") {
      pace = new Pace();
      return follow(answer, pace);
    }
    if (answers[pathname]) {
      answer.writeHead(200, { "Content-Type": "application/json" });
      return answer.end(JSON.stringify(answers[pathname]));
    }
    const page = /^\/(console|join)(\/|$)/.exec(pathname)?.[1];
    const path = page ? `/${page}.html` : pathname;
    const file = files.get(path);
    if (!file) return answer.writeHead(404).end();
    answer.writeHead(200, { "Content-Type": types[extname(path)], "Content-Encoding": "br" });
    answer.end(file);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    what: "web/dist, with a service that is played",
    base: `http://127.0.0.1:${server.address().port}`,
    join: `/join/meet#token=bench&title=${ROOM}`,
    get pace() {
      return pace;
    },
    enter: async () => {},
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
