// What people do with the pages, step by step. `by` is how they press and enter (hands.mjs), `scene` the names that are used, and `look`
// looks at a page when it shows what its name says.
import { handAndKeys, muteAndReload, refusedLater } from "./callers.mjs";
import { closeDialog } from "./hands.mjs";
import { inConference, isHeard } from "./heard.mjs";
import { until } from "./service.mjs";
import { lobbies } from "./telephony.mjs";

export const password = "correct horse battery";

export async function accept({ service, by }, page, link) {
  await page.goto(service.base + link);
  await by.fill(page, "input >> nth=0", password);
  await by.fill(page, "input >> nth=1", password);
  await by.press(page, "button[type=submit]");
}

/** Waits until the focus is where somebody can go on: on a button, or on the content of the page where the button went meanwhile. */
const keepsFocus = (page) => page.waitForFunction(() => document.activeElement?.matches("button, #content"));

/** Waits until the focus is on the button that is called so. */
const hasFocus = (page, text) =>
  page.waitForFunction(
    (wanted) =>
      document.activeElement?.tagName === "BUTTON" && document.activeElement.textContent?.trim() === wanted,
    text,
  );

/** An operator is invited, signs out and in, and books. */
export async function beginnings(world) {
  const { service, newPage, step, by, look, scene, operator } = world;
  await step("an invited person sets a password and is signed in", async () => {
    const [name, mail] = scene.operator;
    await operator.goto(service.base + (await service.invite(name, mail, "--operator", "--role", "admin")));
    await operator.waitForSelector("h1:has-text('Welcome')");
    await by.fill(operator, "input >> nth=0", "short");
    await by.press(operator, "button[type=submit]");
    await look(operator, "welcome");
    await by.fill(operator, "input >> nth=0", password);
    await by.fill(operator, "input >> nth=1", password);
    await by.press(operator, "button[type=submit]");
    await operator.waitForSelector("h1:has-text('Conferences')");
    await look(operator, "home-empty");
  });
  await step("who is signed out is led to the sign-in, and back", async () => {
    await by.pick(operator, "button:has-text('Account and language')", "Sign out");
    await operator.waitForSelector("h1:has-text('Sign in')");
    await operator.goto(`${service.base}/console/calls?outcome=answered`);
    await by.fill(operator, "input[type=email]", scene.operator[1]);
    await by.fill(operator, "input[type=password]", "not the right one");
    await by.press(operator, "button[type=submit]");
    await operator.waitForSelector("[role=alert]");
    await look(operator, "sign-in");
    await by.fill(operator, "input[type=password]", password);
    await by.press(operator, "button[type=submit]");
    await operator.waitForSelector("h1:has-text('Calls')");
    if (!operator.url().includes("outcome=answered")) throw new Error(operator.url());
  });
  await step("where there is a provider its button is there, and why nobody came back from it", async () => {
    for (const [locale, button, title] of [
      ["en", "Sign in with Example Ltd", "You are not signed in"],
      ["de", "Mit Example Ltd anmelden", "Sie sind nicht angemeldet"],
    ]) {
      const page = await newPage({ locale });
      const provider = { name: "Example Ltd", path: "/v1/session/oidc" };
      for (const passwords of [true, false]) {
        await page.route("**/v1/session/ways", (route) => route.fulfill({ json: { passwords, provider } }));
        await page.goto(`${service.base}/console/sign-in?error=no_role&next=%2Fbookings`);
        await page.waitForSelector(`[role=alert] >> text=${title}`);
        await page.waitForSelector(`a:has-text('${button}')`);
        const fields = await page.locator("input").count();
        if (fields !== (passwords ? 2 : 0)) throw new Error(`${fields} fields`);
        await look(page, `sign-in-provider-${locale}${passwords ? "-passwords" : ""}`);
      }
      await page.route("**/v1/session/oidc?*", (route) =>
        route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Provider</title>" }),
      );
      await by.press(page, `a:has-text('${button}')`);
      await page.waitForURL(/\/v1\/session\/oidc\?next=%2Fconsole%2Fbookings$/);
      await page.context().close();
    }
  });
  await step("an organiser books a conference and a series", async () => {
    await operator.goto(`${service.base}/console/bookings/new`);
    await operator.waitForSelector("text=seats are left for this time");
    await by.fill(operator, "input[pattern]", scene.booked);
    await look(operator, "booking-new");
    await by.press(operator, "button[type=submit]");
    await operator.waitForSelector("text=Reservation token");
    await look(operator, "booking");
    await operator.goto(`${service.base}/console/bookings/new`);
    await operator.waitForSelector("text=seats are left for this time");
    await by.fill(operator, "input[pattern]", scene.series);
    await by.choose(operator, "select:has(option[value=weekly])", "Weekly");
    await operator.waitForSelector("button[type=submit]:not(:disabled)");
    await by.press(operator, "button[type=submit]");
    await operator.waitForSelector(`h1:has-text('${scene.series}')`);
    await until("four dates", async () => (await operator.locator("tbody tr").count()) === 4);
    await look(operator, "series");
  });
  await step("one date of a series is moved, another one dropped", async () => {
    await by.pick(operator, "tr:nth-child(2) button", "Move");
    await by.later(operator, "dialog input");
    await look(operator, "series-move");
    await by.press(operator, "dialog button[type=submit]");
    await operator.waitForSelector("tr:nth-child(2) >> text=moved");
    await by.pick(operator, "tr:nth-child(3) button", "Drop");
    await look(operator, "series-drop");
    await by.press(operator, "dialog button[type=submit]");
    await operator.waitForSelector("tr:nth-child(3) >> text=dropped");
    await look(operator, "series-changed");
    await operator.goto(`${service.base}/console/bookings`);
    await until(
      "three bookings",
      async () => (await operator.locator(`td:has-text('${scene.series}')`).count()) >= 3,
    );
    await look(operator, "bookings");
  });
  await step("bookings have an address for calendar programs", async () => {
    await by.press(operator, "button:has-text('Calendar address')");
    await by.press(operator, "dialog button:has-text('Make an address')");
    const address = await operator.inputValue("dialog [readonly]");
    await look(operator, "calendar-address");
    const calendar = await (await fetch(service.api + new URL(address).pathname)).text();
    if (!calendar.startsWith("BEGIN:VCALENDAR") || !calendar.includes(scene.booked))
      throw new Error(calendar);
    await by.press(operator, "dialog button:has-text('Remove it')");
    await by.press(operator, "dialog button[type=submit]");
    await operator.waitForSelector("text=The address is removed");
    await closeDialog(operator);
  });
}

