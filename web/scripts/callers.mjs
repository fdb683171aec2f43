// What callers do on the join page by themselves, and what they see of what a leader does.
import { closeDialog } from "./hands.mjs";
import { inConference, isHeard } from "./heard.mjs";
import { narrow, wide } from "./look.mjs";
import { until } from "./service.mjs";

/** Whether the audio that the page sends is that of the microphone. */
const sends = (page) => page.evaluate(() => window.peers.at(-1).getSenders()[0].track.enabled);

/** A caller mutes, reloads the page, and speaks again. */
export async function muteAndReload({ service, step, by, look, scene, caller }) {
  const { board, guest } = scene;
  await step("a mute outlasts a reload, and M lifts it", async () => {
    await by.press(caller, "button:has-text('Mute')");
    await caller.waitForSelector("text=You are muted");
    await caller.waitForSelector("text=You speak, but you are muted");
    await look(caller, "join-muted");
    await caller.reload();
    await caller.waitForSelector("text=(you)");
    await caller.waitForSelector("text=You are muted");
    if (await sends(caller)) throw new Error("what the microphone hears is sent");
    await caller.keyboard.press("m");
    await caller.waitForSelector("text=You can be heard");
    if (!(await sends(caller))) throw new Error("nothing is sent");
    await isHeard(service, caller, board, guest);
  });
}

/** In a room with keys: the hand, the keypad, people and devices. */
export async function handAndKeys({ service, step, by, look, scene, leader, caller }) {
  const { weekly } = scene;
  const hand = async () => (await inConference(service, weekly.name, "Dora"))?.hand_raised_at;
  const shows = (up) => caller.waitForSelector(`button[aria-pressed=${up}]:has-text('Hand')`);
  await step("a hand that the leader lowers is down on the caller's page, and H raises it", async () => {
    await shows(true);
    await leader.goto(`${service.base}/console/rooms/${weekly.name}`);
    await by.press(leader, "button:has-text('Let speak')");
    await shows(false);
    await caller.keyboard.press("h");
    await until("the hand again", hand);
    await shows(true);
    await caller.keyboard.press("h");
    await until("the hand down", async () => !(await hand()));
    await shows(false);
  });
  await step("keys are pressed in the keypad and typed, and people and devices are there", async () => {
    const sent = () => caller.textContent("dialog output");
    await by.press(caller, "button:has-text('Keypad')");
    await by.press(caller, "dialog button:has-text('3')");
    await caller.keyboard.type("5#");
    await until("the keys", async () => (await sent()).endsWith("35#"));
    await look(caller, "join-keypad");
    await closeDialog(caller);
    await caller.setViewportSize(narrow);
    await by.press(caller, "button:has-text('People')");
    await caller.waitForSelector("dialog >> text=(you)");
    await look(caller, "join-people", [narrow]);
    await closeDialog(caller);
    await caller.setViewportSize(wide);
    await by.press(caller, "button:has-text('Devices')");
    await caller.waitForSelector("dialog [role=meter]");
    await look(caller, "join-devices");
    await closeDialog(caller);
  });
}

/** What a browser may refuse. */
export async function refusedLater({ service, step, by, look, scene, newPage }, token) {
  const { weekly } = scene;
  const link = `${service.base}/join/meet#token=${token}&room=${weekly.number}&pin=${weekly.pin}`;
  const named = async (name) =>
    (await service.participants(weekly.name)).filter((one) => one.display_name === name);
  await step("a microphone that is refused after a reload leaves one seat, which listens", async () => {
    const page = await newPage({ permissions: ["microphone"] });
    await page.goto(link);
    await by.fill(page, "input[autocomplete=name]", "Mara");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=(you)");
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await page.reload();
    await page.waitForSelector("text=Your microphone could not be opened");
    await page.waitForSelector("text=(you)");
    await until("one seat", async () => (await named("Mara")).length === 1);
    await look(page, "join-refused-later");
    await page.context().close();
  });
  await step("audio that finds no way is said, and leaves no seat behind", async () => {
    const page = await newPage({ permissions: ["microphone"] });
    // The service is said to be where nothing is.
    await page.addInitScript(() => {
      const { setRemoteDescription: set } = RTCPeerConnection.prototype;
      RTCPeerConnection.prototype.setRemoteDescription = function (description) {
        const { type, sdp } = description;
        const elsewhere = sdp.replace(/^(a=candidate:\S+ \d+ \S+ \d+ \S+) \d+/gm, "$1 9");
        return set.call(this, { type, sdp: elsewhere });
      };
    });
    await page.goto(link);
    await by.fill(page, "input[autocomplete=name]", "Nora");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=The audio found no way through your network");
    await look(page, "join-no-way");
    await until("no seat", async () => (await named("Nora")).length === 0);
    await page.context().close();
  });
}

