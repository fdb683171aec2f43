import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import type { Tone } from "../../ui/Page";

export type Trunk = Schemas["Trunk"];

export const trunksQuery = queryOptions({
  queryKey: ["trunks"],
  queryFn: () => everyPage<Trunk>((query) => ok(client.GET("/v1/trunks", { params: { query } }))),
});

const tones: Record<Schemas["TrunkRegistration"], Tone> = {
  off: "none",
  registering: "warn",
  registered: "good",
  failed: "bad",
};

export const trunkTone = (trunk: Trunk): Tone => tones[trunk.status.registration];