/** A guest joins by an invitation and is led by the leader. */
export async function leading(world) {
  const { service, step, by, look, scene, leader, caller } = world;
  const { board, guest, renamed } = scene;
  await service.seat(board, "Grace Hall", () => service.call(`conf-${board}`, 440));
  await service.seat(board, "Omar Said", () => service.call(`conf-${board}`, 600));
  await service.seat(board, "Paula Reyes", () => service.noisy(`conf-${board}`));
  await step("an invitation from the room is joined by its link, with sound both ways", async () => {
    await accept(world, leader, await service.invite(...scene.leader, "--role", "organiser"));
    await leader.waitForSelector("h1:has-text('Conferences')");
    await by.press(leader, `h3 a:has-text('${board}')`);
    await leader.waitForSelector("h2:has-text('In the conference')");
    await by.press(leader, "header button:has-text('Invite')");
    await by.press(leader, "dialog button:has-text('Make link')");
    const link = await leader.inputValue("dialog [readonly]");
    await look(leader, "room-invite");
    await closeDialog(leader);
    await caller.goto(service.base + link.slice(link.indexOf("/join/")));
    await caller.waitForSelector("[role=meter]");
    await look(caller, "join");
    await by.fill(caller, "input[autocomplete=name]", guest);
    await caller.keyboard.press("Enter");
    await until("the caller", () => inConference(service, board, guest));
    await caller.waitForSelector("text=(you)");
    await isHeard(service, caller, board, guest);
    await look(caller, "join-call");
  });
  await accidents(world);
  await leaderLink(world);
  if (world.isWhole) await leaderDoor(world);
  const first = guest.split(" ")[0];
  await step("the leader mutes with one click, and the caller sees it", async () => {
    await by.press(leader, `button:has-text('Mute ${first}')`);
    await caller.waitForSelector("text=You are muted in the conference");
    await by.press(leader, `button:has-text('Unmute ${first}')`);
    await caller.waitForSelector("text=You can be heard");
  });
  await step("a participant is renamed", async () => {
    await by.pick(leader, `button:has-text('More for ${first}')`, "Rename");
    await by.fill(leader, "dialog input", renamed);
    await leader.keyboard.press("Enter");
    await leader.waitForSelector(`strong:has-text('${renamed}')`);
    await caller.waitForSelector(`strong:has-text('${renamed}')`);
  });
  await step("lock, lecture, record, announce", async () => {
    await by.press(leader, "button:has-text('Lock')");
    await leader.waitForSelector("button[aria-pressed=true]:has-text('Lock')");
    await by.press(leader, "button:has-text('Lecture')");
    await leader.waitForSelector("text=muted by lecture");
    await by.press(leader, "button:has-text('Lecture')");
    await by.press(leader, "[role=toolbar] button:has-text('Record')");
    await look(leader, "room-record");
    await by.press(leader, "dialog button[type=submit]");
    await leader.waitForSelector("header >> text=Recording");
    await caller.waitForSelector("text=This conference is being recorded >> visible=true");
    await look(caller, "join-recorded");
    await by.pick(leader, "[role=toolbar] button:has-text('Recording')", "Pause");
    await caller.waitForSelector("text=The recording is paused >> visible=true");
    await by.pick(leader, "[role=toolbar] button:has-text('Recording')", "Stop recording");
    await caller.waitForSelector("main p:has-text('The recording is paused')", { state: "detached" });
    await by.press(leader, "button:has-text('Announce')");
    await by.press(leader, "dialog button:has-text('Play')");
    await leader.waitForSelector("dialog button:has-text('Stop')");
    await closeDialog(leader);
    await hasFocus(leader, "Announce");
  });
  await step("all hear how much time is left; what goes wrong stands in the dialog", async () => {
    await by.press(leader, "button:has-text('Announce')");
    await by.choose(leader, "dialog select", "Say: ends in 5 minutes");
    await leader.route("**/time-warning", (route) => route.abort());
    await by.press(leader, "dialog button:has-text('Play')");
    await leader.waitForSelector("dialog [role=alert]");
    await look(leader, "room-announce-problem");
    await leader.unroute("**/time-warning");
    await by.press(leader, "dialog button:has-text('Play')");
    await leader.waitForSelector("dialog", { state: "detached" });
    // A narrow screen has no such button, and the pictures of that were taken with the dialog open.
    await keepsFocus(leader);
  });
  await step("who is put on hold stands in a list until they are brought back", async () => {
    await by.pick(leader, `button:has-text('More for ${renamed.split(" ")[0]}')`, "Put on hold");
    await leader.waitForSelector(`section:has(h2:has-text('On hold')) li:has-text('${renamed}')`);
    await look(leader, "room-on-hold");
    await by.press(leader, "section:has(h2:has-text('On hold')) button:has-text('Resume')");
    await until("its return", async () => (await inConference(service, board, renamed))?.state === "in");
    await leader.waitForSelector("h2:has-text('On hold')", { state: "detached" });
  });
  await step("a room is found by name, with Control and K", async () => {
    await leader.keyboard.press("Control+K");
    await leader.waitForSelector("[role=combobox]");
    await leader.keyboard.type(board.slice(0, 4).toLowerCase());
    await leader.waitForSelector(`[role=option]:has-text('${board}')`);
    await look(leader, "palette");
    await leader.keyboard.press("Enter");
    await leader.waitForSelector(`h1:has-text('${board}')`);
  });
  await togetherness(world);
  await step("a participant is removed, and told so", async () => {
    await by.pick(leader, `button:has-text('More for ${renamed.split(" ")[0]}')`, "Remove");
    await look(leader, "room-eject");
    await by.press(leader, "dialog button[type=submit]");
    await caller.waitForSelector("text=You were removed from the conference");
    await look(caller, "join-over");
  });
}

