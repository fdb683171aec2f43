// What organisers plan: a booking from the mail that invites to its end, series over a change of daylight saving, and full hours.
import { inConference, isHeard } from "./heard.mjs";
import { until } from "./service.mjs";
import { field } from "./telephony.mjs";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** In the zone of the machine, which is the browser's: `2030-06-20T15:15`. */
function wallTime(at) {
  const parts = new Date(at - new Date(at).getTimezoneOffset() * MINUTE_MS);
  return parts.toISOString().slice(0, 16);
}

export async function planning(world) {
  const uid = await invited(world);
  // Until it begins.
  await overDaylightSaving(world);
  await fullHour(world);
  await attended(world, uid);
  await calledOff(world);
}

const title = 'Tea & "Cakes" <b>today</b>';
const guestOf = (scene) => `${scene.party.toLowerCase()}@guests.example.com`;

/** The UID of the event. */
async function invited({ service, step, by, look, scene, operator: page }) {
  const guestMail = guestOf(scene);
  let uid;
  await step("a booking is made with a guest, who gets a mail with the event", async () => {
    await page.goto(`${service.base}/console/bookings/new`);
    await page.waitForSelector("text=seats are left for this time");
    await by.fill(page, field("Conference"), scene.party);
    await by.fill(page, field("Title"), title);
    await by.fill(page, field("Invite by mail", "textarea"), "Gus Guest <not a mail address");
    await page.waitForSelector("text=Not a mail address");
    await page.waitForSelector("button[type=submit]:disabled");
    await by.fill(page, field("Invite by mail", "textarea"), `Gus Guest <${guestMail}>`);
    // Long enough ahead for what comes first.
    await by.at(page, field("Start"), wallTime(Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS + MINUTE_MS));
    await page.waitForSelector("text=seats are left for this time");
    await look(page, "booking-new-guests");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=Reservation token");
    const mail = await service.mailbox.next(guestMail);
    for (const part of ["METHOD:REQUEST", "SEQUENCE:0", `mailto:${guestMail}`])
      if (!mail.includes(part)) throw new Error(`no ${part} in ${mail}`);
    [, uid] = /^UID:(\S+)/m.exec(mail);
    await until("the mail on the page", async () => {
      await page.reload();
      await page.waitForSelector("text=Reservation token");
      return (await page.locator(`tr:has-text('${guestMail}') >> text=sent`).count()) > 0;
    });
    await page.waitForSelector(`h1:text-is(${JSON.stringify(title)})`);
    await look(page, "booking-mails");
  });
  return uid;
}

async function attended({ service, newPage, step, by, look, scene, operator: page }, uid) {
  const guestMail = guestOf(scene);
  const guest = await newPage({ permissions: ["microphone"] });
  const booking = async () => {
    const { items } = await service.request("GET", "/v1/reservations?limit=500");
    return items.find((one) => one.conference === scene.party);
  };
  await step("the guest joins by the link of the mail, and is heard", async () => {
    const mail = await service.mailbox.next(guestMail);
    const [link] = /\/join\/[a-z2-7]{32}/.exec(mail) ?? [];
    if (!link) throw new Error(`there is no link in ${mail}`);
    await guest.goto(service.base + link);
    await guest.waitForSelector(`h1:text-is(${JSON.stringify(`Join ${title}`)})`);
    await until("its start", async () => (await booking()).state !== "reserved", 180_000);
    service.call(`conf-${scene.party}`, 500);
    await until("the first one", async () => (await service.participants(scene.party)).length === 1);
    await by.fill(guest, "input[autocomplete=name]", "Gus");
    await by.press(guest, "button[type=submit]");
    await until("Gus", () => inConference(service, scene.party, "Gus"));
    await isHeard(service, guest, scene.party, "Gus");
  });
  await step("a booking in progress is extended on its page, and the guest hears of it", async () => {
    const { duration_min, token } = await booking();
    await page.goto(`${service.base}/console/bookings/${token}`);
    await by.fill(page, field("Duration in minutes"), String(duration_min + 15));
    await by.press(page, "form button[type=submit]");
    await until("15 minutes more", async () => (await booking()).duration_min === duration_min + 15);
    const mail = await service.mailbox.next(guestMail, 1);
    if (!mail.includes("SEQUENCE:1") || !mail.includes(`UID:${uid}`)) throw new Error(mail);
  });
  await step("the booking is ended for all, and the guest sees that it is over", async () => {
    await by.press(page, "a:has-text('Open room')");
    await page.waitForSelector(`h1:text-is('${scene.party}')`);
    await by.press(page, "button:has-text('End for all')");
    await page.waitForSelector("dialog >> text=Its booking is removed, too");
    await by.press(page, "dialog button[type=submit]");
    await guest.waitForSelector("text=The conference was ended for all");
    await look(guest, "join-ended");
    await guest.context().close();
  });
}

