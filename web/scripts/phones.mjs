// Telephones that are not ours: baresip, which is called and registers, and SIPp, from which no sound comes, or an echo.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";

import { freePort, STAYS_S, until } from "./service.mjs";

const MODULES = "/usr/lib/baresip/modules";

export class Baresip {
  #child;
  #folder;
  #control;

  /** One that is called at `address`. It answers at once, or rings (`rings`) until it is told what to do. */
  static async listen(service, options) {
    const phone = new Baresip(service, options);
    await until("the telephone to be ready", () => phone.log.includes("is ready"));
    return phone;
  }

  /** One that registers, and answers at once. */
  static async register(service, { user, password, ...options }) {
    const phone = new Baresip(service, { ...options, user, password, registrar: service.sip });
    await until("the telephone to be registered", () => phone.log.includes("200 OK"));
    return phone;
  }

  constructor(service, options) {
    const { user, hz = 700, port = 0, rings = false, registrar, password, control } = options;
    this.#folder = mkdtempSync(join(service.data, "baresip-"));
    this.#control = control;
    const sound = join(this.#folder, "sound.wav");
    writeFileSync(sound, service.tone(hz));
    const modules = ["g711", "aufile", "aubridge", "sndfile"].map((name) => `module ${name}.so`);
    const lines = [
      "poll_method epoll",
      `sip_listen 127.0.0.1:${port}`,
      `audio_source aufile,${sound}`,
      "audio_player aubridge,x",
      "audio_alert aubridge,x",
      `module_path ${MODULES}`,
      ...modules,
      `snd_path ${this.#folder}`,
      "module_tmp account.so",
      "module_app menu.so",
      ...(control ? ["module_app ctrl_tcp.so", `ctrl_tcp_listen 127.0.0.1:${control}`] : []),
    ];
    writeFileSync(join(this.#folder, "config"), `${lines.join("\n")}\n`);
    const parameters = [
      registrar ? "regint=60" : "regint=0",
      ...(password ? [`auth_user=${user}`, `auth_pass=${password}`] : []),
      `answermode=${rings ? "manual" : "auto"}`,
      "audio_codecs=PCMU",
    ];
    const account = `<sip:${user}@${registrar ?? "127.0.0.1"}>;${parameters.join(";")}\n`;
    writeFileSync(join(this.#folder, "accounts"), account);
    writeFileSync(join(this.#folder, "contacts"), "");
    const log = openSync(join(this.#folder, "log"), "w");
    const args = ["-f", this.#folder, "-t", String(STAYS_S)];
    this.#child = service.keep(spawn("baresip", args, { stdio: ["ignore", log, log] }));
    closeSync(log);
  }

  get log() {
    return readFileSync(join(this.#folder, "log"), "utf8");
  }

  /** The level of a tone in the last second that it has heard, in dB of full scale. */
  hears(hz) {
    // A file for each call: the latest.
    const files = readdirSync(this.#folder).filter((name) => name.endsWith("-dec.wav"));
    const last = files.sort().at(-1);
    if (!last) return -100;
    const file = readFileSync(join(this.#folder, last));
    if (file.length < 44 + 16_000) return -100;
    const rate = file.readUInt32LE(24);
    const whole = file.subarray(44, file.length - (file.length % 2)).subarray(-2 * rate);
    return levelOf(whole, rate, hz);
  }

  /** Does what its user could do: `accept`, or `hangup`, which refuses a call that rings. */
  async does(command) {
    const text = JSON.stringify({ command });
    const connection = net.connect(this.#control, "127.0.0.1");
    connection.setTimeout(20_000, () => connection.destroy(new Error(`${command}: no answer`)));
    connection.write(`${text.length}:${text},`);
    let answer = "";
    for await (const part of connection) {
      answer += part;
      if (answer.includes('"response":true')) break;
    }
    connection.destroy();
    if (!answer.includes('"ok":true')) throw new Error(`${command}: ${answer}`);
  }

  stop() {
    this.#child.kill("SIGKILL");
  }
}

/** Goertzel's algorithm over samples of 16 bits. */
function levelOf(samples, rate, hz) {
  const count = samples.length / 2;
  const step = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [before, last] = [0, 0];
  for (let at = 0; at < count; at += 1)
    [before, last] = [last, samples.readInt16LE(2 * at) / 32_768 + step * last - before];
  const power = before * before + last * last - step * before * last;
  return 10 * Math.log10(Math.max(1e-10, (4 * power) / (count * count)));
}

/**
 * A call by SIPp, with what its From says. No sound comes from it, or (`echoes`) what it hears and nothing else. It goes when it is hung
 * up on.
 */
export async function callBySipp(service, to, from, echoes = false) {
  const folder = mkdtempSync(join(service.data, "sipp-"));
  const file = join(folder, "silent.xml");
  writeFileSync(file, silent(from));
  const port = String(await freePort());
  const args = ["-sf", file, "-s", to, "-m", "1", "-i", "127.0.0.1", "-mp", port, "-nostdin", service.sip];
  if (echoes) args.unshift("-rtp_echo");
  const options = { cwd: folder, stdio: "ignore", env: { ...process.env, TERM: "xterm" } };
  return service.keep(spawn("sipp", args, options));
}

const header = (method, number, from) => `
${method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: ${from};tag=[pid]S[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>${method === "INVITE" ? "" : "[peer_tag_param]"}
Call-ID: [call_id]
CSeq: ${number} ${method}
Contact: <sip:silent@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70`;

const silent = (from) => `<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="silent">
  <send retrans="500"><![CDATA[${header("INVITE", 1, from)}
Content-Type: application/sdp
Content-Length: [len]

v=0
o=silent 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=sendrecv

]]></send>
  <recv response="100" optional="true"></recv>
  <recv response="180" optional="true"></recv>
  <recv response="200"></recv>
  <send><![CDATA[${header("ACK", 1, from)}
Content-Length: 0

]]></send>
  <recv request="BYE"></recv>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`;