/** A person without an account leads one conference. */
async function leaderLink({ service, step, by, look, scene, leader, newPage }) {
  const { board } = scene;
  const guest = await newPage();
  const status = (conference) =>
    guest.evaluate((name) => fetch(`/v1/conferences/${name}`).then((answer) => answer.status), conference);
  await step("a leader's link opens its room without an account, and nothing else", async () => {
    await by.press(leader, 'button:has-text("Leader\'s link")');
    await by.fill(leader, "dialog form input", "Ben");
    await by.press(leader, "dialog button[type=submit]");
    await leader.waitForSelector("dialog td:has-text('Ben')");
    const link = await leader.inputValue("dialog [readonly]");
    await look(leader, "leader-links");
    await guest.goto(service.base + link.slice(link.indexOf("/console/")));
    await guest.waitForSelector(`h1:has-text('${board}')`);
    await guest.waitForSelector("[role=toolbar]");
    await look(guest, "room-by-link");
    await guest.goto(`${service.base}/console/calls`);
    await guest.waitForSelector(`h1:has-text('${board}')`);
    const found = [await status(board), await status(scene.booked)];
    if (found.join() !== "200,403") throw new Error(`${found}`);
    await by.press(leader, "dialog button:has-text('Revoke')");
    await by.press(leader, "dialog button[type=submit]:has-text('Revoke')");
    await leader.waitForSelector("dialog >> text=The link is revoked");
    await until("the end of the session", async () => (await status(board)) === 401);
  });
  await closeDialog(leader);
  await hasFocus(leader, "Leader's link");
  await guest.context().close();
}

