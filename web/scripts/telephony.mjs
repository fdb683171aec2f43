// Telephones by the pages: a trunk and a user are made, tested and called, and those who came by telephone are moved and transferred.
import { closeDialog } from "./hands.mjs";
import { inConference } from "./heard.mjs";
import { Baresip, callBySipp } from "./phones.mjs";
import { freePort, until } from "./service.mjs";

/** A field of a form, by its label. */
export const field = (label, kind = "input") => `div:has(> label:text-is(${JSON.stringify(label)})) ${kind}`;

const section = (heading) => `section:has(h2:text-is(${JSON.stringify(heading)}))`;
const row = (heading, name) => `${section(heading)} li:has-text(${JSON.stringify(name)})`;
const inRoom = (name) => `[role=row]:has-text(${JSON.stringify(name)})`;

/** Louder than this is heard. */
const HEARD_DB = -40;

export async function calling(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const { name: room, annex, trunk, desk, prefix } = scene.office;
  const [answered, rung] = [`${prefix}001`, `${prefix}002`];
  const ports = { answered: await freePort(), rung: await freePort(), control: await freePort() };
  const bell = await Baresip.listen(service, { user: answered, hz: 700, port: ports.answered });
  const rita = await Baresip.listen(service, {
    ...{ user: rung, hz: 800, port: ports.rung, rings: true, control: ports.control },
  });
  const open = (path) => page.goto(`${service.base}/console/${path}`);
  const toRoom = async () => {
    await open(`rooms/${room}`);
    await page.waitForSelector("h2:has-text('In the conference')");
  };
  const one = (who) => inConference(service, room, who);

  await step("a trunk is made, and a number called by it as a test is answered by a telephone", async () => {
    for (const [name, port, number] of [
      [trunk, ports.answered, answered],
      [`${trunk}b`, ports.rung, rung],
    ]) {
      await open("setup/trunks");
      await by.press(page, "main button:has-text('New trunk')");
      await by.fill(page, `dialog ${field("Name")}`, name);
      await by.fill(page, `dialog ${field("Provider")}`, `sip:127.0.0.1:${port}`);
      await by.fill(page, `dialog ${field("Beginnings of numbers that it serves")}`, number);
      await by.press(page, "dialog button[type=submit]");
      await page.waitForSelector(`td:text-is('${name}')`);
    }
    await by.pick(page, `tr:has(td:text-is('${trunk}')) button`, "Test");
    await by.fill(page, `dialog ${field("Number to call")}`, answered);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("dialog [role=status] :text-is('answered')");
    await look(page, "trunk-test-call");
    await closeDialog(page);
    await until("the call of the test", () => bell.log.includes("established"));
  });

  await service.seat(room, "Tessa Hall", () => service.call(`conf-${room}`, 440));
  await step("a number is called from the room, with sound both ways", async () => {
    await toRoom();
    await by.press(page, "[role=toolbar] button:has-text('Call')");
    await by.fill(page, "dialog textarea", `Bell Miller <${answered}>`);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(inRoom("Bell Miller"));
    await until("the call at the telephone", async () => (await one("Bell Miller"))?.statistics);
    await until("the conference at the telephone", () => bell.hears(440) > HEARD_DB);
    await until("the telephone in the conference", async () => {
      const { statistics } = await one("Bell Miller");
      return statistics.packets_received > 50 && statistics.level_dbov > -40;
    });
    await page.waitForSelector(`${inRoom("Bell Miller")} :text('Called')`);
  });
  await step("a telephone rings, refuses, is called again, and is not called any more", async () => {
    await by.press(page, "[role=toolbar] button:has-text('Call')");
    await by.fill(page, "dialog textarea", `Rita Ring <${rung}>`);
    await by.press(page, "dialog button[type=submit]");
    const call = row("Being called", "Rita Ring");
    await page.waitForSelector(`${call} >> text=rings`);
    await look(page, "room-called");
    await until("the call at the telephone", () => rita.log.includes("Incoming call"));
    await rita.does("hangup");
    await page.waitForSelector(`${call} >> text=not reached`);
    await look(page, "room-call-failed");
    await by.press(page, `${call} >> button:has-text('Call again')`);
    await page.waitForSelector(`${call} >> text=rings`);
    await page.waitForSelector(`${call} >> text=not reached`, { state: "detached" });
    await by.press(page, `${call} >> button:has-text('Stop')`);
    await page.waitForSelector(call, { state: "detached" });
    if (await one("Rita Ring")) throw new Error("it has come");
  });
  await step("a telephone that is made in the console registers, and is called by its name", async () => {
    await open("setup/telephones");
    await by.press(page, "main button:has-text('New telephone')");
    await by.fill(page, `dialog ${field("Name")}`, desk);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("dialog h2:has-text('what the telephone needs')");
    await look(page, "telephone-made");
    const password = await page.inputValue(`dialog ${field("Password", "textarea")}`);
    await by.press(page, "dialog button:has-text('Done')");
    const phone = await Baresip.register(service, { user: desk, password, hz: 900 });
    await toRoom();
    await by.press(page, "[role=toolbar] button:has-text('Call')");
    await by.fill(page, "dialog textarea", `Dex Desk <${desk}>`);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(inRoom("Dex Desk"));
    await until("the conference at the telephone", () => phone.hears(440) > HEARD_DB);
  });
  await step("who talks stands above all, and is muted there by one click", async () => {
    const talker = "section[aria-label='Talking now'] button[aria-label='Mute Bell Miller']";
    await by.press(page, talker);
    await until("the mute", async () => (await one("Bell Miller"))?.muted_by === "leader");
    await page.waitForSelector(`${inRoom("Bell Miller")} >> text=muted by leader`);
    await by.press(page, "button:has-text('Unmute Bell Miller')");
    await until("the unmute", async () => (await one("Bell Miller"))?.muted === false);
  });
  await step("volume, and who hears whom", async () => {
    await by.pick(page, "button:has-text('More for Bell Miller')", "Volume");
    await by.slide(page, "dialog input[type=range]", "End");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`${inRoom("Bell Miller")} >> text=20 dB`);
    if ((await one("Bell Miller")).gain_db !== 20) throw new Error("another volume");
    await by.pick(page, "button:has-text('More for Bell Miller')", "Coach");
    await by.press(page, "dialog label:has-text('Everybody') input");
    await by.press(page, "dialog li:has-text('Tessa Hall') input");
    await look(page, "room-coach");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`${inRoom("Bell Miller")} >> text=not heard by all`);
    const tessa = await one("Tessa Hall");
    const heard = (await one("Bell Miller")).heard_by;
    if (heard?.join() !== tessa.participant_id) throw new Error(`heard by ${heard}`);
    await by.pick(page, "button:has-text('More for Bell Miller')", "Coach");
    await by.press(page, "dialog label:has-text('Everybody') input");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`${inRoom("Bell Miller")} >> text=not heard by all`, { state: "detached" });
  });
  await step("several are muted and removed at once", async () => {
    await by.press(page, "input[aria-label='Select Bell Miller']");
    await by.press(page, "input[aria-label='Select Dex Desk']");
    await page.waitForSelector("text=2 selected");
    await by.press(page, `${section("In the conference")} button:text-is('Mute')`);
    for (const who of ["Bell Miller", "Dex Desk"])
      await until(`the mute of ${who}`, async () => (await one(who))?.muted_by === "leader");
    await by.press(page, "input[aria-label='Select Bell Miller']");
    await page.waitForSelector("text=1 selected");
    await by.press(page, `${section("In the conference")} button:text-is('Remove')`);
    await page.waitForSelector("dialog >> text=Dex Desk");
    await look(page, "room-remove-selected");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(inRoom("Dex Desk"), { state: "detached" });
    await by.press(page, "button:has-text('Unmute Bell Miller')");
    await until("the unmute", async () => (await one("Bell Miller"))?.muted === false);
  });
  await step("a telephone is transferred, and calls where it is asked to", async () => {
    await by.pick(page, "button:has-text('More for Bell Miller')", "Transfer");
    await by.fill(page, `dialog ${field("To")}`, `sip:conf-${annex}@${service.sip}`);
    await look(page, "room-transfer");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(inRoom("Bell Miller"), { state: "detached" });
    await until("the telephone elsewhere", async () => {
      const [there, ...more] = await service.participants(annex);
      return there && !more.length && there.direction === "in" && there.from.includes(answered);
    });
  });
  await step(
    "a participant is moved to another conference, and back, and hears those who are there",
    async () => {
      await by.pick(page, "button:has-text('More for Tessa Hall')", "Move");
      await by.fill(page, `dialog ${field("To the conference")}`, annex);
      await by.press(page, "dialog button[type=submit]");
      await until("her in the other one", () => inConference(service, annex, "Tessa Hall"));
      await page.waitForSelector("text=This conference is not in progress");
      await look(page, "room-missing");
      await until("her voice there", () => bell.hears(440) > HEARD_DB);
      await open(`rooms/${annex}`);
      await by.pick(page, "button:has-text('More for Tessa Hall')", "Move");
      await by.fill(page, `dialog ${field("To the conference")}`, room);
      await by.press(page, "dialog button[type=submit]");
      await page.waitForSelector(inRoom("Tessa Hall"), { state: "detached" });
      await until("her return", () => one("Tessa Hall"));
    },
  );
  bell.stop();
  rita.stop();
}

