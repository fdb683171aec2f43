// What is set up in the pages of an account: made, changed and removed, each with what comes of it in the service.
import { readFile } from "node:fs/promises";
import { accept, password } from "./flows.mjs";
import { Baresip } from "./phones.mjs";
import { until } from "./service.mjs";
import { field } from "./telephony.mjs";

const submit = "dialog button[type=submit]";
const row = (text) => `tr:has(td:has-text(${JSON.stringify(text)}))`;
const menu = (text) => `${row(text)} button[aria-haspopup=menu]`;

/** Waits until there is nothing at this path of the API. */
const isGone = (service, path) =>
  until(`the end of ${path}`, async () => {
    try {
      await service.request("GET", path);
      return false;
    } catch (error) {
      return error.message.includes(": 404 ");
    }
  });

export async function account(world) {
  await people(world);
  await rooms(world);
  await services(world);
  await trunks(world);
  await telephones(world);
  await limits(world);
  await usage(world);
}

const opener =
  ({ service, operator: page }) =>
  (path) =>
    page.goto(`${service.base}/console/${path}`);

/** A person from the invitation to the end. */
async function people(world) {
  const { service, newPage, step, by, look, scene, operator: page } = world;
  const { person, mail } = scene.account;
  const open = opener(world);
  const found = async () =>
    (await service.request("GET", "/v1/people?limit=500")).items.find((one) => one.mail === mail);
  const pathOf = (link) => link.slice(link.indexOf("/console/"));
  const link = async () => {
    await page.waitForSelector(`dialog h2:has-text('Link for ${person}')`);
    return pathOf(await page.inputValue("dialog [readonly]"));
  };
  const signIn = async (secret) => {
    const headers = { "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json" };
    const body = JSON.stringify({ login: mail, password: secret });
    return (await fetch(`${service.api}/v1/session`, { method: "POST", headers, body })).status;
  };
  const guest = await newPage();
  const isIn = () => guest.evaluate(() => fetch("/v1/session").then(({ status }) => status === 200));
  await step("a person who is invited in the console is let in by the link", async () => {
    await open("setup/people");
    await by.press(page, "main button:has-text('Invite')");
    await by.fill(page, `dialog ${field("Name")}`, person);
    await by.fill(page, `dialog ${field("Mail address")}`, mail);
    await by.press(page, submit);
    const first = await link();
    await look(page, "person-link");
    await by.press(page, "dialog button:has-text('Done')");
    await page.waitForSelector(`${row(mail)} >> text=invited`);
    await accept(world, guest, first);
    await guest.waitForSelector("h1:has-text('Conferences')");
    if ((await found()).state !== "active") throw new Error("the person is not active");
  });
  await step("another link sets another password", async () => {
    await by.pick(page, menu(mail), "Link to set a password");
    const second = await link();
    await by.press(page, "dialog button:has-text('Done')");
    const other = await newPage();
    await other.goto(service.base + second);
    for (const index of [0, 1]) await by.fill(other, `input >> nth=${index}`, `${password} again`);
    await by.press(other, "button[type=submit]");
    await other.waitForSelector("h1:has-text('Conferences')");
    await other.context().close();
    const answers = [await signIn(password), await signIn(`${password} again`)];
    if (answers.join() !== "401,200") throw new Error(`the old one and the new one: ${answers}`);
  });
  await step("a person who is disabled is out at once, and comes in again once enabled", async () => {
    await guest.goto(`${service.base}/console/sign-in`);
    await by.fill(guest, "input[type=email]", mail);
    await by.fill(guest, "input[type=password]", `${password} again`);
    await by.press(guest, "button[type=submit]");
    await guest.waitForSelector("h1:has-text('Conferences')");
    await by.pick(page, menu(mail), "Disable");
    await page.waitForSelector(`dialog h2:has-text('Disable ${person}?')`);
    await look(page, "person-disable");
    await by.press(page, submit);
    await page.waitForSelector(`${row(mail)} >> text=disabled`);
    if (await isIn()) throw new Error("the session goes on");
    await by.pick(page, menu(mail), "Enable");
    await page.waitForSelector(`${row(mail)} >> text=active`);
    const status = await signIn(`${password} again`);
    if (status !== 200) throw new Error(`signing in: ${status}`);
  });
  await step("a person is removed", async () => {
    await by.pick(page, menu(mail), "Remove person");
    await look(page, "person-remove");
    await by.press(page, submit);
    await page.waitForSelector(row(mail), { state: "detached" });
    if (await found()) throw new Error("the person is there");
  });
  await guest.context().close();
}