/** Where a leader's link leads before it opens anything. */
async function leaderDoor(world) {
  const { service, newPage, step, by, look, scene } = world;
  const { board } = scene;
  await step("a leader's link asks whoever is signed in before it signs them out", async () => {
    const { path } = await service.request("POST", "/v1/leader-links", { conference: board });
    const page = await newPage();
    const mail = `${board.toLowerCase()}.door@example.com`;
    await accept(world, page, await service.invite("Lars Example", mail, "--role", "organiser"));
    await page.waitForSelector("h1:has-text('Conferences')");
    await page.goto(service.base + path);
    await page.waitForSelector("text=You are signed in as Lars Example");
    await look(page, "leader-door");
    await by.press(page, "button:has-text('Open the room')");
    await page.waitForSelector(`h1:has-text('${board}')`);
    await page.waitForSelector("[role=toolbar]");
    await page.context().close();
  });
  await step("a leader's link without its code, or with a wrong one, says so", async () => {
    for (const [code, shows, name] of [
      ["", "text=This link is not complete", "leader-door-no-code"],
      [`#${"a".repeat(32)}`, "main [role=alert]", "leader-door-wrong-code"],
    ]) {
      const page = await newPage();
      await page.goto(`${service.base}/console/leader${code}`);
      await page.waitForSelector(shows);
      await look(page, name);
      await page.context().close();
    }
  });
}

/** What happens by itself during a call. */
async function accidents({ service, step, by, look, scene, isWhole, leader, caller }) {
  const { board, guest } = scene;
  await step("names that callers choose are text", async () => {
    await leader.waitForSelector(`strong:has-text('${guest}')`);
    await look(leader, "room");
  });
  await step("a reload in mid-call keeps the seat", async () => {
    const before = (await service.participants(board)).length;
    await caller.reload();
    await caller.waitForSelector("text=(you)");
    await until("the same number", async () => (await service.participants(board)).length === before);
    await isHeard(service, caller, board, guest);
  });
  await muteAndReload({ service, step, by, look, scene, caller });
  /** Takes the network away; `meanwhile` the page knows of it. */
  const loseNetwork = async (meanwhile) => {
    await caller.context().setOffline(true);
    await caller.evaluate(() => window.dispatchEvent(new Event("online")));
    try {
      await caller.waitForSelector("text=Your seat is kept");
      await meanwhile();
    } finally {
      await caller.context().setOffline(false);
    }
    await caller.waitForSelector("text=You are in");
  };
  await step("a lost network is found again in the same call", async () => {
    const { participant_id } = await inConference(service, board, guest);
    await loseNetwork(async () => {});
    const after = await inConference(service, board, guest);
    if (after.participant_id !== participant_id) throw new Error("another participant id");
  });
  if (isWhole) {
    await step("one that was lost for longer is found again on the same seat", async () => {
      const before = (await service.participants(board)).length;
      // After ten seconds a new call takes the place of the first one.
      await loseNetwork(() => look(caller, "join-lost"));
      await until("the same number", async () => (await service.participants(board)).length === before);
      await isHeard(service, caller, board, guest);
    });
  }
  await step("a noisy line is named, with its cure beside it", async () => {
    await leader.waitForSelector("[role=row]:has-text('Paula Reyes') >> text=noise from this line");
    const rows = await leader.locator("[role=row]:has-text('noise from this line')").count();
    if (rows !== 1) throw new Error(`${rows} lines are said to be noisy`);
    const line = "section:has(h2:has-text('Lines')) li:has-text('Paula Reyes')";
    await leader.waitForSelector(line);
    await look(leader, "room-hint");
    await by.press(leader, `${line} >> button:has-text('Suppress noise')`);
    await until("the suppression", async () =>
      (await service.participants(board)).some(
        (one) => one.display_name === "Paula Reyes" && one.sound?.noise_suppression,
      ),
    );
    await leader.waitForSelector(line, { state: "detached" });
  });
}

