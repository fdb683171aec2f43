/** Inbound services: what happens to a call by the name that is dialled. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type PageOf, type Schemas } from "../../api/client";

export type Kind = "conference" | "entry" | "announcement";
export type Srtp = NonNullable<Schemas["Service"]["srtp"]>;

type Described = Required<Pick<Schemas["Service"], "access" | "entry">>;

/** By the description `users` and `rooms` would have to be objects, too, which no value is: they are true (`users` also false) or a list. */
export interface InboundService extends Omit<Schemas["Service"], "access" | "entry"> {
  access?: Omit<Described["access"], "users"> & { users?: boolean | string[] };
  entry?: Omit<Described["entry"], "rooms"> & { rooms?: true | string[] };
}

/**
 * A new service, or a change of one. In a change null takes away what is there (RFC 7396), `networks` of `access` as well, which the
 * description leaves out.
 */
export interface ServiceChange {
  conference?: { name: string } | null;
  entry?: { rooms?: true; greeting?: string | null } | null;
  announcement?: { play: string[] } | null;
  access: { tokens: boolean; webrtc: boolean; users?: boolean; networks?: string[] | null };
  srtp?: Srtp | null;
}

const of = (name: string) => ({ params: { path: { name } } });

export const servicesQuery = queryOptions({
  queryKey: ["services"],
  queryFn: () =>
    everyPage<InboundService>(
      (query) => ok(client.GET("/v1/services", { params: { query } })) as Promise<PageOf<InboundService>>,
    ),
});

/** Made, not replaced: a service of this name may be there. */
export const makeService = (name: string, body: ServiceChange) =>
  ok(
    client.PUT("/v1/services/{name}", {
      ...of(name),
      headers: { "If-None-Match": "*" },
      body: body as Schemas["ServiceBody"],
    }),
  );
export const changeService = (name: string, body: ServiceChange) =>
  ok(client.PATCH("/v1/services/{name}", { ...of(name), body: body as Schemas["ServicePatch"] }));
export const removeService = (name: string) => ok(client.DELETE("/v1/services/{name}", of(name)));

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

const listOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);
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

/** What is asked for; of one that is there only what the form has changed, so that lists of users and other options stay. */
export function bodyOf(form: ServiceForm, before: InboundService | null): ServiceChange {
  const networks = listOf(form.networks);
  const access = {
    tokens: form.tokens,
    webrtc: form.webrtc,
    ...(before && form.users === formOf(before).users ? {} : { users: form.users }),
    ...(networks.length ? { networks } : before?.access?.networks?.length ? { networks: null } : {}),
  };
  const srtp = form.srtp ? { srtp: form.srtp } : before?.srtp ? { srtp: null } : {};
  const isNewKind = before === null || kindOf(before) !== form.kind;
  // Another kind takes the place of the one before.
  const gone = before && isNewKind ? { [kindOf(before)]: null } : {};
  return { ...gone, ...actionOf(form, before, isNewKind), access, ...srtp };
}

function actionOf(form: ServiceForm, before: InboundService | null, isNewKind: boolean) {
  if (form.kind === "conference") return { conference: { name: form.conference.trim() } };
  if (form.kind === "announcement") {
    return { announcement: { play: form.play.split(",").flatMap((one) => one.trim() || []) } };
  }
  const greeting = form.greeting.trim();
  return {
    entry: {
      ...(isNewKind ? { rooms: true as const } : {}),
      ...(greeting ? { greeting } : before?.entry ? { greeting: null } : {}),
    },
  };
}