async function calledOff({ service, step, by, look, scene, operator: page }) {
  await step("a booking that is removed is called off by mail", async () => {
    const mail = `${scene.dropped.toLowerCase()}@guests.example.com`;
    const { token } = await service.request("POST", "/v1/reservations", {
      ...{ conference: scene.dropped, max_participants: 40, duration_min: 30, guests: [{ mail }] },
      starts_at: new Date(Date.now() + DAY_MS).toISOString(),
    });
    const invited = await service.mailbox.next(mail);
    await page.goto(`${service.base}/console/bookings/${token}`);
    await by.press(page, "button:has-text('Remove booking')");
    await look(page, "booking-remove");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("h1:has-text('Bookings')");
    const off = await service.mailbox.next(mail, 1);
    const [, own] = /^UID:(\S+)/m.exec(invited);
    for (const part of ["METHOD:CANCEL", `UID:${own}`, "SEQUENCE:1"])
      if (!off.includes(part)) throw new Error(`no ${part} in ${off}`);
  });
}

/** The next Sunday on which clocks are put forward or back in Europe, at least ten days ahead. */
function nextChange() {
  const from = Date.now() + 10 * DAY_MS;
  const { year } = { year: new Date(from).getUTCFullYear() };
  const sundays = [year, year + 1].flatMap((one) =>
    [2, 9].map((month) => {
      const last = new Date(Date.UTC(one, month + 1, 0));
      return last.getTime() - last.getUTCDay() * DAY_MS;
    }),
  );
  return sundays.find((at) => at > from);
}