/** In the page: presses the button of this text at once, if it is there. */
function pressOnce(text) {
  const all = [...document.querySelectorAll("[role=row] button")];
  all.find((one) => one.textContent?.trim() === text)?.click();
}

/** Two leaders, and a page that does not follow for a while. */
async function togetherness({ service, step, by, look, scene, leader, operator }) {
  const { board } = scene;
  const paula = async () => (await inConference(service, board, "Paula Reyes"))?.muted;
  const button = (text) => `[role=row] button:has(:text-is("${text} Paula Reyes"))`;
  await step(
    "two leaders at once see the same, and what both do at once ends the same for both",
    async () => {
      await operator.goto(`${service.base}/console/rooms/${board}`);
      await by.press(operator, "button[aria-pressed=true]:has-text('Lock')");
      await leader.waitForSelector("button[aria-pressed=false]:has-text('Lock')");
      await by.press(operator, button("Mute"));
      await leader.waitForSelector("[role=row]:has-text('Paula Reyes') >> text=muted by leader");
      await by.press(leader, button("Unmute"));
      await operator.waitForSelector(button("Mute"));
      const both = [leader, operator];
      await Promise.all(both.map((page) => page.waitForSelector(button("Mute"))));
      // The second one may be told of the first before it is pressed.
      await Promise.all(both.map((page) => page.evaluate(pressOnce, "Mute Paula Reyes")));
      for (const page of both) await page.waitForSelector(button("Unmute"));
      if (!(await paula())) throw new Error("she is not muted");
      await Promise.all([
        by.press(leader, button("Unmute")),
        by.press(operator, "button:has-text('Lecture')"),
      ]);
      for (const page of both) {
        await page.waitForSelector("button[aria-pressed=true]:has-text('Lecture')");
        await page.waitForSelector("[role=row]:has-text('Grace Hall') >> text=muted by lecture");
      }
      await by.press(leader, "button:has-text('Lecture')");
      for (const page of both) await page.waitForSelector("button[aria-pressed=false]:has-text('Lecture')");
      await until("what the service says, on both pages", async () => {
        const wanted = button((await paula()) ? "Unmute" : "Mute");
        const shown = await Promise.all(both.map((page) => page.locator(wanted).count()));
        return shown.every((count) => count === 1);
      });
      if (await paula()) await by.press(leader, button("Unmute"));
      for (const page of both) await page.waitForSelector(button("Mute"));
    },
  );
  await step("a lost feed is said, and what happened meanwhile is shown when it is back", async () => {
    await leader.route("**/v1/events**", (route) => route.abort());
    await leader.reload();
    try {
      await leader.waitForSelector("text=Not live since");
      await look(leader, "room-lost");
      const { participant_id } = await inConference(service, board, "Omar Said");
      const path = `/v1/conferences/${board}/participants/${participant_id}`;
      await service.request("PATCH", path, { display_name: "Omar Back" });
      // Buttons work all the same.
      await by.press(leader, button("Mute"));
      await until("the mute", paula);
    } finally {
      await leader.unroute("**/v1/events**");
    }
    await leader.waitForSelector("strong:has-text('Omar Back')");
    await leader.waitForSelector("text=Not live since", { state: "detached" });
    await leader.waitForSelector(button("Unmute"));
    const path = `/v1/conferences/${board}/participants/${(await inConference(service, board, "Omar Back")).participant_id}`;
    await service.request("PATCH", path, { display_name: "Omar Said" });
    // It is live again.
    await leader.waitForSelector("strong:has-text('Omar Said')");
    await by.press(leader, button("Unmute"));
    await until("the unmute", async () => (await paula()) === false);
  });
}

