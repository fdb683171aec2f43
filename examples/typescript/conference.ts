/**
 * Reserves, lists, watches and ejects over HTTP.
 *
 *     node conference.js reserve NAME MINUTES --start 2030-06-20_15:15:00
 *     node conference.js list
 *     node conference.js watch NAME
 *     node conference.js eject NAME PARTICIPANT_ID
 *
 * PLENARY_URL, PLENARY_LOGIN (cloudID/username) and PLENARY_KEY say where and who.
 */

interface Conference {
  conference_name: string;
  status: "RESERVED" | "HOLDING" | "ACTIVE" | "COMPLETED";
  max_participants: number;
  reservation_token?: string;
}

interface Participant {
  participant_id: string;
  muted: boolean;
  dtmf_enabled: boolean;
}

/** What the service says about a request that it did not carry out. */
class Refused extends Error {}

class Plenary {
  readonly #authorization: string;

  constructor(readonly url: string, login: string, key: string) {
    this.#authorization = `Basic ${Buffer.from(`${login}:${key}`).toString("base64")}`;
  }

  /** One of the web services, by POST. */
  async ask<Answer>(service: string, parameters: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(new URL(service, this.url), {
      method: "POST",
      headers: { Authorization: this.#authorization },
      body: new URLSearchParams(parameters),
      signal: AbortSignal.timeout(20_000),
    });
    if (!answer.ok) throw new Refused(`${service}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Answer;
  }

  async participants(conference: string): Promise<Map<string, boolean>> {
    const { participants } = await this.ask<{ participants: Participant[] }>("conference_participant_list", {
      conference_name: conference,
    });
    return new Map(participants.map((party) => [party.participant_id, party.muted]));
  }
}

/** Prints every change until everybody who was there has left. */
async function watch(plenary: Plenary, conference: string): Promise<void> {
  let before = new Map<string, boolean>();
  for (;;) {
    const now = await plenary.participants(conference).catch((error: unknown) => {
      // An unreserved conference is gone when the last one leaves.
      if (error instanceof Refused && before.size > 0) return new Map<string, boolean>();
      throw error;
    });
    for (const participant of before.keys()) if (!now.has(participant)) console.log(`- ${participant} left`);
    for (const [participant, muted] of now) {
      if (before.get(participant) === muted) continue;
      console.log(`+ ${participant} ${before.has(participant) ? "" : "entered, "}${muted ? "muted" : "speaking"}`);
    }
    if (before.size > 0 && now.size === 0) return;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function main(): Promise<void> {
  const { PLENARY_URL = "http://127.0.0.1:8080", PLENARY_LOGIN, PLENARY_KEY } = process.env;
  if (!PLENARY_LOGIN || !PLENARY_KEY) {
    throw new Error("PLENARY_LOGIN and PLENARY_KEY are not set: `make run` prints an account and its key.");
  }
  const plenary = new Plenary(PLENARY_URL, PLENARY_LOGIN, PLENARY_KEY);
  const [command, name = "", ...rest] = process.argv.slice(2);
  switch (command) {
    case "reserve": {
      const [duration = "30", , start_time = ""] = rest;
      const { reservation_token } = await plenary.ask<{ reservation_token: string }>("conference_reservation_create", {
        conference_name: name,
        max_participants: "40",
        start_time,
        duration,
      });
      console.log(reservation_token);
      break;
    }
    case "list":
      for (const { conference_name, status } of await plenary.ask<Conference[]>("conference_list")) {
        console.log(conference_name, status);
      }
      break;
    case "watch":
      await watch(plenary, name);
      break;
    case "eject": {
      const [participant_id = ""] = rest;
      await plenary.ask("conference_participant_eject", { conference_name: name, participant_id });
      console.log(`${participant_id} ejected`);
      break;
    }
    default:
      throw new Error("conference.js reserve NAME MINUTES --start TIME | list | watch NAME | eject NAME PARTICIPANT_ID");
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