/** More of those who wait: one is turned away, two are let in together. */
export async function lobbies({ service, step, by, look, scene, leader }) {
  const { lobby } = scene;
  const waiting = async () =>
    (await service.participants(lobby.name)).filter((one) => one.state === "waiting");
  const call = () => service.call("meet", 550, `${lobby.number}#,,,,${lobby.pin}#`);
  await step("who waits is turned away, or let in with all others", async () => {
    // The one before has been let in.
    await leader.waitForSelector(section("Waiting"), { state: "detached" });
    call();
    await by.press(leader, `${section("Waiting")} button:has-text('Refuse')`);
    await leader.waitForSelector(section("Waiting"), { state: "detached" });
    await until("nobody who waits", async () => (await waiting()).length === 0);
    call();
    call();
    await leader.waitForSelector(`${section("Waiting")} button:has-text('Admit all')`);
    await look(leader, "room-waiting-many");
    await by.press(leader, `${section("Waiting")} button:has-text('Admit all')`);
    await until("all in", async () => {
      const all = await service.participants(lobby.name);
      return all.filter((one) => one.state === "in").length === 4;
    });
  });
}

/** Lines with faults: each is named, and its cure is a click away. */
export async function badLines({ service, step, by, look, scene, operator: page }) {
  const { name: room, number, trunk: provider } = scene.lines;
  const line = (who) => row("Lines", who);
  const one = (who) => inConference(service, room, who);
  const conference = `conf-${room}`;
  await service.seat(room, "Tessa Hall", () => service.call(conference, 440));
  await service.seat(room, "Ed Echo", () =>
    callBySipp(service, conference, '"Ed" <sip:echo@127.0.0.1>', true),
  );
  await service.seat(room, "Paul Poor", () => service.lossy(conference));
  const port = await freePort();
  const again = await Baresip.listen(service, { user: number, hz: 700, port });
  const trunk = { uri: `sip:127.0.0.1:${port}`, prefixes: [number] };
  await service.request("PUT", `/v1/trunks/${provider}`, trunk);
  await service.seat(room, "Una Silent", () =>
    callBySipp(service, conference, `"Una" <sip:${number}@127.0.0.1>`),
  );

  await step("lines with echo, with losses and without sound are named", async () => {
    await page.goto(`${service.base}/console/rooms/${room}`);
    await page.waitForSelector(`${line("Una Silent")} >> text=nothing comes from it`);
    await page.waitForSelector(`${line("Paul Poor")} >> text=poor line`);
    await page.waitForSelector(`${line("Paul Poor")} >> text=they have to call again`);
    await page.waitForSelector(`${line("Ed Echo")} >> text=echo from this line`);
    await page.waitForSelector(`${line("Ed Echo")} >> text=A headset or a lower volume helps`);
    await look(page, "room-lines");
    if (await page.locator(line("Tessa Hall")).count()) throw new Error("a good line is named");
  });
  await step("a line with echo is muted by one click", async () => {
    await by.press(page, `${line("Ed Echo")} >> button:has-text('Mute')`);
    await until("the mute", async () => (await one("Ed Echo")).muted_by === "leader");
    await page.waitForSelector(line("Ed Echo"), { state: "detached" });
  });
  await step("a telephone from which nothing comes is called back by one click", async () => {
    await by.press(page, `${line("Una Silent")} >> button:has-text('Call back')`);
    await until("the new call, and the end of the old one", async () => {
      const all = (await service.participants(room)).filter((other) => other.display_name === "Una Silent");
      return all.length === 1 && all[0].direction === "out" && all[0].state === "in";
    });
    await until("the conference at the telephone", () => again.hears(440) > HEARD_DB);
    await page.waitForSelector(line("Una Silent"), { state: "detached" });
  });
  await step("the operator sees what was wrong with a line, call by call", async () => {
    await page.goto(`${service.base}/console/calls?conference=${room}`);
    await page.waitForSelector("table a");
    const links = await page.locator("table a[href*='/calls/']").count();
    if (links < 5) throw new Error(`${links} calls`);
    const { participant_id } = await one("Paul Poor");
    await page.goto(`${service.base}/console/calls/${participant_id}`);
    await page.waitForSelector("h2:has-text('The line now')");
    await page.waitForSelector("figure canvas");
    await look(page, "call-poor");
  });
  again.stop();
}