async function overDaylightSaving({ service, newPage, step, by, look, scene, operator: page }) {
  const change = nextChange();
  const isSummer = new Date(change).getUTCMonth() === 2;
  const day = (at) => new Date(at).toISOString().slice(0, 10);
  const before = change - 7 * DAY_MS;
  // 10:00 in Berlin: two hours ahead of UTC in summer, one in winter.
  const [hourBefore, hourAfter] = isSummer ? ["09", "08"] : ["08", "09"];
  await step(
    "a series keeps its time of day when the clocks change; single dates are moved and dropped",
    async () => {
      await page.goto(`${service.base}/console/bookings/new`);
      await page.waitForSelector("text=seats are left for this time");
      await by.fill(page, field("Conference"), scene.summer);
      await by.choose(page, "select:has(option[value='Europe/Berlin'])", "Europe/Berlin");
      await by.at(page, field("Start"), `${day(before)}T10:00`);
      await by.choose(page, "select:has(option[value=weekly])", "Weekly");
      await page.waitForSelector("button[type=submit]:not(:disabled)");
      await by.press(page, "button[type=submit]");
      await page.waitForSelector(`h1:has-text('${scene.summer}')`);
      await page.waitForSelector("tbody tr:nth-child(4)");
      const id = page.url().split("/").at(-1);
      const dates = async () => (await service.request("GET", `/v1/series/${id}`)).dates;
      const found = (await dates()).map((one) => one.starts_at.slice(0, 13)).join(" ");
      const expected = [0, 1, 2, 3]
        .map((week) => `${day(before + 7 * week * DAY_MS)}T${week === 0 ? hourBefore : hourAfter}`)
        .join(" ");
      if (found !== expected) throw new Error(`${found}, not ${expected}`);
      // Read where it takes place, it is always ten.
      const there = await newPage({
        timezoneId: "Europe/Berlin",
        storageState: await page.context().storageState(),
      });
      await there.goto(page.url());
      await there.waitForSelector("tbody tr:nth-child(4)");
      const times = await there.locator("tbody tr td:first-child").allTextContents();
      if (!times.every((time) => /\b10:00/.test(time))) throw new Error(times.join("; "));
      await by.pick(there, "tr:nth-child(2) button", "Move");
      await by.at(there, "dialog input", `${day(change)}T11:30`);
      await by.press(there, "dialog button[type=submit]");
      await there.waitForSelector("tr:nth-child(2) >> text=moved");
      await by.pick(there, "tr:nth-child(3) button", "Drop");
      await by.press(there, "dialog button[type=submit]");
      await there.waitForSelector("tr:nth-child(3) >> text=dropped");
      await there.context().close();
      const states = (await dates()).map((one) => `${one.state} ${one.starts_at.slice(11, 16)}`).join(", ");
      const moved = `${String(Number(hourAfter) + 1).padStart(2, "0")}:30`;
      const wanted = `booked ${hourBefore}:00, moved ${moved}, dropped ${hourAfter}:00, booked ${hourAfter}:00`;
      if (states !== wanted) throw new Error(`${states}, not ${wanted}`);
      await page.waitForSelector("tr:nth-child(2) >> text=moved");
      await look(page, "series-daylight-saving");
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        by.press(page, "a:has-text('Calendar file')"),
      ]);
      if (download.suggestedFilename() !== `${scene.summer}.ics`)
        throw new Error(download.suggestedFilename());
    },
  );
  await step("a series is removed", async () => {
    await by.press(page, "button:has-text('Remove series')");
    await look(page, "series-remove");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("h1:has-text('Bookings')");
    const { items } = await service.request("GET", "/v1/reservations?limit=500");
    if (items.some((one) => one.conference === scene.summer)) throw new Error("dates are left");
  });
}

/** Seats run out for an hour that is sold by real bookings. */
async function fullHour({ service, step, by, look, scene, operator: page }) {
  const start = Math.ceil((Date.now() + 30 * DAY_MS) / (60 * MINUTE_MS)) * 60 * MINUTE_MS;
  const tokens = [];
  const limits = await service.request("GET", "/v1/limits");
  const { capacity, max_participants } = limits.reservations;
  await step("an hour that is sold out offers times near it, which can be booked", async () => {
    const all = Math.floor(capacity / max_participants);
    for (let at = 0; at < all; at += 1) {
      const { token } = await service.request("POST", "/v1/reservations", {
        ...{ conference: `${scene.full}${at}`, max_participants, duration_min: 60 },
        starts_at: new Date(start).toISOString(),
      });
      tokens.push(token);
    }
    await page.goto(`${service.base}/console/bookings/new`);
    await page.waitForSelector("text=seats are left for this time");
    await by.fill(page, field("Conference"), scene.full);
    await by.at(page, field("Start"), wallTime(start));
    await page.waitForSelector("text=Too few seats are left for this time");
    await page.waitForSelector("button[type=submit]:disabled");
    await look(page, "booking-sold-out");
    await by.press(page, "text=Enough seats at: >> xpath=.. >> button");
    await page.waitForSelector("text=seats are left for this time");
    await page.waitForSelector("button[type=submit]:not(:disabled)");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=Reservation token");
    const { starts_at } = await service.request("GET", `/v1/reservations/${page.url().split("/").at(-1)}`);
    const away = Math.abs(Date.parse(starts_at) - start);
    if (away < 60 * MINUTE_MS || away > DAY_MS) throw new Error(`it is at ${starts_at}`);
  });
  for (const token of tokens) await service.request("DELETE", `/v1/reservations/${token}`);
}