/** Before and during a call: its sound is tried, it is joined muted, and single keys are turned off. */
export async function joining({ service, step, by, scene, newPage }) {
  const room = scene.hall.annex;
  await service.seat(room, "Greta Hall", () => service.call(`conf-${room}`, 440));
  const { path } = await service.request("POST", "/v1/guest-links", { conference: room });
  const page = await newPage({ permissions: ["microphone"] });
  // How loud is what the page plays.
  await page.addInitScript(() => {
    const { play } = HTMLMediaElement.prototype;
    window.loudest = 0;
    HTMLMediaElement.prototype.play = function () {
      const context = new AudioContext();
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(this.srcObject).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      const timer = setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        window.loudest = Math.max(window.loudest, ...samples);
      }, 50);
      setTimeout(() => clearInterval(timer), 2_000);
      return play.call(this);
    };
  });
  await step("the loudspeaker is tried, and who joins muted is not heard until they want it", async () => {
    await page.goto(service.base + path);
    await by.fill(page, "input[autocomplete=name]", "Jo Quiet");
    await by.press(page, "button:has-text('Play a sound')");
    await until("the sound", () => page.evaluate(() => window.loudest > 0.05));
    await by.press(page, "label:has-text('Join muted') input");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=(you)");
    await page.waitForSelector("text=You are muted");
    if (await sends(page)) throw new Error("what the microphone hears is sent");
    const level = await until("packets", async () => {
      const { packets_received, level_dbov } = (await inConference(service, room, "Jo Quiet")).statistics;
      return packets_received > 100 && `${level_dbov ?? "nothing"}`;
    });
    if (Number(level) > -60) throw new Error(`a level of ${level}`);
    await by.press(page, "button:has-text('Unmute')");
    await isHeard(service, page, room, "Jo Quiet");
  });
  await step("single keys of the join page are turned off, and on", async () => {
    const box = "dialog label:has-text('Single keys') input";
    const turn = async (isOn) => {
      await by.press(page, "button:has-text('Devices')");
      await by.press(page, box);
      if ((await page.isChecked(box)) !== isOn) throw new Error(`they are ${isOn ? "off" : "on"}`);
      await closeDialog(page);
    };
    await turn(false);
    await page.keyboard.press("m");
    await page.waitForTimeout(500);
    if (!(await sends(page))) throw new Error("M mutes");
    await page.reload();
    await page.waitForSelector("text=(you)");
    await page.keyboard.press("m");
    await page.waitForTimeout(500);
    if (!(await sends(page))) throw new Error("M mutes after a reload");
    await turn(true);
    await page.keyboard.press("m");
    await page.waitForSelector("text=You are muted");
    if (await sends(page)) throw new Error("M does not mute");
    await by.press(page, "button:has-text('Leave')");
  });
  await page.context().close();
}