/** Who asks for what is not there again and again gets no answer, until the operator gives one. */
export async function banned({ service, step, by, look, operator: page }) {
  await step("the operator sees why a call was refused that got to no account", async () => {
    const said = await service.tries("nowhere", 20_000);
    if (!/refused: 40[134]/.test(said)) throw new Error(`it is told ${said}`);
    await page.goto(`${service.base}/console/calls`);
    await by.choose(page, "search select >> nth=0", "Refused, of no account too");
    await page.waitForURL(/which=refused/);
    await page.waitForSelector("tr:has-text('nowhere')");
    await look(page, "calls-refused");
    await by.press(page, "tr:has-text('nowhere') >> nth=0 >> a");
    await page.waitForSelector("text=This account has no record of it");
    await page.waitForSelector("button:has-text('INVITE')");
    await page.waitForSelector("button:has-text('Packet capture')");
    await look(page, "call-refused");
  });
  await step("who guesses is banned, the operator sees why, and lifts it", async () => {
    await until("silence", async () => {
      const said = await service.tries("nowhere", 6_000);
      if (said !== "nothing" && !/refused: 40[134]/.test(said)) throw new Error(said);
      return said === "nothing";
    });
    await page.goto(`${service.base}/console/bans`);
    const source = "tr:has(code:text-is('127.0.0.1'))";
    await page.waitForSelector(`${source} >> text=Was refused again and again`);
    await look(page, "bans-some");
    await by.press(page, `${source} button:has-text('Lift')`);
    await page.waitForSelector(source, { state: "detached" });
    await page.waitForSelector("text=No source is banned");
    const said = await service.tries("nowhere", 20_000);
    if (!/refused: 40[134]/.test(said)) throw new Error(`it is told ${said}`);
  });
}
