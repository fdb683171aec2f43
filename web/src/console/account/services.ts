/** Inbound services: what happens to a call by the name that is dialled. */
import { queryOptions } from "@tanstack/react-query";
import { everyPage, page, request } from "../../api/client";

export type Kind = "conference" | "entry" | "announcement";
export type Srtp = "required" | "preferred" | "off";

/** What the pages know of a service; it may have more, which they leave as it is. */
export interface InboundService {
  name: string;
  conference?: { name: string } | null;
  entry?: { rooms?: boolean | string[]; greeting?: string | string[]; language?: string } | null;
  announcement?: { play: string | string[] } | null;
  access?: {
    networks?: string[] | null;
    trunks?: boolean | string[] | null;
    users?: boolean | string[];
    tokens?: boolean;
    webrtc?: boolean;
  } | null;
  srtp?: Srtp | null;
}

export const servicesQuery = queryOptions({
  queryKey: ["services"],
  queryFn: () => everyPage<InboundService>((query) => page("/v1/services", query)),
});

const pathOf = (name: string) => `/v1/services/${encodeURIComponent(name)}`;

/** Made, not replaced: a service of this name may be there. */
export const makeService = (name: string, body: object) =>
  request<InboundService>("PUT", pathOf(name), body, { "If-None-Match": "*" });
export const changeService = (name: string, body: object) =>
  request<InboundService>("PATCH", pathOf(name), body);
export const removeService = (name: string) => request<null>("DELETE", pathOf(name));

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
export function bodyOf(form: ServiceForm, before: InboundService | null): object {
  const networks = listOf(form.networks);
  const access = {
    tokens: form.tokens,
    webrtc: form.webrtc,
    ...(before && form.users === formOf(before).users ? {} : { users: form.users }),
    ...(networks.length ? { networks } : before?.access?.networks?.length ? { networks: null } : {}),
  };
  const srtp = form.srtp ? { srtp: form.srtp } : before?.srtp ? { srtp: null } : {};
  const isNewKind = before === null || kindOf(before) !== form.kind;
  const members = {
    conference: { name: form.conference.trim() },
    entry: {
      ...(isNewKind ? { rooms: true } : {}),
      ...(form.greeting.trim()
        ? { greeting: form.greeting.trim() }
        : before?.entry
          ? { greeting: null }
          : {}),
    },
    announcement: { play: form.play.split(",").flatMap((one) => one.trim() || []) },
  };
  // Another kind takes the place of the one before.
  const gone = before && isNewKind ? { [kindOf(before)]: null } : {};
  return { ...gone, [form.kind]: members[form.kind], access, ...srtp };
}