/** Microphones that give nothing, and doors that are closed: each has a sentence of its own. */
export async function deviceStates({ service, step, by, look, scene, newPage }) {
  const room = scene.devices;
  await service.seat(room, "Tessa Hall", () => service.call(`conf-${room}`, 440));
  const { path } = await service.request("POST", "/v1/guest-links", { conference: room });
  /** A page whose browser has these devices. */
  const open = async (devices, argument) => {
    const page = await newPage({ permissions: ["microphone"] });
    await page.addInitScript(devices, argument);
    await page.goto(service.base + path);
    await page.waitForSelector("input[autocomplete=name]");
    return page;
  };
  const refuse = (name) => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", name));
  };
  await step("a microphone that is silent, taken, or not there is named as such", async () => {
    for (const [name, text] of [
      ["NotFoundError", "No microphone was found"],
      ["NotReadableError", "Perhaps another program uses it"],
    ]) {
      const page = await open(refuse, name);
      await page.waitForSelector(`text=${text}`);
      await page.waitForSelector("button[type=submit]:has-text('Listen only')");
      await look(page, `join-${name === "NotFoundError" ? "no-microphone" : "microphone-taken"}`);
      await page.context().close();
    }
    const silent = await open(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        // A browser that captures lets its pages hear.
        await ask(wanted);
        return new AudioContext().createMediaStreamDestination().stream;
      };
    });
    await silent.waitForSelector("text=Nothing comes from this microphone");
    await look(silent, "join-microphone-silent");
    await silent.context().close();
    const insecure = await open(() => {
      Object.defineProperty(navigator, "mediaDevices", { value: undefined });
      Object.defineProperty(window, "isSecureContext", { value: false });
    });
    await insecure.waitForSelector("text=Browsers give microphones to pages over HTTPS only");
    await look(insecure, "join-insecure");
    await insecure.context().close();
  });
  await step("another microphone is taken during the call, and is heard", async () => {
    const page = await open(() => {});
    await by.fill(page, "input[autocomplete=name]", "Mia");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=(you)");
    await by.press(page, "button:has-text('Devices')");
    const microphones = page.locator("dialog select").first();
    const all = await microphones
      .locator("option")
      .evaluateAll((some) => some.map(({ value, label }) => ({ value, label })));
    const now = await microphones.inputValue();
    const other = all.findLast(({ value }) => value && value !== "default" && value !== now);
    if (!other) throw new Error(`there is no other one: ${JSON.stringify(all)}`);
    await by.choose(page, "dialog select >> nth=0", other.label);
    let sent;
    await until("the other microphone", async () => {
      sent = await page.evaluate(() => {
        const { track } = window.peers.at(-1).getSenders()[0];
        return `${track.getSettings().deviceId} ${track.label}`;
      });
      return sent.startsWith(other.value);
    }).catch(() => {
      throw new Error(`${sent} is sent, not ${other.value} of ${JSON.stringify(all)}, before it was ${now}`);
    });
    await closeDialog(page);
    await isHeard(service, page, room, "Mia");
    await by.press(page, "button:has-text('Leave')");
    await page.context().close();
  });
  await step("a locked conference, and a service that cannot be reached, are named as such", async () => {
    await service.request("PATCH", `/v1/conferences/${room}`, { locked: true });
    const page = await open(() => {});
    await by.fill(page, "input[autocomplete=name]", "Lou");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=The conference is locked. Ask its leader to let you in");
    await look(page, "join-locked");
    await service.request("PATCH", `/v1/conferences/${room}`, { locked: false });
    await page.routeWebSocket("**/sipproxy", (socket) => socket.close());
    await page.reload();
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=The service cannot be reached");
    await look(page, "join-unreachable");
    await page.context().close();
  });
  await step("a browser that holds sound back says so, and a press lets it through", async () => {
    const page = await newPage();
    // As browsers do it, where they are not told to play all by whoever started them.
    await page.addInitScript(() => {
      const { play } = HTMLMediaElement.prototype;
      let isPressed = false;
      for (const type of ["pointerdown", "keydown"]) {
        addEventListener(type, () => (isPressed = true), { capture: true });
      }
      // Nor do they begin by themselves.
      Object.defineProperty(HTMLMediaElement.prototype, "autoplay", { get: () => false, set: () => {} });
      HTMLMediaElement.prototype.play = function () {
        return isPressed ? play.call(this) : Promise.reject(new DOMException("no", "NotAllowedError"));
      };
    });
    await page.goto(service.base + path);
    await by.fill(page, "input[autocomplete=name]", "Hal");
    await by.press(page, "button:has-text('Listen only')");
    await page.waitForSelector("text=(you)");
    await page.reload();
    await page.waitForSelector("text=Your browser holds the sound back until you press a button");
    await look(page, "join-sound-held");
    await by.press(page, "button:has-text('Turn the sound on')");
    await page.waitForSelector("text=Your browser holds the sound back", { state: "detached" });
    await page.waitForSelector("text=(you)");
    await until("sound", () =>
      page.evaluate(async () => {
        const stats = await window.peers.at(-1).getStats();
        return [...stats.values()].some((one) => one.type === "inbound-rtp" && one.totalAudioEnergy > 0.001);
      }),
    );
    await page.context().close();
  });
}
