// What leaders do beside what each conference needs: with all at once, with who enters, with sounds of their own, and with single keys.
import { closeDialog } from "./hands.mjs";
import { inConference } from "./heard.mjs";
import { Baresip } from "./phones.mjs";
import { until } from "./service.mjs";
import { field } from "./telephony.mjs";

const inside = "section:has(h2:text-is('In the conference'))";
const inRoom = (name) => `[role=row]:has-text(${JSON.stringify(name)})`;
const more = "[role=toolbar] button[aria-haspopup=menu]:has-text('More')";
const muteAll = "[role=toolbar] button:has-text('Mute all')";

/** Louder than this is heard, and what is 20 dB below is not. */
const HEARD_DB = -40;

export async function control(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const { name: room, annex, sound } = scene.hall;
  const conference = () => service.request("GET", `/v1/conferences/${room}`);
  const one = (who) => inConference(service, room, who);
  const all = async (test) => {
    const people = (await service.participants(room)).filter(({ state }) => state === "in");
    return people.length > 5 && people.every(test);
  };
  const names = ["Tessa Hall", "Olga Wood", "Ravi Stone", "Sven Lake", "Yuki Field", "Zoe Hill"];
  for (const [index, who] of names.entries())
    await service.seat(room, who, () => service.call(`conf-${room}`, 400 + 20 * index));
  await page.goto(`${service.base}/console/rooms/${room}`);
  await page.waitForSelector(inRoom("Zoe Hill"));

  await step("participants are found by name, and the address says so", async () => {
    const search = `${inside} input[type=search]`;
    await by.fill(page, search, "olga");
    await page.waitForURL(/filter=olga/);
    const rows = () => page.locator("[role=grid] [role=row]").count();
    await until("one row", async () => (await rows()) === 1);
    await page.waitForSelector(inRoom("Olga Wood"));
    await look(page, "room-filter");
    await page.reload();
    await page.waitForSelector(inRoom("Olga Wood"));
    await by.fill(page, search, "nobody");
    await page.waitForSelector("text=Nobody matches");
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Backspace");
    await until("all rows", async () => (await rows()) === names.length);
  });
  await step("all are muted and may unmute themselves, or may not, and all are unmuted", async () => {
    await by.pick(page, muteAll, "They may unmute themselves");
    await until("the mute of all", () => all(({ muted_by }) => muted_by === "leader"));
    await page.waitForSelector(`${inRoom("Tessa Hall")} >> text=muted by leader`);
    if (!(await conference()).self_unmute) throw new Error("they may not unmute themselves");
    await by.pick(page, more, "Do not let people unmute themselves");
    await until("that they may not", async () => !(await conference()).self_unmute);
    await by.pick(page, muteAll, "Unmute all");
    await until("the unmute of all", () => all(({ muted }) => !muted));
    await page.waitForSelector("[role=row] >> text=muted by leader", { state: "detached" });
    if (!(await conference()).self_unmute) throw new Error("they may still not unmute themselves");
  });
  await step("who enters is muted, as long as the leader wants it", async () => {
    await by.pick(page, more, "Mute those who enter");
    await until("that they are muted", async () => (await conference()).muted_on_entry);
    await service.seat(room, "Ned Late", () => service.call(`conf-${room}`, 560));
    await page.waitForSelector(`${inRoom("Ned Late")} >> text=muted`);
    if (!(await one("Ned Late")).muted) throw new Error("he is not muted");
    await by.pick(page, more, "Do not mute those who enter");
    await until("that they are not", async () => !(await conference()).muted_on_entry);
    await by.press(page, "button:has-text('Unmute Ned Late')");
    await until("the unmute", async () => !(await one("Ned Late")).muted);
  });
  await step("a participant is made a leader, and is none any longer", async () => {
    await by.pick(page, "button:has-text('More for Olga Wood')", "Make leader");
    await page.waitForSelector(`${inRoom("Olga Wood")} strong:has-text('leader')`);
    if (!(await one("Olga Wood")).leader) throw new Error("she is none");
    await by.pick(page, "button:has-text('More for Olga Wood')", "No longer leader");
    await page.waitForSelector(`${inRoom("Olga Wood")} strong:has-text('leader')`, { state: "detached" });
    if ((await one("Olga Wood")).leader) throw new Error("she is one");
  });
  await sounds(world);
  await step("several are moved at once", async () => {
    for (const who of ["Sven Lake", "Yuki Field"]) await by.press(page, `input[aria-label='Select ${who}']`);
    await page.waitForSelector("text=2 selected");
    await by.press(page, `${inside} button:text-is('Move')`);
    await by.fill(page, `dialog ${field("To the conference")}`, annex);
    await look(page, "room-move-many");
    await by.press(page, "dialog button[type=submit]");
    for (const who of ["Sven Lake", "Yuki Field"])
      await until(`${who} in the other one`, () => inConference(service, annex, who));
    await page.waitForSelector(inRoom("Yuki Field"), { state: "detached" });
  });
  await service.request("DELETE", `/v1/media/${sound}`);
  await singleKeys(world);
}

