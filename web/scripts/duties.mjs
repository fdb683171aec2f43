// What organisers, operators and auditors do beside leading a conference.
import { closeDialog } from "./hands.mjs";
import { until } from "./service.mjs";

const QUARTER_MS = 900_000;

export async function duties(world) {
  const { service, step, by, look, scene, operator: page } = world;
  const open = (path) => page.goto(`${service.base}/console/${path}`);
  await step("the calendar shows what is sold, also as a table, week by week", async () => {
    await open("bookings");
    await page.waitForSelector("figure");
    await by.press(page, "summary:has-text('As a table')");
    await page.waitForSelector("details[open] th:has-text('sold to this account')");
    await by.press(page, "button:has-text('Later')");
    await page.waitForURL(/week=1/);
    await page.waitForSelector("figure");
    await look(page, "bookings-later");
  });
  await step("a booking for which there are too few seats is offered times near it", async () => {
    const free = Math.ceil((Date.now() + 7_200_000) / QUARTER_MS) * QUARTER_MS;
    const written = (at) => new Date(at).toISOString();
    await page.route("**/v1/availability**", (route) => {
      const query = new URL(route.request().url()).searchParams;
      const items = [
        { from: query.get("from"), to: written(free), seats_left: 3 },
        { from: written(free), to: query.get("to"), seats_left: 900 },
      ];
      return route.fulfill({ json: { least: 3, items, next: null } });
    });
    await open("bookings/new");
    await page.waitForSelector("text=Too few seats are left for this time.");
    await page.waitForSelector("button[type=submit]:disabled");
    await look(page, "booking-full");
    await by.press(page, "text=Enough seats at: >> xpath=.. >> button");
    await page.waitForSelector("text=900 seats are left for this time");
    await page.unroute("**/v1/availability**");
  });
  await step("a booking starts when the clocks of its time zone say so", async () => {
    await open("bookings/new");
    await by.choose(page, "select:has(option[value='America/New_York'])", "America/New_York");
    await page.waitForSelector("text=in your own time zone");
  });
  await step("a person's role and language are changed", async () => {
    const mail = `${scene.board.toLowerCase()}@example.com`;
    await service.invite("Pat Example", mail, "--role", "organiser");
    await open("setup/people");
    await by.pick(page, `tr:has-text('${mail}') button`, "Change");
    await by.choose(page, "dialog select", "Auditor");
    await by.choose(page, "dialog select:has(option[value=de])", "Deutsch");
    await look(page, "person-change");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`tr:has-text('${mail}') >> text=Auditor`);
    const { items } = await service.request("GET", "/v1/people?limit=500");
    const language = items.find((one) => one.mail === mail)?.language;
    if (language !== "de") throw new Error(`the language is ${language}`);
  });
  await step("what another person has changed meanwhile is not overwritten", async () => {
    const { items } = await service.request("GET", "/v1/rooms?limit=1");
    const [{ number, lobby }] = items;
    await open("setup/rooms");
    await by.pick(page, `tr:has-text('${number}') button`, "Change");
    await page.waitForSelector("dialog[open]");
    await service.request("PATCH", `/v1/rooms/${number}`, { lobby: !lobby });
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("dialog [role=alert] >> text=changed meanwhile");
    await look(page, "room-changed-meanwhile");
    await closeDialog(page);
    await service.request("PATCH", `/v1/rooms/${number}`, { lobby });
  });
  await step("the operator sees how engine, disk, certificate and seats do", async () => {
    await open("health");
    for (const check of ["Call engine", "Disk", "Certificate", "Seats, next 24 hours"])
      await page.waitForSelector(`h2:has-text('${check}')`);
  });
  await step("filters of the log and of the settings are in the address", async () => {
    for (const [path, filter] of [
      ["log", "plenary"],
      ["settings", "reservations"],
    ]) {
      await open(path);
      await by.fill(page, "search input", filter);
      await page.waitForURL(new RegExp(`filter=${filter}`));
      await page.reload();
      await page.waitForSelector("search input");
      const kept = await page.inputValue("search input");
      if (kept !== filter) throw new Error(`after a reload the filter is ${kept}`);
    }
  });
  await step("usage is added up by month", async () => {
    await open("usage");
    await by.choose(page, "search select", "Month");
    await page.waitForURL(/by=month/);
    const month = new Intl.DateTimeFormat("en", { month: "long", year: "numeric", timeZone: "UTC" });
    await page.waitForSelector(`td:has-text('${month.format(new Date())}')`);
  });
  await step("a call has a timeline", async () => {
    await open(`calls?conference=${scene.board}`);
    await by.press(page, "table a[href*='/calls/'] >> nth=-1");
    await page.waitForSelector("h2:has-text('Timeline')");
    await page.waitForSelector("td:has-text('Enters')");
  });
  await step("a key is made, shown once, counts, and does not once it is revoked", async () => {
    await open("setup/keys");
    await by.press(page, "main button:has-text('New key')");
    await by.fill(page, "dialog input >> nth=0", `Wallboard ${scene.board}`);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("dialog [readonly]");
    const secret = await page.inputValue("dialog [readonly]");
    await look(page, "key-made");
    const status = async (method) => {
      const headers = { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" };
      const body = method === "GET" ? {} : { body: '{"locked":true}' };
      const path = method === "GET" ? "/v1/conferences" : "/v1/conferences/Nothing";
      return (await fetch(service.api + path, { method, headers, ...body })).status;
    };
    const found = [await status("GET"), await status("PATCH")];
    if (found.join() !== "200,403") throw new Error(`it may read alone: ${found}`);
    await by.press(page, "dialog button:has-text('Done')");
    const row = `tr:has-text('Wallboard ${scene.board}')`;
    await page.waitForSelector(row);
    if ((await page.textContent("main")).includes(secret)) throw new Error("it is shown again");
    await by.press(page, `${row} button:has-text('Revoke')`);
    await look(page, "key-revoke");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`${row} >> text=revoked`);
    await until("its end", async () => (await status("GET")) === 401);
  });
  await step("a recording is listened to, kept as a file, and deleted", async () => {
    await open(`recordings?conference=${scene.board}`);
    await by.press(page, "tbody tr:first-child button:has-text('Listen')");
    await page.waitForSelector("dialog audio");
    await look(page, "recording");
    await page.evaluate(() => {
      const audio = document.querySelector("dialog audio");
      audio.muted = true;
      return audio.play();
    });
    await page.waitForFunction(() => document.querySelector("dialog audio").currentTime > 0.2);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      by.press(page, "dialog a:has-text('Download')"),
    ]);
    const name = download.suggestedFilename();
    if (!/^[\w-]+\.(opus|ogg|wav)$/.test(name)) throw new Error(name);
    await closeDialog(page);
    await by.pick(page, "tbody tr:first-child button[aria-haspopup=menu]", "Delete recording");
    await look(page, "recording-delete");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("text=No recording matches");
  });
}
