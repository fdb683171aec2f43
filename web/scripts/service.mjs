// A service for the tour: the real program on free ports with data of its own, an account, services, rooms, people and callers.
import { execFile, spawn } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { promisify } from "node:util";

import { Mailbox } from "./mailbox.mjs";
import { scenes } from "./scenes.mjs";

const run = promisify(execFile);
const account = "1-2-0/tour@example.com";
/** So long telephones stay: longer than it takes to look at all pages. */
export const STAYS_S = 1_800;
const dist = join(import.meta.dirname, "..", "dist");
const types = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};

export async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** On a busy machine everything takes its time: so long is waited for anything. */
export const PATIENCE_MS = 1_000 * Number(process.env.PATIENCE_S ?? 60);

export async function until(what, condition, ms = PATIENCE_MS) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`waited ${ms / 1_000} s for ${what}; last: ${JSON.stringify(last)?.slice(0, 300)}`);
}

const RATE = 8_000;
const LOUD = 6_000;
/** About -25 dBov. */
const NOISE = 3_200;

const noise = () => (2 * Math.random() - 1) * NOISE;
/** Something like speech: syllables of a tone, with pauses between and behind them in which a quiet room is heard. */
const speech = (hz) => (second) => {
  const speaks = second % 0.25 < 0.18 && second % 2 < 1.5;
  return speaks ? LOUD * Math.sin(2 * Math.PI * hz * second) : noise() / 100;
};