/** A sound of the account, which two telephones may hear. */
async function sounds({ service, step, by, look, scene, operator: page }) {
  const { name: room, sound, phones } = scene.hall;
  const heard = [];
  for (const [index, who] of ["Hans Hear", "Deirdre Deaf"].entries()) {
    const user = phones[index];
    const password = "heard.by.telephone";
    await service.request("PUT", `/v1/users/${user}`, { password });
    heard.push(await Baresip.register(service, { user, password, hz: 900 }));
    await service.seat(room, who, () =>
      service.request("POST", `/v1/conferences/${room}/participants`, { to: `user:${user}` }),
    );
  }
  const [hans, deirdre] = heard;
  await service.upload(sound, service.tone(1_500));
  await step("a sound of the account's own is played to one alone, then to all", async () => {
    await by.pick(page, "button:has-text('More for Hans Hear')", "Play to them alone");
    await page.waitForSelector(`dialog option:has-text('${sound} (300.0 s)')`, { state: "attached" });
    await by.choose(page, "dialog select", `${sound} (300.0 s)`);
    await by.press(page, "dialog button:has-text('Play')");
    await page.waitForSelector("dialog button:has-text('Stop')");
    await until("the sound at one", () => hans.hears(1_500) > HEARD_DB);
    if (deirdre.hears(1_500) > HEARD_DB - 20) throw new Error("the other one hears it, too");
    await look(page, "room-play-one");
    await by.press(page, "dialog button:has-text('Stop')");
    await until("its end", () => hans.hears(1_500) < HEARD_DB - 20);
    await closeDialog(page);
    await by.press(page, "[role=toolbar] button:has-text('Announce')");
    await page.waitForSelector(`dialog option:has-text('${sound}')`, { state: "attached" });
    await by.choose(page, "dialog select", `${sound} (300.0 s)`);
    await by.press(page, "dialog button:has-text('Play')");
    await until("the sound at both", () => heard.every((phone) => phone.hears(1_500) > HEARD_DB));
    await by.press(page, "dialog button:has-text('Stop')");
    await until("its end", () => heard.every((phone) => phone.hears(1_500) < HEARD_DB - 20));
    await closeDialog(page);
  });
  for (const phone of heard) phone.stop();
}

async function singleKeys({ service, step, by, scene, operator: page }) {
  const { name: room } = scene.hall;
  const toRoom = async () => {
    await page.goto(`${service.base}/console/rooms/${room}`);
    await page.waitForSelector(inRoom("Tessa Hall"));
  };
  const turn = async (isOn) => {
    await by.pick(page, "button:has-text('Account and language')", "Keyboard");
    const box = "dialog label:has-text('Use single-letter shortcuts') input";
    await by.press(page, box);
    if ((await page.isChecked(box)) !== isOn) throw new Error(`they are ${isOn ? "off" : "on"}`);
    await closeDialog(page);
  };
  await step("T reads out who talks, N begins a booking, and both can be turned off", async () => {
    await toRoom();
    await page.keyboard.press("t");
    await page.waitForSelector("[aria-live=polite]:has-text('Talking now: ')", { state: "attached" });
    await page.keyboard.press("n");
    await page.waitForSelector("h1:has-text('New booking')");
    await toRoom();
    await turn(false);
    await page.reload();
    await page.waitForSelector(inRoom("Tessa Hall"));
    for (const key of ["t", "n", "?"]) await page.keyboard.press(key);
    await page.waitForTimeout(500);
    if (!page.url().includes(`/rooms/${room}`)) throw new Error("N is not off");
    if (await page.locator("[aria-live=polite]:has-text('Talking now: ')").count())
      throw new Error("T is not off");
    if (await page.locator("dialog").count()) throw new Error("? is not off");
    await turn(true);
    await page.keyboard.press("n");
    await page.waitForSelector("h1:has-text('New booking')");
  });
}