async function rooms(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const { room, booked } = scene.account;
  const path = `/v1/rooms/${room}`;
  const open = opener(world);
  await step("a room is made and changed", async () => {
    await open("setup/rooms");
    await by.press(page, "main button:has-text('New room')");
    await by.fill(page, `dialog ${field("Number")}`, room);
    await by.fill(page, `dialog ${field("Conference")}`, booked);
    await by.fill(page, `dialog ${field("PIN of participants")}`, "739164");
    await by.press(page, submit);
    await page.waitForSelector(`${row(room)} >> text=PIN`);
    const made = await service.request("GET", path);
    if (made.conference !== booked || !made.has_pin || made.lobby) throw new Error(JSON.stringify(made));
    await by.pick(page, menu(room), "Change");
    await by.press(page, "dialog label:has-text('Callers wait until a leader admits them') input");
    await by.fill(page, `dialog ${field("PIN of leaders")}`, "48201937");
    await look(page, "room-change");
    await by.press(page, submit);
    await page.waitForSelector(`${row(room)} >> text=lobby`);
    const changed = await service.request("GET", path);
    if (!changed.lobby || !changed.has_pin || !changed.has_leader_pin)
      throw new Error(JSON.stringify(changed));
  });
  await step(
    "the card of a room's keys is printed, and nothing beside it; other pages are, too",
    async () => {
      await page.emulateMedia({ media: "print" });
      await page.waitForSelector("h1:has-text('Rooms')");
      await page.emulateMedia({ media: null });
      await by.pick(page, menu(room), "Card of keys");
      await page.waitForSelector("dialog dt:text-is('*6')");
      await page.evaluate(() => {
        window.print = () => {
          window.isPrinted = true;
        };
        // As where there are many rooms.
        document.querySelector("main").style.minHeight = "4000px";
      });
      await by.press(page, "dialog button:has-text('Print')");
      if (!(await page.evaluate(() => window.isPrinted))) throw new Error("nothing is printed");
      await page.emulateMedia({ media: "print" });
      try {
        await page.waitForSelector(`dialog h3:text-is('${booked}')`);
        await page.waitForSelector("dialog dt:text-is('*6')");
        for (const other of ["h1", "dialog h2", "dialog button"])
          if (await page.locator(`${other} >> visible=true`).count()) throw new Error(`${other} is printed`);
        const sheets = (await page.pdf()).toString("latin1").match(/\/Type\s*\/Page\b/g).length;
        if (sheets !== 1) throw new Error(`${sheets} sheets`);
      } finally {
        await page.emulateMedia({ media: null });
      }
      await page.keyboard.press("Escape");
      await page.waitForSelector("dialog", { state: "detached" });
    },
  );
  await step("a room is removed", async () => {
    await by.pick(page, menu(room), "Remove room");
    await look(page, "room-remove");
    await by.press(page, submit);
    await page.waitForSelector(row(room), { state: "detached" });
    await isGone(service, path);
  });
}

async function services(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const { service: name, booked } = scene.account;
  const path = `/service/v1/inbound/${name}`;
  await step("a service is changed and removed", async () => {
    await service.request("PUT", path, { conference: { name: booked }, access: { tokens: true } });
    await opener(world)("setup/services");
    await by.pick(page, menu(name), "Change");
    await by.choose(page, `dialog ${field("Leads to", "select")}`, "an announcement");
    await by.fill(page, `dialog ${field("What is played")}`, "tone:440/1000");
    await by.press(page, "dialog label:has-text('All telephones of the account') input");
    await look(page, "service-change");
    await by.press(page, submit);
    await page.waitForSelector(`${row(name)} >> text=tone:440/1000`);
    const { announcement, conference, access } = await service.request("GET", path);
    const isChanged = announcement && !conference && access.users === true && access.tokens;
    if (!isChanged) throw new Error(JSON.stringify({ announcement, conference, access }));
    await by.pick(page, menu(name), "Remove service");
    await look(page, "service-remove");
    await by.press(page, submit);
    await page.waitForSelector(row(name), { state: "detached" });
    await isGone(service, path);
  });
}

async function trunks(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const name = scene.account.trunk;
  const path = `/v1/trunks/${name}`;
  await step("a trunk is changed and removed", async () => {
    await service.request("PUT", path, { uri: "sip:127.0.0.1:9", prefixes: ["+4930"] });
    await opener(world)("setup/trunks");
    await by.pick(page, menu(name), "Change");
    await by.fill(page, `dialog ${field("Provider")}`, "sip:127.0.0.1:10");
    await by.fill(page, `dialog ${field("User")}`, "berlin");
    await by.fill(page, `dialog ${field("Password")}`, "a secret of the trunk");
    await by.fill(page, `dialog ${field("Beginnings of numbers that it serves")}`, "+4940, +4941");
    await look(page, "trunk-change");
    await by.press(page, submit);
    await page.waitForSelector(`${row(name)} >> text=+4940, +4941`);
    const { uri, user, prefixes, has_password } = await service.request("GET", path);
    const found = [uri, user, ...prefixes, has_password].join();
    if (found !== "sip:127.0.0.1:10,berlin,+4940,+4941,true") throw new Error(found);
    await by.pick(page, menu(name), "Remove trunk");
    await look(page, "trunk-remove");
    await by.press(page, submit);
    await page.waitForSelector(row(name), { state: "detached" });
    await isGone(service, path);
  });
}