/** A conference that begins at the next full minute. */
export const bookSoon = ({ service, scene }) =>
  service.request("POST", "/v1/reservations", {
    conference: scene.soon,
    max_participants: 40,
    starts_at: new Date(Math.ceil((Date.now() + 1_000) / 60_000) * 60_000).toISOString(),
    duration_min: 30,
  });

/** What is entered stays while the service cannot be reached. */
export async function outage({ service, step, by, look, leader }, { token }) {
  const path = "**/v1/reservations/*";
  await step("what is being entered stays when a page cannot be read again", async () => {
    await leader.goto(`${service.base}/console/bookings/${token}`);
    await by.fill(leader, "form input[type=number]", "41");
    await leader.route(path, (route) => route.abort());
    // Pages are read again when they are looked at again after a while.
    await until("the problem", async () => {
      await leader.evaluate(() => window.dispatchEvent(new Event("visibilitychange")));
      return (await leader.locator("main [role=alert]").count()) > 0;
    });
    await look(leader, "booking-problem");
    if ((await leader.inputValue("form input[type=number]")) !== "41") throw new Error("it is lost");
    await leader.unroute(path);
    await by.press(leader, "main [role=alert] button:has-text('Retry')");
    await leader.waitForSelector("main [role=alert]", { state: "detached" });
    if ((await leader.inputValue("form input[type=number]")) !== "41") throw new Error("it is lost");
  });
}

/** A person without an account joins by the link in the calendar file of a booking that takes place. */
async function byCalendar({ service, step, by, look, scene, leader, newPage }, token) {
  const guest = await newPage({ permissions: ["microphone"] });
  let link;
  await step("the link in a calendar file leads in, without an account", async () => {
    const file = await leader.evaluate(
      (path) => fetch(path).then((answer) => answer.text()),
      `/v1/reservations/${token}/calendar`,
    );
    [link] = /\/join\/[a-z2-7]{32}/.exec(file.replaceAll("\r\n ", "")) ?? [];
    if (!link) throw new Error(`there is no link in ${file}`);
    await guest.goto(service.base + link);
    await guest.waitForSelector(`h1:has-text('${scene.soon}')`);
    await look(guest, "join-by-calendar");
    await by.fill(guest, "input[autocomplete=name]", "Gil");
    await by.press(guest, "button[type=submit]");
    await until("Gil", () => inConference(service, scene.soon, "Gil"));
    await isHeard(service, guest, scene.soon, "Gil");
    await by.press(guest, "button:has-text('Leave')");
    await guest.waitForSelector("text=You have left");
  });
  await step("a link that was revoked says so", async () => {
    await by.press(leader, "button:has-text('Invite')");
    await leader.waitForSelector("dialog td:has-text('in calendar files')");
    await look(leader, "booking-invite");
    await by.press(leader, "dialog tr:has-text('in calendar files') button:has-text('Revoke')");
    await by.press(leader, "dialog button[type=submit]:has-text('Revoke')");
    await leader.waitForSelector("text=The link is revoked");
    await closeDialog(leader);
    await guest.goto(service.base + link);
    await guest.waitForSelector("text=This link is not valid any more");
    await look(guest, "join-revoked");
  });
  await guest.context().close();
}

