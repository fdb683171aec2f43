/** Inbound services: what happens to a call by the name that is dialled. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas, versioned } from "../../api/client";

export type Kind = "conference" | "entry" | "announcement";
export type Srtp = NonNullable<Schemas["Service"]["srtp"]>;

export type InboundService = Schemas["Service"];
/** Merged into what is there (RFC 7396): null takes away. */
export type ServiceChange = Schemas["ServicePatch"];

const of = (name: string) => ({ params: { path: { name } } });

export const servicesQuery = queryOptions({
  queryKey: ["services"],
  queryFn: () => everyPage((query) => ok(client.GET("/v1/services", { params: { query } }))),
});

/** Made, not replaced: a service of this name may be there. */
export const makeService = (name: string, body: Schemas["ServiceBody"]) =>
  ok(
    client.PUT("/v1/services/{name}", {
      params: { path: { name }, header: { "If-None-Match": "*" } },
      body,
    }),
  );
export const readService = (name: string) => versioned(client.GET("/v1/services/{name}", of(name)));
/** Only as long as it is the version that was shown. */
export const changeService = (name: string, version: string, body: ServiceChange) =>
  ok(
    client.PATCH("/v1/services/{name}", {
      params: { path: { name }, header: { "If-Match": version } },
      body,
    }),
  );
export const removeService = (name: string) => ok(client.DELETE("/v1/services/{name}", of(name)));

/** Those that lead to a room. */
export const servicesOf = (services: InboundService[], room: string): InboundService[] =>
  services.filter(({ entry }) => entry && (!Array.isArray(entry.rooms) || entry.rooms.includes(room)));

/** The numbers and names by which a room is reached. */
export const numbersOf = (services: InboundService[], room: string): string[] =>
  servicesOf(services, room).map((service) => service.name);

/** Whether callers key in the number of a room; `count`: of rooms. An entry that leads to a single one asks for none. */
export function asksForRoom(services: InboundService[], room: string, count: number): boolean {
  const entries = services.flatMap(({ entry }) => entry ?? []);
  const numbers = entries
    .map(({ rooms }) => (Array.isArray(rooms) ? rooms : null))
    .filter((rooms) => rooms === null || rooms.includes(room))
    .map((rooms) => rooms?.length ?? count);
  return numbers.length === 0 || numbers.some((of) => of > 1);
}

export const kindOf = (service: InboundService): Kind =>
  service.entry ? "entry" : service.announcement ? "announcement" : "conference";

export type ServiceForm = {
  name: string;
  kind: Kind;
  conference: string;
  greeting: string;
  play: string;
  tokens: boolean;
  users: boolean;
  webrtc: boolean;
  networks: string;
  srtp: Srtp | "";
};

/** What stands in a field with commas or spaces between. */
export const listOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);
const asText = (value: string | string[] | null | undefined) => [value ?? []].flat().join(", ");

export const formOf = (service: InboundService | null): ServiceForm => ({
  name: service?.name ?? "",
  kind: service ? kindOf(service) : "conference",
  conference: service?.conference?.name ?? "{rest}",
  greeting: asText(service?.entry?.greeting),
  play: asText(service?.announcement?.play),
  tokens: service?.access?.tokens ?? true,
  users: service?.access?.users === true,
  webrtc: service?.access?.webrtc ?? false,
  networks: asText(service?.access?.networks),
  srtp: service?.srtp ?? "",
});

/** A new service. */
export function bodyOf(form: ServiceForm): Schemas["ServiceBody"] {
  const networks = listOf(form.networks);
  return {
    ...actionOf(form),
    ...(form.kind === "entry" ? { entry: { rooms: true, ...greetingOf(form) } } : {}),
    access: {
      tokens: form.tokens,
      webrtc: form.webrtc,
      users: form.users,
      ...(networks.length ? { networks } : {}),
    },
    ...(form.srtp ? { srtp: form.srtp } : {}),
  };
}

/** Only what the form has changed, so that lists of users and other options stay. */
export function changeOf(form: ServiceForm, before: InboundService): ServiceChange {
  const networks = listOf(form.networks);
  const hadNetworks = Boolean(before.access?.networks?.length);
  const isNewKind = kindOf(before) !== form.kind;
  const greeting = before.entry ? { greeting: null, ...greetingOf(form) } : greetingOf(form);
  return {
    // Another kind takes the place of the one before.
    ...(isNewKind ? { [kindOf(before)]: null } : {}),
    ...actionOf(form),
    ...(form.kind === "entry" ? { entry: { ...(isNewKind ? { rooms: true } : {}), ...greeting } } : {}),
    access: {
      tokens: form.tokens,
      webrtc: form.webrtc,
      ...(form.users === formOf(before).users ? {} : { users: form.users }),
      ...(networks.length || hadNetworks ? { networks: networks.length ? networks : null } : {}),
    },
    ...(form.srtp || before.srtp ? { srtp: form.srtp || null } : {}),
  };
}

const greetingOf = (form: ServiceForm) => (form.greeting.trim() ? { greeting: form.greeting.trim() } : {});

function actionOf(form: ServiceForm) {
  if (form.kind === "conference") return { conference: { name: form.conference.trim() } };
  if (form.kind === "announcement") {
    return { announcement: { play: form.play.split(",").flatMap((one) => one.trim() || []) } };
  }
  return {};
}