async function telephones(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const user = scene.account.telephone;
  const path = `/v1/users/${user}`;
  await step("a telephone registers with its new password, and is removed", async () => {
    await service.request("PUT", path, { password: "the first password" });
    await opener(world)("setup/telephones");
    await by.press(page, `${row(user)} button:has-text('New password')`);
    await page.waitForSelector(`dialog h2:has-text('New password of ${user}')`);
    await look(page, "telephone-password");
    await by.press(page, submit);
    await page.waitForSelector(`dialog h2:has-text('${user}: what the telephone needs')`);
    const secret = await page.inputValue(`dialog ${field("Password", "textarea")}`);
    await by.press(page, "dialog button:has-text('Done')");
    const phone = await Baresip.register(service, { user, password: secret });
    phone.stop();
    await by.press(page, `${row(user)} button:has-text('Remove')`);
    await look(page, "telephone-remove");
    await by.press(page, submit);
    await page.waitForSelector(row(user), { state: "detached" });
    await isGone(service, path);
  });
}

async function limits(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const { cloud, login } = scene.account;
  await step("the limits of an account are changed, and count", async () => {
    const key = (await service.command("account", "create", `${cloud}/${login}`)).split("\n").at(-1);
    const headers = {
      Authorization: `Basic ${Buffer.from(`${cloud}/${login}:${key}`).toString("base64")}`,
      "Content-Type": "application/json",
    };
    const book = async (conference, max_participants) => {
      const starts_at = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 16)}:00Z`;
      const body = JSON.stringify({ conference, max_participants, starts_at, duration_min: 30 });
      const answer = await fetch(`${service.api}/v1/reservations`, { method: "POST", headers, body });
      return answer.ok ? "booked" : (await answer.json()).errors?.[0]?.pointer;
    };
    await opener(world)("accounts");
    await by.pick(page, menu(login), "Limits");
    await page.waitForSelector(`dialog h2:has-text('Limits of ${login}')`);
    await by.fill(page, `dialog ${field("Seats per conference")}`, "50");
    await by.fill(page, `dialog ${field("Requests per second")}`, "40");
    await by.fill(page, `dialog ${field("Days that recordings are kept")}`, "0");
    await look(page, "account-limits");
    await by.press(page, submit);
    await page.waitForSelector(`${row(login)} >> text=for ever`);
    const answers = [await book("Fifty", 50), await book("More", 51)];
    if (answers.join() !== "booked,/max_participants")
      throw new Error(`50 and 51 seats are booked: ${answers}`);
  });
}

async function usage(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const open = opener(world);
  await step("usage is kept as a table for other programs", async () => {
    const { booked } = scene.account;
    await service.seat(booked, "Una Short", () => service.call(`conf-${booked}`, 440));
    await service.request("DELETE", `/v1/conferences/${booked}`);
    await until("its end", async () => (await service.participants(booked)).length === 0);
    await open("usage?by=conference");
    await page.waitForSelector(`main td:text-is('${booked}')`);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      by.press(page, "main button:has-text('Download CSV')"),
    ]);
    if (download.suggestedFilename() !== "usage.csv") throw new Error(download.suggestedFilename());
    const [head, ...lines] = (await readFile(await download.path(), "utf8")).trim().split(/\r?\n/);
    const shown = await page.locator("main tbody tr td:first-child").allTextContents();
    const first = lines.map((line) => line.split(",")[0]);
    const isWhole = head.startsWith("conference,") && head.includes("seat_minutes");
    const isSame = shown.filter((name) => name !== "Total").every((name) => first.includes(name));
    if (!isWhole || !isSame) throw new Error(`${head}; ${first}; shown: ${shown}`);
  });
  await step("where nothing was used, and no call was, that is said", async () => {
    await open("usage?from=2020-01-01&to=2020-01-31");
    await page.waitForSelector("text=Nothing was used in this time");
    await look(page, "usage-empty");
    await open("calls?conference=Nowhere");
    await page.waitForSelector("text=No call matches");
    await page.route("**/v1/calls?**", (route) => route.fulfill({ json: { items: [], next: null } }));
    await open("calls");
    await page.waitForSelector("text=There has been no call yet");
    await look(page, "calls-empty");
    await page.unroute("**/v1/calls?**");
  });
}