/** A booking from its page to its end. */
export async function bookings(world, { token }) {
  const { service, step, by, look, scene, leader, caller } = world;
  const booking = () => service.request("GET", `/v1/reservations/${token}`);
  await step("a booking is invited to, and joined by its link", async () => {
    await leader.goto(`${service.base}/console/bookings/${token}`);
    await by.press(leader, "button:has-text('Invite')");
    await by.press(leader, "dialog button:has-text('Make link')");
    const link = await leader.inputValue("dialog [readonly]");
    await closeDialog(leader);
    await until("its start", async () => (await booking()).state !== "reserved", 90_000);
    service.call(`conf-${scene.soon}`, 500);
    await caller.goto(service.base + link.slice(link.indexOf("/join/")));
    await caller.reload();
    await by.fill(caller, "input[autocomplete=name]", "Fay");
    // Not before the page has looked whether a call is to be resumed.
    await by.press(caller, "button[type=submit]");
    await until("Fay", () => inConference(service, scene.soon, "Fay"));
  });
  await byCalendar(world, token);
  await step("a booking is extended and ended", async () => {
    await by.press(leader, "a:has-text('Open room')");
    await leader.waitForSelector(`h1:has-text('${scene.soon}')`);
    await by.press(leader, "button:has-text('+15 min')");
    await until("15 minutes more", async () => (await booking()).duration_min === 45);
    await look(leader, "room-booked");
    const { path } = await service.request("POST", "/v1/leader-links", { reservation: token });
    const byLink = await world.newPage();
    await byLink.goto(service.base + path);
    await by.press(byLink, "button:has-text('+15 min')");
    await until("15 minutes more by a link", async () => (await booking()).duration_min === 60);
    await byLink.context().close();
    await by.press(leader, "button:has-text('End for all')");
    await by.press(leader, "dialog button[type=submit]");
    await caller.waitForSelector("text=The call is over");
  });
}

/** Telephones and a browser in rooms with keys. */
export async function keypads(world) {
  const { service, step, by, look, scene, leader, caller } = world;
  const { weekly, lobby } = scene;
  service.call("meet", 440, `${weekly.number}#,,,,${weekly.leader}#`);
  service.call("meet", 550, `${weekly.number}#,,,,${weekly.pin}#,,,,,,,,,,,,,,,,,,,,,,,,*9`);
  service.call("meet", 440, `${lobby.number}#,,,,${lobby.leader}#`);
  service.call("meet", 550, `${lobby.number}#,,,,${lobby.pin}#`);
  await step("a telephone that raises its hand is seen, and let speak", async () => {
    await leader.goto(`${service.base}/console/rooms/${weekly.name}`);
    const telephone = async () =>
      (await service.participants(weekly.name)).find((one) => one.state === "in" && !one.leader);
    const { participant_id } = await until("the telephone", telephone);
    // It is to raise its hand where it cannot speak.
    const path = `/v1/conferences/${weekly.name}/participants/${participant_id}`;
    await service.request("PATCH", path, { muted: true });
    await leader.waitForSelector("h2:has-text('Hands')");
    await look(leader, "room-hands");
    const before = await telephone();
    if (!before.muted || !before.hand_raised_at || before.talking) throw new Error(JSON.stringify(before));
    await by.press(leader, "button:has-text('Let speak')");
    await until("no hand and no mute", async () => {
      const { hand_raised_at, muted } = await telephone();
      return !hand_raised_at && muted === false;
    });
    await until("its voice", async () => (await telephone()).talking);
  });
  await step("a telephone that is muted is asked to unmute itself, with the key that undoes it", async () => {
    for (const one of await service.participants(weekly.name)) {
      const path = `/v1/conferences/${weekly.name}/participants/${one.participant_id}`;
      await service.request("PATCH", path, { display_name: one.leader ? "Lea Boss" : "Tom Bell" });
    }
    const bell = () => inConference(service, weekly.name, "Tom Bell");
    await by.pick(leader, "[role=toolbar] button:has-text('Mute all')", "They stay muted");
    await until("the mute", async () => (await bell())?.muted_by === "leader");
    await by.pick(leader, "button:has-text('More for Tom Bell')", "Ask to unmute");
    await until("a mute of its own", async () => (await bell()).muted_by === "self");
    await by.press(leader, "button:has-text('Unmute Tom Bell')");
    await until("the unmute", async () => !(await bell()).muted);
  });
  await step("who waits in the lobby is admitted", async () => {
    await leader.goto(`${service.base}/console/rooms/${lobby.name}`);
    await leader.waitForSelector("h2:has-text('Waiting')");
    await look(leader, "room-waiting");
    await by.press(leader, "button:has-text('Admit')");
    await until(
      "two in",
      async () => (await service.participants(lobby.name)).filter((one) => one.state === "in").length === 2,
    );
  });
  if (world.isWhole) await lobbies(world);
  const { token } = await service.request("POST", "/v1/tokens", { service: "meet", valid_s: 3600 });
  await step("a link with a room asks for the PIN, and the hand is raised by its button", async () => {
    const about = `token=${token}&room=${weekly.number}&title=${weekly.name}&number=%2B44+1632+960000`;
    await caller.goto(`${service.base}/join/meet#${about}`);
    await caller.reload();
    await by.fill(caller, "input[autocomplete=name]", "Dora");
    await by.fill(caller, "input[inputmode=numeric]", weekly.pin);
    await look(caller, "join-pin");
    await by.press(caller, "button[type=submit]");
    await until("Dora", () => inConference(service, weekly.name, "Dora"));
    await caller.waitForSelector("text=(you)");
    await by.press(caller, "button:has-text('Hand')");
    await until("the hand", async () => (await inConference(service, weekly.name, "Dora")).hand_raised_at);
  });
  await handAndKeys(world);
  await step("a caller leaves", async () => {
    await by.press(caller, "button:has-text('Leave')");
    await caller.waitForSelector("text=You have left");
  });
  await refusals(world, token);
  await refusedLater(world, token);
  await step("a conference is ended for all", async () => {
    await leader.goto(`${service.base}/console/rooms/${lobby.name}`);
    await by.press(leader, "button:has-text('End for all')");
    await look(leader, "room-end");
    await by.press(leader, "dialog button[type=submit]");
    await leader.waitForSelector("h1:has-text('Conferences')");
    await until("its end", async () => (await service.participants(lobby.name)).length === 0);
  });
}

