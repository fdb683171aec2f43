// What callers do on the join page by themselves, and what they see of what a leader does.
import { inConference, isHeard } from "./heard.mjs";
import { until } from "./service.mjs";

const narrow = { width: 375, height: 812 };
const wide = { width: 1440, height: 900 };

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
    await caller.keyboard.press("Escape");
    await caller.setViewportSize(narrow);
    await by.press(caller, "button:has-text('People')");
    await caller.waitForSelector("dialog >> text=(you)");
    await look(caller, "join-people");
    await caller.keyboard.press("Escape");
    await by.press(caller, "button:has-text('Devices')");
    await caller.waitForSelector("dialog [role=meter]");
    await look(caller, "join-devices");
    await caller.keyboard.press("Escape");
    await caller.setViewportSize(wide);
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