/** So many seconds of a sound as WAV: 16 bits, one channel. */
function wav(seconds, sound) {
  const samples = seconds * RATE;
  const file = Buffer.alloc(44 + 2 * samples);
  file.write("RIFF");
  file.writeUInt32LE(36 + 2 * samples, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(2 * RATE, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(2 * samples, 40);
  for (let at = 0; at < samples; at += 1) file.writeInt16LE(Math.round(sound(at / RATE)), 44 + 2 * at);
  return file;
}

export class Service {
  #children = [];
  #forwarder = null;
  /** What became of programs that ended by themselves. */
  troubles = [];

  /** `settings`: variables of its environment beside those that all have. */
  static async start(program, settings = {}) {
    const service = new Service();
    service.program = program;
    service.settings = settings;
    service.data = mkdtempSync(join(tmpdir(), "plenary-tour-"));
    service.mailbox = await Mailbox.open();
    const [web, sip, rtp] = [
      await freePort(),
      await freePort(),
      20_000 + 2 * Math.floor(Math.random() * 4_000),
    ];
    service.sip = `127.0.0.1:${sip}`;
    service.api = `http://127.0.0.1:${web}`;
    service.key = (await service.command("account", "create", account)).split("\n").at(-1);
    const args = ["serve", "--data", service.data, "--http", `127.0.0.1:${web}`, "--sip", service.sip];
    service.#spawn([...args, "--rtp-ports", `${rtp}-${rtp + 1_999}`]);
    await until("the service", async () => (await fetch(`${service.api}/healthz`)).ok);
    await service.#putServices();
    // PAGES=dist: those that were built last, whatever the program has.
    const isOwn = process.env.PAGES !== "dist" && (await service.#hasPages());
    service.base = isOwn ? service.api : await service.#forward(web);
    return service;
  }

  async command(...args) {
    const { stdout } = await run(this.program, [...args, "--data", this.data]);
    return stdout.trim();
  }

  /** The path of the link by which a person sets a password. */
  async invite(name, mail, ...options) {
    const link = (await this.command("person", "invite", ...options, "--account", account, name, mail))
      .split("\n")
      .at(-1);
    return link.slice(link.indexOf("/console/"));
  }

  async request(method, path, body) {
    const answer = await fetch(this.api + path, {
      method,
      headers: { ...this.#signedIn(), "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** A sound of the account. */
  async upload(name, audio) {
    const answer = await fetch(`${this.api}/v1/media/${name}`, {
      method: "PUT",
      headers: { ...this.#signedIn(), "Content-Type": "application/octet-stream" },
      body: audio,
    });
    if (!answer.ok) throw new Error(`the sound ${name}: ${answer.status} ${await answer.text()}`);
  }

  async participants(conference) {
    try {
      return (await this.request("GET", `/v1/conferences/${conference}/participants`)).items;
    } catch {
      return [];
    }
  }

  /** One more in a conference, by what `call` does, with a name: two that are on their way at once come in either order. */
  async seat(conference, display_name, call) {
    const before = new Set((await this.participants(conference)).map((one) => one.participant_id));
    await call();
    const came = await until(`${display_name} in ${conference}`, async () =>
      (await this.participants(conference)).find((one) => !before.has(one.participant_id)),
    );
    const path = `/v1/conferences/${conference}/participants/${came.participant_id}`;
    await this.request("PATCH", path, { display_name });
  }

  /** A telephone into which a person speaks, with a voice of this height. */
  call(service, hz, dtmf = "") {
    return this.#call(service, `voice-${hz}`, speech(hz), ...(dtmf ? ["--dtmf", dtmf] : []));
  }

  /** A telephone of whose speech the network loses a third. */
  lossy(service) {
    return this.#call(service, "voice-520", speech(520), "--loss-permille", "330");
  }

  /** What a stranger is told who calls this, or "nothing" within `ms`. */
  async tries(service, ms) {
    // Where there are telephones a password is asked for: who knows none guesses that, too.
    const guess = ["--user", "mallory", "--password", "guessed"];
    const args = ["call", `sip:${service}@${this.sip};transport=tcp`, "--seconds", "1", ...guess];
    try {
      await run(this.program, args, { timeout: ms, killSignal: "SIGKILL" });
      return "answered";
    } catch (error) {
      return error.killed ? "nothing" : error.stderr;
    }
  }

  /** Five minutes of a tone, as WAV. */
  tone(hz) {
    return wav(300, (second) => LOUD * Math.sin(2 * Math.PI * hz * second));
  }

  /** A program that ends with the service. */
  keep(child) {
    this.#children.push(child);
    return child;
  }

  /** What the microphones of browsers hear: a voice of this height, as a file. */
  voice(hz) {
    return this.#file(`voice-${hz}`, speech(hz));
  }

  /** A telephone from which noise comes. */
  noisy(service) {
    return this.#call(service, "noise", noise);
  }

  #call(service, name, sound, ...more) {
    const play = this.#file(name, sound);
    return this.#spawn([
      "call",
      `sip:${service}@${this.sip}`,
      "--seconds",
      String(STAYS_S),
      "--play",
      play,
      ...more,
    ]);
  }

  #file(name, sound) {
    const file = join(this.data, `${name}.wav`);
    // A telephone may be about to read it.
    if (!existsSync(file)) writeFileSync(file, wav(6, sound));
    return file;
  }

  stop() {
    // Nothing of it is kept: it does not have to end its calls.
    for (const child of this.#children) child.kill("SIGKILL");
    this.#forwarder?.close();
    this.#forwarder?.closeAllConnections();
    this.mailbox.close();
    rmSync(this.data, { recursive: true, force: true });
  }

  #spawn(args) {
    const env = {
      ...process.env,
      // Conferences that begin at once can be booked.
      PLENARY_RESERVATIONS_MIN_NOTICE_MINUTES: "0",
      // What calendar files say to join by.
      PLENARY_MAIL_JOIN: "https://conference.example.com/join/{code}",
      PLENARY_MAIL_HOST: "127.0.0.1",
      PLENARY_MAIL_PORT: String(this.mailbox.port),
      PLENARY_MAIL_SECURITY: "none",
      PLENARY_MAIL_FROM: "conferences@example.com",
      PLENARY_MAIL_NUMBER: "+44 1632 960000",
      // Those who call from this machine are not trusted: who asks in vain is banned.
      PLENARY_SIGNALLING_TRUSTED: "192.0.2.1/32",
      ...this.settings,
    };
    const child = spawn(this.program, args, { stdio: ["ignore", "ignore", "pipe"], env });
    let said = "";
    child.stderr.on("data", (text) => {
      said = (said + text).slice(-400);
    });
    child.on("close", (code) => {
      if (code)
        this.troubles.push(`plenary ${args.slice(0, 2).join(" ")} ended with ${code}: ${said.trim()}`);
    });
    this.#children.push(child);
    return child;
  }

  #signedIn() {
    return { Authorization: `Basic ${Buffer.from(`${account}:${this.key}`).toString("base64")}` };
  }

  async #putServices() {
    const access = { networks: ["127.0.0.0/8"], tokens: true };
    await this.request("PUT", "/service/v1/inbound/conf-*", { conference: { name: "{rest}" }, access });
    await this.request("PUT", "/service/v1/inbound/meet", { entry: { rooms: true }, access });
    for (const { weekly, lobby } of Object.values(scenes)) {
      for (const [room, more] of [
        [weekly, {}],
        [lobby, { lobby: true }],
      ]) {
        const { number, name: conference, pin, leader: leader_pin } = room;
        await this.request("PUT", `/v1/rooms/${number}`, { conference, pin, leader_pin, ...more });
      }
    }
  }

  async #hasPages() {
    const answer = await fetch(`${this.api}/console`);
    return answer.ok && (await answer.text()).includes("/assets/");
  }

  /** Serves web/dist for a program that was built without it, under the policy that the program has. */
  async #forward(web) {
    const port = await freePort();
    const policy = [
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:",
      `connect-src 'self' ws://127.0.0.1:${port}; font-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'`,
      "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ].join("; ");
    this.#forwarder = http.createServer((request, answer) => {
      const { pathname } = new URL(request.url, "http://localhost");
      if (/^\/(v1|docs)(\/|$)/.test(pathname)) {
        const { url: path, method, headers } = request;
        const onward = http.request({ host: "127.0.0.1", port: web, path, method, headers }, (got) => {
          answer.writeHead(got.statusCode, got.headers);
          got.pipe(answer);
        });
        onward.on("error", () => answer.destroy());
        answer.on("close", () => onward.destroy());
        request.pipe(onward);
        return;
      }
      const page = /^\/(console|join)(\/|$)/.exec(pathname)?.[1];
      const file = join(dist, normalize(page ? `${page}.html` : pathname));
      if (!file.startsWith(dist) || !existsSync(file)) return answer.writeHead(404).end();
      answer.writeHead(200, { "Content-Type": types[extname(file)], "Content-Security-Policy": policy });
      createReadStream(file).pipe(answer);
    });
    this.#forwarder.on("upgrade", (request, socket) => {
      const onward = net.connect(web, "127.0.0.1", () => {
        const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`);
        onward.write(`GET ${request.url} HTTP/1.1\r\n${headers.join("")}\r\n`);
        onward.pipe(socket).pipe(onward);
      });
      for (const [one, other] of [
        [onward, socket],
        [socket, onward],
      ])
        one.on("error", () => other.destroy());
    });
    await new Promise((done) => this.#forwarder.listen(port, "127.0.0.1", done));
    return `http://127.0.0.1:${port}`;
  }
}
