// The pages with the most to read, as people see them whose language is German: its words are longer.
import { accept } from "./flows.mjs";

export async function german(world) {
  const { service, newPage, step, by, look } = world;
  const room = "Rat";
  const page = await newPage({ locale: "de-DE" });
  const open = (path) => page.goto(`${service.base}/console/${path}`);
  await service.seat(room, "Grete Hall", () => service.call(`conf-${room}`, 440));
  await service.seat(room, "Paul Rausch", () => service.noisy(`conf-${room}`));
  await step("in German: the page to join by, and the call", async () => {
    const { path } = await service.request("POST", "/v1/guest-links", { conference: room });
    const caller = await newPage({ locale: "de-DE", permissions: ["microphone"] });
    await caller.goto(service.base + path);
    await caller.waitForSelector("[role=meter]");
    await caller.waitForSelector("button[type=submit]:has-text('Teilnehmen')");
    await look(caller, "join-de");
    await by.fill(caller, "input[autocomplete=name]", "Änne Öhler");
    await by.press(caller, "button[type=submit]");
    await caller.waitForSelector("text=(Sie)");
    await look(caller, "join-call-de");
    await by.press(caller, "button:has-text('Gehen')");
    await caller.waitForSelector("button[type=submit]");
    await caller.context().close();
  });
  await step("in German: the leader's room, with a line that needs attention", async () => {
    const who = ["Greta Beispiel", "greta@example.com", "--operator", "--role", "admin", "--language", "de"];
    await accept(world, page, await service.invite(...who));
    await page.waitForSelector("h1:has-text('Konferenzen')");
    await look(page, "home-de");
    await open(`rooms/${room}`);
    await page.waitForSelector("h2:has-text('In der Konferenz')");
    await page.waitForSelector("section:has(h2:has-text('Leitungen')) li:has-text('Paul Rausch')");
    await look(page, "room-de");
    await by.press(page, "[role=grid] button[aria-haspopup=menu]:has-text('Paul Rausch')");
    await page.waitForSelector("[role=menu]:popover-open");
    await look(page, "room-menu-de");
    await page.keyboard.press("Escape");
  });
  await step("in German: a booking, and the calendar", async () => {
    await open("bookings/new");
    await page.waitForSelector("text=Plätze sind zu dieser Zeit frei");
    await by.fill(page, "input[pattern]", "Beirat");
    await look(page, "booking-new-de");
    await by.press(page, "button[type=submit]");
    await page.waitForSelector("text=Buchungstoken");
    await look(page, "booking-de");
    await open("bookings");
    await page.waitForSelector("figure");
    await page.waitForSelector("td:has-text('Beirat')");
    await look(page, "bookings-de");
  });
  await step("in German: how the service does, and one call", async () => {
    await open("health");
    await page.waitForSelector("h1:has-text('Zustand')");
    await page.waitForFunction(() => !document.querySelector("main [role=status]"));
    await look(page, "health-de");
    await open(`calls?conference=${room}`);
    await page.waitForSelector("h1:has-text('Anrufe')");
    await by.press(page, "table a[href*='/calls/'] >> nth=-1");
    await page.waitForSelector("button:has-text('INVITE')");
    await look(page, "call-de");
    // Screen readers go by it.
    const language = await page.getAttribute("html", "lang");
    if (language !== "de") throw new Error(`the page says that it is in ${language}`);
  });
  await page.context().close();
}
