// Who is in a conference as the service sees it, and whether they hear and are heard.
import { until } from "./service.mjs";

/** A participant by name, as the service sees it. */
export const inConference = async (service, conference, name) =>
  (await service.participants(conference)).find(
    (one) => one.display_name === name && (one.state === "in" || one.state === "waiting"),
  );

/** Waits until the page hears something, and the service hears the page. */
export async function isHeard(service, page, conference, name) {
  await until(`sound at ${name}`, () =>
    page.evaluate(async () => {
      const stats = await window.peers.at(-1).getStats();
      return [...stats.values()].some((one) => one.type === "inbound-rtp" && one.totalAudioEnergy > 0.001);
    }),
  );
  await until(`sound from ${name}`, async () => {
    const { statistics } = await inConference(service, conference, name);
    return statistics.packets_received > 50 && statistics.level_dbov > -60;
  });
}