async function refusals({ service, step, by, look, scene, newPage }, token) {
  const { weekly } = scene;
  await step("without a microphone people listen", async () => {
    const listener = await newPage();
    await listener.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await listener.goto(`${service.base}/join/meet#token=${token}&room=${weekly.number}&pin=${weekly.pin}`);
    await by.press(listener, "button:has-text('Use my microphone')");
    await listener.waitForSelector("text=does not let this page use the microphone");
    await look(listener, "join-refused");
    await by.fill(listener, "input[autocomplete=name]", "Lena");
    await by.press(listener, "button:has-text('Listen only')");
    await until("Lena", () => inConference(service, weekly.name, "Lena"));
    await listener.waitForSelector("text=(you)");
    await look(listener, "join-listening");
    await listener.context().close();
  });
  await step("a link that leads nowhere says so", async () => {
    const lost = await newPage();
    await lost.goto(`${service.base}/join/nowhere#token=${token}`);
    await by.fill(lost, "input[autocomplete=name]", "X");
    await by.press(lost, "button[type=submit]");
    await lost.waitForSelector("text=There is no such conference");
    await look(lost, "join-nowhere");
    await lost.context().close();
  });
  await step("another link in the same tab leads to its own conference", async () => {
    const page = await newPage();
    for (const title of ["First", "Second"]) {
      await page.goto(`${service.base}/join/meet#token=${token}&title=${title}`);
      await page.waitForSelector(`h1:has-text('Join ${title}')`);
    }
    await page.context().close();
  });
  await step("a reload in a room with a PIN leads back into it, and asks nothing", async () => {
    const page = await newPage();
    const calls = async () =>
      (await service.participants(weekly.name)).filter((one) => one.display_name === "Ida");
    await page.goto(`${service.base}/join/meet#token=${token}&room=${weekly.number}`);
    await by.fill(page, "input[autocomplete=name]", "Ida");
    await by.fill(page, "input[inputmode=numeric]", weekly.pin);
    await by.press(page, "button:has-text('Listen only')");
    await page.waitForSelector("text=(you)");
    const [before] = await calls();
    await page.reload();
    // Chromium ends the call with its page, so this is another one, which has keyed room and PIN in by itself.
    await until("the call again", async () => {
      const again = await calls();
      return again.length === 1 && again[0].participant_id !== before.participant_id;
    });
    await page.waitForSelector("text=(you)");
    await page.context().close();
  });
}
